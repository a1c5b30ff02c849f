//! Numbers and times: probing, timers, hunting.

use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawHunt, RawLatching, RawProbe, RawRedirects, RawRefers, RawTimers};
use crate::config::words::{Span, say};
use proxy_core::{CodesId, HuntPolicy, Manners, ProbePolicy, ProfileId, Redirects, Refers, Timers};
use relay_values::Latching;
use serde_spanned::Spanned;
use std::ops::Range;
use std::time::Duration;

/// Probing faster than this measures the scheduler, not the peer.
const MIN_PROBE_INTERVAL: Duration = Duration::from_millis(50);

/// A call tries at most this many targets: the length of a plan.
const MAX_ATTEMPTS: u32 = 16;

/// A number inside its bounds; outside, a complaint and the nearer bound.
pub(super) fn ranged(
    written: &Spanned<i64>,
    least: u32,
    most: u32,
    what: &str,
    complaints: &mut Complaints,
) -> u32 {
    let n = *written.get_ref();
    if n < i64::from(least) || n > i64::from(most) {
        complaints
            .error(written.span(), format!("{what} cannot be {n}"))
            .advise(format!("write a number from {least} to {most}"));
    }
    u32::try_from(n.max(0)).unwrap_or(most).clamp(least, most)
}

pub(super) fn weight(written: &Maybe<i64>, complaints: &mut Complaints) -> u16 {
    let weight = written.as_ref().map_or(1, |w| ranged(w, 0, 65_535, "`weight`", complaints));
    u16::try_from(weight).unwrap_or(u16::MAX)
}

pub(super) fn latching(written: Option<RawLatching>) -> Latching {
    match written {
        Some(RawLatching::Exact) => Latching::Exact,
        Some(RawLatching::Learn) => Latching::Learn,
        Some(RawLatching::Address) | None => Latching::Address,
    }
}

/// What a group or a trunk may ask of us, and is asked.
pub(super) fn manners(
    redirect: Option<RawRedirects>,
    refer: Option<RawRefers>,
    offer_100rel: bool,
    (profile, codes): (Option<ProfileId>, Option<CodesId>),
) -> Manners {
    Manners {
        accounts: None,
        demand: None,
        offer_100rel,
        profile,
        codes,
        stir: None,
        redirect: match redirect {
            Some(RawRedirects::Pass) => Redirects::Pass,
            Some(RawRedirects::Follow) => Redirects::Follow,
            Some(RawRedirects::Refuse) | None => Redirects::Refuse,
        },
        refer: match refer {
            Some(RawRefers::Pass) => Refers::Pass,
            Some(RawRefers::Transfer) => Refers::Transfer,
            Some(RawRefers::Refuse) | None => Refers::Refuse,
        },
    }
}

/// A product name goes into a header field as it is (RFC 3261 §25.1: `product`).
pub(super) fn product(written: &Maybe<String>, complaints: &mut Complaints) -> Option<String> {
    let written = written.as_ref()?;
    let text = written.get_ref();
    if text.chars().any(|c| !(c.is_ascii_graphic() || c == ' ')) || text.len() > 64 {
        complaints
            .error(written.span(), "`product` does not fit a header field")
            .advise("write up to 64 plain ASCII characters, such as \"Bascule/1\"");
    }
    (!text.is_empty()).then(|| text.clone())
}

/// [probe]: what holds where a group or trunk says nothing of its own.
pub(super) fn default_probe(raw: &RawProbe, complaints: &mut Complaints) -> ProbePolicy {
    let second = Duration::from_secs(1);
    let base = ProbePolicy { interval: second, timeout: second / 2, fall: 2, rise: 2 };
    read_probe(raw, base, complaints)
}

/// How a group's or trunk's targets are probed. [probe] `enabled` is only the default's own: it does not reach here.
pub(super) fn probe(
    raw: Option<&RawProbe>,
    default: ProbePolicy,
    complaints: &mut Complaints,
) -> Option<ProbePolicy> {
    match raw {
        None => Some(default),
        Some(probe) if probe.enabled == Some(false) => None,
        Some(probe) => Some(read_probe(probe, default, complaints)),
    }
}

fn read_probe(raw: &RawProbe, base: ProbePolicy, complaints: &mut Complaints) -> ProbePolicy {
    let interval = time(&raw.interval, base.interval);
    // Who shortens only the interval means to find out sooner, not to be told that 500 ms do not fit into 200 ms.
    let timeout = time(&raw.timeout, base.timeout.min(interval));
    if let Some(at) = raw.interval.as_ref().filter(|_| interval < MIN_PROBE_INTERVAL) {
        complaints
            .error(at.span(), format!("a probe every {} is too often", say(interval)))
            .advise("write \"50ms\" or more: below that a busy edge looks like a dead one");
    }
    if timeout > interval || timeout.is_zero() {
        let at = raw.timeout.as_ref().or(raw.interval.as_ref()).map_or(0..0, Spanned::span);
        complaints
            .error(at, format!("a probe timeout of {} with an interval of {}", say(timeout), say(interval)))
            .advise(format!(
                "write a timeout above zero and up to the interval, such as \"{}\"",
                say(interval)
            ));
    }
    let count = |n: &Maybe<i64>, default: u8, what: &str, complaints: &mut Complaints| {
        n.as_ref().map_or(default, |n| ranged(n, 1, 100, what, complaints) as u8)
    };
    ProbePolicy {
        interval,
        timeout,
        fall: count(&raw.fall, base.fall, "`fall`", complaints),
        rise: count(&raw.rise, base.rise, "`rise`", complaints),
    }
}

pub(super) fn timers(raw: &RawTimers, complaints: &mut Complaints) -> Timers {
    let base = Timers::default();
    let (t1, t2, t4) = (time(&raw.t1, base.t1), time(&raw.t2, base.t2), time(&raw.t4, base.t4));
    positive(&raw.t1, "`t1`", complaints);
    positive(&raw.t4, "`t4`", complaints);
    if t2 < t1 {
        complaints
            .error(place(&[&raw.t2, &raw.t1]), format!("`t2` ({}) is below `t1` ({})", say(t2), say(t1)))
            .advise("write t2 ≥ t1; RFC 3261 has 500ms and 4s");
    }
    if let Some(written) = raw.t1.as_ref().filter(|_| t1 < Duration::from_millis(100) && !t1.is_zero()) {
        complaints
            .warn(written.span(), format!("`t1` of {} gives up after {} (64 × t1)", say(t1), say(t1 * 64)))
            .advise("RFC 3261 allows less than 500ms only in closed networks with known round-trip times");
    }
    Timers { t1, t2, t4 }
}

pub(super) fn hunt(raw: &RawHunt, complaints: &mut Complaints) -> HuntPolicy {
    let base = HuntPolicy::default();
    let no_response = time(&raw.no_response, base.no_response);
    let no_progress = time(&raw.no_progress, base.no_progress);
    positive(&raw.no_response, "`no_response`", complaints);
    positive(&raw.no_answer, "`no_answer`", complaints);
    if no_progress < no_response {
        complaints
            .error(
                place(&[&raw.no_progress, &raw.no_response]),
                format!("`no_progress` ({}) is below `no_response` ({})", say(no_progress), say(no_response)),
            )
            .advise("an edge that said 100 deserves at least as long as one that said nothing");
    }
    let max_attempts = raw
        .max_attempts
        .as_ref()
        .map_or(base.max_attempts, |n| ranged(n, 1, MAX_ATTEMPTS, "`max_attempts`", complaints) as u8);
    let advance_on = match &raw.advance_on {
        None => base.advance_on,
        Some(codes) => codes.get_ref().iter().map(|code| advance_code(code, complaints)).collect(),
    };
    HuntPolicy {
        no_response,
        no_progress,
        no_answer: time(&raw.no_answer, base.no_answer),
        max_attempts,
        advance_on,
    }
}

fn advance_code(code: &Spanned<i64>, complaints: &mut Complaints) -> u16 {
    let n = ranged(code, 300, 699, "a code to hunt on", complaints);
    if matches!(n, 486 | 487 | 600 | 603) {
        complaints
            .warn(code.span(), format!("{n} is an answer that a callee meant"))
            .at("the next edge would ring somebody who has just refused")
            .advise("leave it out");
    }
    u16::try_from(n).unwrap_or(500)
}

pub(super) fn time(written: &Maybe<Span>, default: Duration) -> Duration {
    written.as_ref().map_or(default, |s| s.get_ref().0)
}

pub(super) fn positive(written: &Maybe<Span>, what: &str, complaints: &mut Complaints) {
    if let Some(written) = written.as_ref().filter(|s| s.get_ref().0.is_zero()) {
        complaints.error(written.span(), format!("{what} cannot be zero")).advise("write a time above zero");
    }
}

pub(super) fn place(keys: &[&Maybe<Span>]) -> Range<usize> {
    keys.iter().find_map(|k| k.as_ref().map(Spanned::span)).unwrap_or(0..0)
}
