//! Overload, rates and scanners.

use super::policy::{positive, ranged, time};
use crate::config::complaint::Complaints;
use crate::config::raw::{RawAboveRate, RawConfig, RawScanners};
use crate::config::words::say;
use proxy_core::{OverRate, OverloadPolicy, ScannerPolicy};
use std::time::Duration;

/// Below this a message that waits for its turn in a batch is late already.
const MIN_TARGET: Duration = Duration::from_millis(5);

/// A caller's INVITE that waits for longer is repeated (T1 of RFC 3261): overload that makes its own load.
const MAX_TARGET: Duration = Duration::from_millis(250);

/// Longest word of a User-Agent, and the most of them: each is looked for in a stranger's request.
const MAX_WORD: usize = 64;
const MAX_WORDS: usize = 64;

pub(super) fn policy(raw: &RawConfig, shards: u8, complaints: &mut Complaints) -> OverloadPolicy {
    let base = OverloadPolicy::default();
    let (target, interval) =
        (time(&raw.overload.target, base.target), time(&raw.overload.interval, base.interval));
    if let Some(written) = &raw.overload.target
        && !(MIN_TARGET..=MAX_TARGET).contains(&target)
    {
        complaints
            .error(written.span(), format!("`target` cannot be {}", say(target)))
            .at("how long a message may wait before new calls are turned away")
            .advise(format!("write \"{}\" to \"{}\"", say(MIN_TARGET), say(MAX_TARGET)));
    }
    if let Some(written) = raw.overload.interval.as_ref().filter(|_| interval < target) {
        complaints
            .error(
                written.span(),
                format!("`interval` ({}) is below `target` ({})", say(interval), say(target)),
            )
            .advise("write interval ≥ target: a burst is no overload until it has lasted");
    }
    let source_rate =
        raw.limits.requests_per_second.as_ref().map(|n| {
            ranged(n, 1, 1_000_000, "`requests_per_second`", complaints).div_ceil(u32::from(shards))
        });
    let over_rate = match raw.limits.above_rate {
        Some(RawAboveRate::Drop) => OverRate::Drop,
        Some(RawAboveRate::Reject) | None => OverRate::Reject,
    };
    OverloadPolicy {
        target,
        interval,
        source_rate,
        over_rate,
        ask_peers: raw.overload.ask_peers.unwrap_or(base.ask_peers),
        shards,
    }
}

pub(super) fn scanners(raw: &RawScanners, complaints: &mut Complaints) -> ScannerPolicy {
    let base = ScannerPolicy::default();
    positive(&raw.half_life, "`half_life`", complaints);
    let strikes = raw
        .strikes
        .as_ref()
        .map_or(u32::from(base.strikes), |n| ranged(n, 1, 10_000, "`strikes`", complaints));
    let user_agents = raw.user_agents.as_ref().map_or(base.user_agents, |written| {
        if written.get_ref().len() > MAX_WORDS {
            complaints
                .error(written.span(), format!("{} words are too many", written.get_ref().len()))
                .advise(format!("write up to {MAX_WORDS}: each is looked for in every stranger's request"));
        }
        let words = written.get_ref().iter().map(|word| {
            let text = word.get_ref();
            let fits = (3..=MAX_WORD).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
            if !fits {
                complaints.error(word.span(), "not a word of a User-Agent").advise(format!(
                    "write 3 to {MAX_WORD} plain ASCII characters, such as \"friendly-scanner\""
                ));
            }
            text.to_ascii_lowercase()
        });
        words.collect()
    });
    ScannerPolicy {
        strikes: u16::try_from(strikes).unwrap_or(u16::MAX),
        half_life: time(&raw.half_life, base.half_life),
        user_agents,
    }
}
