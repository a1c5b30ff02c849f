//! [session]: how the sessions of calls that are up are kept alive (RFC 4028).

use super::policy::{place, positive, time};
use crate::config::complaint::Complaints;
use crate::config::raw::{RawRefresher, RawSession};
use crate::config::words::say;
use proxy_core::{MediaMode, Refresher, SessionPolicy};
use serde_spanned::Spanned;
use std::time::Duration;

/// RFC 4028 §5.
const LEAST: Duration = Duration::from_secs(90);
/// No call lasts longer.
const MOST: Duration = Duration::from_secs(86_400);
/// What RFC 4028 §4 recommends.
const LONG: Duration = Duration::from_secs(1_800);
/// A question takes 64 × T1 to go unanswered.
const LEAST_WATCH: Duration = Duration::from_secs(10);

pub(super) fn policy(raw: &RawSession, mode: MediaMode, complaints: &mut Complaints) -> SessionPolicy {
    let base = SessionPolicy::default();
    let (expires, min_se) = (time(&raw.expires, base.expires), time(&raw.min_se, base.min_se));
    positive(&raw.min_se, "`min_se`", complaints);
    for (key, written) in [("`expires`", &raw.expires), ("`min_se`", &raw.min_se)] {
        let odd =
            written.as_ref().filter(|span| span.get_ref().0.subsec_nanos() != 0 || span.get_ref().0 > MOST);
        if let Some(odd) = odd {
            complaints
                .error(odd.span(), format!("{key} cannot be {}", say(odd.get_ref().0)))
                .advise("write whole seconds, a day (24h) at most");
        }
    }
    if expires < min_se {
        complaints
            .error(
                place(&[&raw.expires, &raw.min_se]),
                format!("`expires` ({}) is below `min_se` ({})", say(expires), say(min_se)),
            )
            .advise("we would refuse our own offer: write expires ≥ min_se");
    }
    if let Some(written) = raw.min_se.as_ref().filter(|_| min_se < LEAST && !min_se.is_zero()) {
        complaints
            .warn(written.span(), format!("`min_se` of {} is for a laboratory", say(min_se)))
            .advise("RFC 4028 allows no session below 90s");
    }
    if let Some(written) = raw.expires.as_ref().filter(|_| expires > LONG) {
        complaints
            .warn(written.span(), format!("sessions of {} outlast every outage", say(expires)))
            .at("as long does a call stay whose far end has died without a word")
            .advise("write \"30m\" or less");
    }
    let watch = match &raw.watch {
        None => base.watch,
        Some(written) => written.get_ref().0,
    };
    if let (Some(written), Some(watch)) = (&raw.watch, watch)
        && watch < LEAST_WATCH
    {
        complaints
            .error(written.span(), format!("a question every {} is too often", say(watch)))
            .advise("write \"10s\" or more, or \"never\"");
    }
    let refresher = match raw.refresher.as_ref().map(Spanned::get_ref) {
        // Without a description of our own a re-INVITE could offer nothing: whoever can refreshes for himself.
        _ if mode == MediaMode::Bypass => Refresher::Peer,
        Some(RawRefresher::Us) => Refresher::Us,
        Some(RawRefresher::Peer) => Refresher::Peer,
        Some(RawRefresher::Either) => Refresher::Either,
        None => base.refresher,
    };
    SessionPolicy { enabled: raw.enabled.unwrap_or(base.enabled), expires, min_se, refresher, watch }
}
