//! What the relay measures of a live call, as it is answered: line by line, direction by direction.

use crate::control::{MeasuredLine, Unmeasured};
use crate::records::Flow;
use proxy_core::MediaLine as Place;
use relay_values::{Incoming, Leg, Measured, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The media of a live call at this moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallMedia {
    /// Why there is nothing to measure: `bypass`, `no_media` or `no_relay`; left out where there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
    /// Its lines at the relay, in order of the session descriptions.
    pub lines: Vec<MediaLine>,
}

/// One `m=` line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaLine {
    /// Which one, from 0.
    pub line: usize,
    /// The call is measured by it: its silence, its moves.
    pub leads: bool,
    /// Why nothing is measured of it: `no_session`, `busy`, `no_answer` or `no_relay`; left out where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
    /// What comes from the A-leg's peer and goes to the B-leg's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_a: Option<MediaFlow>,
    /// What comes from the B-leg's peer and goes to the A-leg's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_b: Option<MediaFlow>,
    /// Packets that were dropped, by reason, both directions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drops: BTreeMap<String, u64>,
}

/// One direction of a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaFlow {
    /// `unconnected`: signalling has not said where the peer is. `held`: nothing is to come. `unheard`: nothing has come yet.
    /// `silent`: it came, and nothing has for a second. `flowing`.
    pub state: String,
    /// What carries its next packet: `kernel` or `sockets`.
    pub carried_by: String,
    /// The peer is taken for lost, and the other leg is spoken to in its place.
    pub bridged: bool,
    /// Where it comes from, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SocketAddr>,
    /// How long ago its last packet came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ms: Option<u64>,
    /// Packets of RTCP from there.
    pub rtcp: u64,
    /// What is measured of its RTP.
    #[serde(flatten)]
    pub flow: Flow,
}

pub(super) fn told(measured: Result<Vec<MeasuredLine>, Unmeasured>) -> CallMedia {
    match measured {
        Ok(lines) => CallMedia { absent: None, lines: lines.into_iter().map(line).collect() },
        Err(why) => CallMedia { absent: Some(why.as_str().to_owned()), lines: Vec::new() },
    }
}

fn line((Place { session: _, place, leads }, measured): MeasuredLine) -> MediaLine {
    let nothing =
        MediaLine { line: place, leads, absent: None, from_a: None, from_b: None, drops: BTreeMap::new() };
    match measured {
        Err(why) => MediaLine { absent: Some(why.as_str().to_owned()), ..nothing },
        Ok(measured) => MediaLine {
            from_a: Some(direction(&measured, Leg::A)),
            from_b: Some(direction(&measured, Leg::B)),
            drops: measured.stats.drops.nonzero().map(|(why, n)| (why.as_str().to_owned(), n)).collect(),
            ..nothing
        },
    }
}

fn direction(measured: &Measured, leg: Leg) -> MediaFlow {
    let Measured { at, stats, .. } = measured;
    let incoming = measured.incoming(leg);
    let Incoming { direction: _, from, last, carrier, bridged } = *incoming;
    let (heard, back, rtcp) = match leg {
        Leg::A => (&stats.from_a, &stats.from_b, stats.rtcp_from_a),
        Leg::B => (&stats.from_b, &stats.from_a, stats.rtcp_from_b),
    };
    MediaFlow {
        state: incoming.hearing(*at).as_str().to_owned(),
        carried_by: carrier.as_str().to_owned(),
        bridged,
        from,
        last_ms: last.map(|last: Time| u64::try_from(at.since(last).as_millis()).unwrap_or(u64::MAX)),
        rtcp,
        flow: Flow::of(heard, back),
    }
}
