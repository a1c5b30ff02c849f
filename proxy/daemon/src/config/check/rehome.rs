//! Losing a region: when it is taken for lost, and what becomes of its calls.

use super::policy::{place, positive, ranged, time};
use super::routes::is_prefix;
use crate::config::complaint::Complaints;
use crate::config::raw::{RawConfig, RawFill, RawRegionHealth, RawRehome, RawSilence};
use crate::config::wav;
use crate::config::words::say;
use proxy_core::{GapFill, ProbePolicy, Region, RegionPolicy, RehomePolicy};
use relay_core::{Prompt, SilencePolicy};
use serde_spanned::Spanned;
use std::time::Duration;

/// One packet of ordinary speech.
const PACKET: Duration = Duration::from_millis(20);

/// Regions with the rate at which each shard may move calls to them.
pub(super) fn regions(
    raw: &RawConfig,
    names: impl Iterator<Item = String>,
    shards: u8,
    complaints: &mut Complaints,
) -> Vec<Region> {
    let sections = raw.region.iter().map(Spanned::get_ref);
    let shards = u32::from(shards);
    sections
        .zip(names)
        .map(|(region, name)| {
            let moves_per_second = region.moves_per_second.as_ref().map(|written| {
                let n = ranged(written, 1, 1_000_000, "`moves_per_second`", complaints);
                if n < shards && *written.get_ref() > 0 {
                    complaints
                        .warn(written.span(), format!("{n} moves a second for {shards} shards"))
                        .at(format!("each shard may make 1, which is {shards} a second"))
                        .advise(format!("write {shards} or more"));
                }
                (n / shards).max(1)
            });
            Region { name, moves_per_second }
        })
        .collect()
}

pub(super) fn health(raw: &RawRegionHealth, complaints: &mut Complaints) -> RegionPolicy {
    let base = RegionPolicy::default();
    positive(&raw.burst_interval, "`burst_interval`", complaints);
    positive(&raw.burst_timeout, "`burst_timeout`", complaints);
    let burst = raw.burst.as_ref().map_or(base.burst, |n| ranged(n, 1, 20, "`burst`", complaints) as u8);
    let limit = raw.damping_limit.as_ref();
    let policy = RegionPolicy {
        burst,
        burst_interval: time(&raw.burst_interval, base.burst_interval),
        burst_timeout: time(&raw.burst_timeout, base.burst_timeout),
        media_down: raw.media_down.as_ref().map_or(base.media_down, |m| m.get_ref().0),
        slow_start: time(&raw.slow_start, base.slow_start),
        damping_half_life: time(&raw.damping_half_life, base.damping_half_life),
        damping_limit: limit
            .map_or(base.damping_limit, |n| ranged(n, 1, 100, "`damping_limit`", complaints) as u8),
    };
    if let Some(written) = raw.media_down.as_ref().filter(|m| m.get_ref().0 == Some(Duration::ZERO)) {
        complaints.error(written.span(), "`media_down` cannot be zero").advise(
            "write how long media may be gone while probes are answered, such as \"1s\", or \"never\"",
        );
    }
    let sent_over = policy.burst_interval * u32::from(burst.saturating_sub(1));
    if sent_over >= policy.burst_timeout && !policy.burst_timeout.is_zero() {
        let at = place(&[&raw.burst_timeout, &raw.burst_interval]);
        let at = if at.is_empty() { raw.burst.as_ref().map_or(at, Spanned::span) } else { at };
        complaints
            .warn(
                at,
                format!(
                    "a burst of {burst} probes takes {}, and is given up after {}",
                    say(sent_over),
                    say(policy.burst_timeout)
                ),
            )
            .at("the last of them could not be answered in time")
            .advise(format!("write burst_timeout = \"{}\" or more", say(sent_over + base.burst_timeout)));
    }
    policy
}

pub(super) fn silence(raw: Option<&RawSilence>, complaints: &mut Complaints) -> SilencePolicy {
    let base = SilencePolicy::default();
    let Some(raw) = raw else { return base };
    let after = time(&raw.after, base.after);
    if let Some(written) = raw.after.as_ref().filter(|_| after < PACKET) {
        complaints
            .error(written.span(), format!("silence of {} is the pause between two packets", say(after)))
            .advise(
                "write \"50ms\", two and a half packets of 20 ms; \"40ms\" is the least that makes sense",
            );
    } else if let Some(written) = raw.after.as_ref().filter(|_| after < 2 * PACKET) {
        complaints
            .warn(written.span(), format!("silence of {} is one lost packet", say(after)))
            .advise("write \"40ms\" or more: packets of ordinary speech are 20 ms apart");
    }
    SilencePolicy {
        min_flows: raw
            .min_flows
            .as_ref()
            .map_or(base.min_flows, |n| ranged(n, 2, 100_000, "`min_flows`", complaints)),
        after,
        heard_percent: raw
            .heard_percent
            .as_ref()
            .map_or(base.heard_percent, |n| ranged(n, 0, 50, "`heard_percent`", complaints) as u8),
    }
}

pub(super) fn policy(raw: &RawRehome, complaints: &mut Complaints) -> RehomePolicy {
    let base = RehomePolicy::default();
    positive(&raw.deadline, "`deadline`", complaints);
    let fill = match raw.fill.as_ref().map(Spanned::get_ref) {
        None => base.fill,
        Some(RawFill::Noise) => GapFill::Noise,
        Some(RawFill::Prompt) => GapFill::Prompt,
        Some(RawFill::Nothing) => GapFill::Nothing,
    };
    match (fill, &raw.fill, &raw.prompt) {
        (GapFill::Prompt, Some(fill), None) => complaints
            .error(fill.span(), "`fill` is a prompt, and there is none")
            .advise("add `prompt = \"/etc/bascule/one-moment.wav\"`: 8 kHz mono, G.711 or 16-bit PCM"),
        (GapFill::Noise | GapFill::Nothing, _, Some(prompt)) => complaints
            .warn(prompt.span(), "this prompt is never heard")
            .advise("write `fill = \"prompt\"`, or remove it"),
        _ => {}
    }
    for number in raw.emergency.iter().filter(|n| n.get_ref().is_empty() || !is_prefix(n.get_ref())) {
        complaints
            .error(number.span(), format!("`{}` is not a number", number.get_ref()))
            .advise("write digits as the carrier sends them, such as \"112\" or \"+49112\"");
    }
    RehomePolicy {
        enabled: raw.enabled.unwrap_or(base.enabled),
        deadline: time(&raw.deadline, base.deadline),
        min_interval: time(&raw.min_interval, base.min_interval),
        fill,
        emergency: raw.emergency.iter().map(|n| n.get_ref().clone()).collect(),
    }
}

/// The sound itself, read where the place of its name is still known.
pub(super) fn prompt(raw: &RawRehome, complaints: &mut Complaints) -> Option<Prompt> {
    let written = raw.prompt.as_ref()?;
    match wav::read(written.get_ref()) {
        Ok(prompt) => Some(prompt),
        Err(error) => {
            complaints
                .error(written.span(), format!("the prompt {} {error}", written.get_ref().display()))
                .advise("`ffmpeg -i IN -ac 1 -ar 8000 -c:a pcm_alaw OUT.wav` makes one that fits");
            None
        }
    }
}

/// Thresholds that are good each by itself and contradict each other.
pub(super) fn contradictions(
    raw: &RawConfig,
    (silence, health, rehome, probe): (SilencePolicy, RegionPolicy, &RehomePolicy, ProbePolicy),
    max_calls: u32,
    complaints: &mut Complaints,
) {
    let by_silence = silence.after + health.burst_timeout;
    let by_probes = probe.interval * u32::from(probe.fall.saturating_sub(1)) + probe.timeout;
    let written = raw.media.as_ref().and_then(|m| m.get_ref().silence.as_ref());
    let at = place(&[written.map_or(&None, |s| &s.after), &raw.region_health.burst_timeout]);
    if by_silence >= by_probes && !at.is_empty() {
        complaints
            .warn(
                at.clone(),
                format!(
                    "silence needs {} to prove a region dead, probes need {}",
                    say(by_silence),
                    say(by_probes)
                ),
            )
            .at("silence would never be the first to know")
            .advise("shorten media.silence.after or region_health.burst_timeout: 50ms each by default");
    }
    if let (Some(media_down), Some(written)) = (health.media_down, &raw.region_health.media_down)
        && media_down < by_silence
        && !media_down.is_zero()
    {
        complaints
            .warn(written.span(), format!("`media_down` of {} is over before the burst is", say(media_down)))
            .at(format!("silence of {} and a burst of {}", say(silence.after), say(health.burst_timeout)))
            .advise("write \"1s\", or \"never\": answered probes would count for nothing");
    }
    for written in raw.region.iter().filter_map(|r| r.get_ref().moves_per_second.as_ref()) {
        let rate = u32::try_from(*written.get_ref()).unwrap_or(0);
        let seconds = u32::try_from(rehome.deadline.as_secs()).unwrap_or(u32::MAX);
        let placed = rate.saturating_mul(seconds);
        if placed > 0 && rehome.enabled && placed < max_calls {
            complaints
                .warn(
                    written.span(),
                    format!(
                        "{rate} moves a second for {} place {placed} of up to {max_calls} calls",
                        say(rehome.deadline)
                    ),
                )
                .at("when another region dies full, the rest of its calls end")
                .advise(format!(
                    "write {} or more, or a longer rehome.deadline, if the region can take it",
                    max_calls.div_ceil(seconds.max(1))
                ));
        }
    }
}
