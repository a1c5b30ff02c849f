//! What becomes of a call: `[timers]`, `[hunt]`, `[rehome]`, `[session]`.

use super::Maybe;
use crate::config::words::{Span, SpanOrNever};
use serde::Deserialize;
use serde_spanned::Spanned;
use std::path::PathBuf;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawTimers {
    /// Estimate of the round trip; a request is given up after 64 of them.
    /// Default: "500ms".
    /// Range: above "0s".
    pub(in crate::config) t1: Maybe<Span>,
    /// Longest interval between repetitions; `t1` or more.
    /// Default: "4s".
    pub(in crate::config) t2: Maybe<Span>,
    /// How long a message may stay in the network.
    /// Default: "5s".
    /// Range: above "0s".
    pub(in crate::config) t4: Maybe<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawHunt {
    /// How long a target may say nothing at all before the next one is tried.
    /// Default: "200ms".
    /// Range: above "0s".
    pub(in crate::config) no_response: Maybe<Span>,
    /// How long after a 100 it may say nothing more; `no_response` or more.
    /// Default: "4s".
    pub(in crate::config) no_progress: Maybe<Span>,
    /// How long it may ring; the caller then hears 480.
    /// Default: "120s".
    /// Range: above "0s".
    pub(in crate::config) no_answer: Maybe<Span>,
    /// Targets that one call tries.
    /// Default: 6.
    /// Range: 1 to 16.
    pub(in crate::config) max_attempts: Maybe<i64>,
    /// Final responses, 300 to 699, that move a call to the next target.
    /// Default: [408, 500, 502, 503, 504].
    pub(in crate::config) advance_on: Maybe<Vec<Spanned<i64>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawRehome {
    /// Whether they are moved to another region.
    /// Default: true.
    pub(in crate::config) enabled: Option<bool>,
    /// How long a call may be without a tier leg before it ends.
    /// Default: "10s".
    /// Range: above "0s".
    pub(in crate::config) deadline: Maybe<Span>,
    /// One call is moved once in this time at most.
    /// Default: "2s".
    pub(in crate::config) min_interval: Maybe<Span>,
    /// What the carrier hears meanwhile.
    /// Default: "noise".
    pub(in crate::config) fill: Maybe<RawFill>,
    /// WAV file for `fill = "prompt"`: 8 kHz mono, G.711 or 16-bit PCM, 60 s at most, played over and over.
    /// Restart.
    pub(in crate::config) prompt: Maybe<PathBuf>,
    /// Beginnings of called numbers whose calls go first, beside those with Resource-Priority (RFC 4412).
    /// Default: [].
    pub(in crate::config) emergency: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawSession {
    /// Whether there are session timers.
    /// Default: true.
    pub(in crate::config) enabled: Option<bool>,
    /// The interval that we ask for, in whole seconds, `min_se` or more.
    /// Default: "1800s".
    pub(in crate::config) expires: Maybe<Span>,
    /// Whoever asks for less is answered 422; in whole seconds. Below 90 s for a laboratory alone.
    /// Default: "90s".
    /// Range: above "0s".
    pub(in crate::config) min_se: Maybe<Span>,
    /// Who refreshes where it is ours to say. Where media bypasses us it is always the peer.
    /// Default: "either".
    pub(in crate::config) refresher: Maybe<RawRefresher>,
    /// How often a peer that knows no session timer is asked by OPTIONS; or `"never"`.
    /// Default: "300s".
    /// Range: from "10s".
    pub(in crate::config) watch: Maybe<SpanOrNever>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawRefresher {
    /// Whoever the other side chooses.
    Either,
    /// We do.
    Us,
    /// The other side.
    Peer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawFill {
    /// Comfort noise.
    Noise,
    /// A sound, `prompt`.
    Prompt,
    /// Nothing.
    Nothing,
}
