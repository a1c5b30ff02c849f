//! Media: addresses, the port range, and whether the range carries the calls.

use super::policy::ranged;
use super::rehome;
use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawConfig, RawDatapath, RawMedia, RawMediaMode};
use crate::config::settings::RelaySettings;
use crate::config::words::say;
use datapath::{DatapathChoice, SocketEngine};
use proxy_core::{MediaMode, MediaPolicy};
use serde_spanned::Spanned;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

/// Calls at once when media bypasses us and nothing is said.
const DEFAULT_BYPASS_CALLS: u32 = 20_000;

/// Ports of a call: two legs, each with RTP and RTCP.
const PORTS_PER_CALL: u32 = 4;

const DEFAULT_PORTS: (u16, u16) = (20_000, 39_999);

pub(super) fn read(raw: &RawConfig, complaints: &mut Complaints) -> (MediaPolicy, Option<RelaySettings>) {
    let empty = RawMedia {
        mode: None,
        v4: None,
        v6: None,
        advertised_v4: None,
        advertised_v6: None,
        ports: None,
        inactivity: None,
        inactivity_reason: None,
        dscp: None,
        datapath: None,
        silence: None,
    };
    let section = raw.media.as_ref().map_or(0..0, Spanned::span);
    let media = raw.media.as_ref().map_or(&empty, Spanned::get_ref);
    let bypass = media.mode.as_ref().filter(|m| *m.get_ref() == RawMediaMode::Bypass);
    let policy = MediaPolicy {
        mode: if bypass.is_some() { MediaMode::Bypass } else { MediaMode::Relay },
        v4: address(&media.v4, true, "v4", complaints),
        v6: address(&media.v6, false, "v6", complaints),
        advertised_v4: address(&media.advertised_v4, true, "advertised_v4", complaints),
        advertised_v6: address(&media.advertised_v6, false, "advertised_v6", complaints),
        inactivity: inactivity(media, complaints),
    };
    if let Some(mode) = bypass {
        complaints
            .warn(mode.span(), "media bypasses us: each side sees the other's media address")
            .at("no anchoring, no statistics, no detection of silence")
            .advise("use mode = \"relay\" unless the tier is signalling only");
        return (policy, None);
    }
    let addresses: Vec<_> = [policy.v4, policy.v6].into_iter().flatten().collect();
    let given = ["v4", "v6"].iter().any(|key| complaints.was_removed(&section, key));
    if addresses.is_empty() && !given {
        complaints
            .error(section, "no address for media")
            .advise("add `v4 = \"192.0.2.1\"` (or `v6`) to [media]: it stands in every SDP that we send");
    }
    let (first_port, last_port) = ports(&media.ports, complaints);
    sip_among_media(raw, media, &addresses, (first_port, last_port), complaints);
    let dscp = media.dscp.as_ref().map_or(46, |d| ranged(d, 0, 63, "`dscp`", complaints)) as u8;
    let (datapath, sockets) = match media.datapath.as_ref().map(Spanned::get_ref) {
        None | Some(RawDatapath::Auto) => (DatapathChoice::Auto, SocketEngine::Auto),
        Some(RawDatapath::Sockets) => (DatapathChoice::Sockets, SocketEngine::Auto),
        Some(RawDatapath::Lookup) => (DatapathChoice::Sockets, SocketEngine::Lookup),
        Some(RawDatapath::Uring) => (DatapathChoice::Sockets, SocketEngine::Uring),
        Some(RawDatapath::Epoll) => (DatapathChoice::Sockets, SocketEngine::Epoll),
    };
    let workers =
        raw.process.relay_workers.as_ref().map_or(1, |w| ranged(w, 1, 64, "`relay_workers`", complaints))
            as u8;
    let silence = rehome::silence(media.silence.as_ref(), complaints);
    let prompt = rehome::prompt(&raw.rehome, complaints);
    let relay =
        RelaySettings { addresses, first_port, last_port, dscp, datapath, sockets, workers, silence, prompt };
    (policy, Some(relay))
}

fn address(written: &Maybe<IpAddr>, v4: bool, key: &str, complaints: &mut Complaints) -> Option<IpAddr> {
    let written = written.as_ref()?;
    let ip = *written.get_ref();
    if ip.is_ipv4() != v4 {
        complaints
            .error(written.span(), format!("`{key}` holds an address of the other family"))
            .advise(if v4 { "move it to `v6`" } else { "move it to `v4`" });
    } else if ip.is_unspecified() {
        complaints
            .error(written.span(), format!("{ip} would stand in the SDP, where no peer could reach it"))
            .advise("write the address of the interface that media comes in on");
    }
    Some(ip)
}

fn inactivity(media: &RawMedia, complaints: &mut Complaints) -> Option<Duration> {
    let Some(written) = &media.inactivity else { return Some(Duration::from_secs(12)) };
    let because = media.inactivity_reason.as_ref().map(|reason| reason.get_ref().trim());
    if let (Some(""), Some(at)) = (because, &media.inactivity_reason) {
        complaints
            .error(at.span(), "a reason without words")
            .advise("say why, such as \"the recorders are silent for minutes\"");
    }
    let is_meant = because.is_some();
    let time = written.get_ref().0;
    if time.is_zero() {
        if !is_meant {
            complaints
                .warn(written.span(), "calls whose media stopped never end by themselves")
                .advise("use \"12s\", or say why with `inactivity_reason`");
        }
        return None;
    }
    if !(10..=15).contains(&time.as_secs()) && !is_meant {
        complaints
            .warn(written.span(), format!("media inactivity of {} is outside 10s to 15s", say(time)))
            .at(if time.as_secs() < 10 {
                "may end calls with long silence suppression"
            } else {
                "dead calls linger"
            })
            .advise("use \"12s\", or say why with `inactivity_reason`, as by your peers' comfort noise");
    }
    Some(time)
}

/// `"20000-39999"`: from an even port to an odd one, so that it is made of RTP and RTCP pairs (RFC 3550 §11).
fn ports(written: &Maybe<String>, complaints: &mut Complaints) -> (u16, u16) {
    let Some(written) = written else { return DEFAULT_PORTS };
    let text = written.get_ref();
    let parsed =
        text.split_once('-').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    let Some((first, last)): Option<(u16, u16)> = parsed else {
        complaints
            .error(written.span(), format!("`{text}` is not a range of ports"))
            .advise("write first and last port, such as \"20000-39999\"");
        return DEFAULT_PORTS;
    };
    if first > last || first < 1024 {
        complaints
            .error(written.span(), format!("{first} to {last} is not a usable range"))
            .advise("write a first port of 1024 or more and a last port above it, such as \"20000-39999\"");
        return DEFAULT_PORTS;
    }
    if !first.is_multiple_of(2) || last.is_multiple_of(2) {
        let (even, odd) = (first + first % 2, if last.is_multiple_of(2) { last - 1 } else { last });
        complaints
            .error(written.span(), "the range has to begin with an even port and end with an odd one")
            .at("RTP takes the even port of a pair, RTCP the odd one above it")
            .advise(format!("write \"{even}-{odd}\""));
        return (even, odd);
    }
    (first, last)
}

/// A SIP listener inside the media range would take a media port away, or lose its own.
fn sip_among_media(
    raw: &RawConfig,
    media: &RawMedia,
    addresses: &[IpAddr],
    (first, last): (u16, u16),
    complaints: &mut Complaints,
) {
    let binds =
        raw.listener.iter().map(Spanned::get_ref).filter_map(|l| Some((l.bind.as_ref()?, l.transport)));
    for (bind, transport) in binds {
        let at = bind.get_ref().sip(super::listeners::transport(transport));
        let same_address = at.ip().is_unspecified() || addresses.contains(&at.ip());
        if same_address && (first..=last).contains(&at.port()) {
            let range: Range<usize> = media.ports.as_ref().map_or(0..0, Spanned::span);
            complaints
                .error(bind.span(), format!("port {} of this listener lies in the media range", at.port()))
                .see(range, format!("{first} to {last}"))
                .advise("move the listener or the range");
        }
    }
}

/// Calls at once of the whole process: what is written if the ports allow it, else what the ports allow.
pub(super) fn max_calls(raw: &RawConfig, relay: Option<&RelaySettings>, complaints: &mut Complaints) -> u32 {
    let capacity = relay.map(|r| (u32::from(r.last_port) + 1 - u32::from(r.first_port)) / PORTS_PER_CALL);
    let Some(written) = &raw.limits.max_calls else {
        return capacity.unwrap_or(DEFAULT_BYPASS_CALLS).max(1);
    };
    let wanted = ranged(written, 1, 1_000_000, "`max_calls`", complaints);
    if let (Some(capacity), Some(relay)) = (capacity, relay)
        && wanted > capacity
    {
        let (first, last) = (relay.first_port, relay.last_port);
        let there = u32::from(last) + 1 - u32::from(first);
        let needed = wanted.saturating_mul(PORTS_PER_CALL);
        let message = format!(
            "{wanted} calls need {needed} media ports (2 legs × RTP and RTCP each), {first} to {last} are {there}, \
             enough for {capacity} calls"
        );
        let ports = raw.media.as_ref().and_then(|m| m.get_ref().ports.as_ref());
        complaints
            .error(written.span(), message)
            .see(ports.map_or(0..0, Spanned::span), format!("{there} ports"))
            .advise(match u16::try_from(u32::from(first) + needed - 1) {
                Ok(last) => format!("write ports = \"{first}-{last}\", or max_calls = {capacity}"),
                Err(_) => {
                    format!("write max_calls = {capacity}: no range from {first} up has {needed} ports")
                }
            });
    }
    wanted
}
