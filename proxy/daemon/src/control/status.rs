//! `bascule status`: what runs, and what carries media.

use super::desk::Desk;
use crate::api::shapes::{Carried, LiveCalls, Media, NameAddress, NameStatus, Registered, Status};
use crate::clock::Clock;
use crate::config::RelaySettings;
use crate::shared::Phase;
use datapath::Engine;
use datapath::xdp::Passed;
use proxy_core::{AddressView, PlaceView, RegistrationView};
use relay_values::DropReason;

pub(super) async fn now(desk: &Desk) -> Status {
    let reports = desk.reports().await;
    let calls = reports.iter().fold(LiveCalls::default(), |sum, report| LiveCalls {
        hunting: sum.hunting + report.counts.hunting,
        answered: sum.answered + report.counts.answered,
        closing: sum.closing + report.counts.closing,
    });
    let now = desk.clock().now();
    let registered = |view: RegistrationView| Registered {
        trunk: view.trunk,
        state: view.state.to_owned(),
        registrar: view.registrar,
        left_s: view.until.map(|until| until.since(now).as_secs()),
        last_code: view.last,
    };
    let phase = match desk.phase() {
        Phase::Running => "running",
        Phase::Draining => "draining",
        Phase::Stopping => "stopping",
    };
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        phase: phase.to_owned(),
        uptime_s: (desk.clock().epoch().elapsed().as_secs_f64() * 10.0).round() / 10.0,
        generation: desk.snapshot().generation,
        shards: (reports.len(), desk.shards()),
        calls,
        registrations: desk.registrations().await.into_iter().map(registered).collect(),
        media: desk.media().map(|(engine, relay)| media(engine, relay)),
        names: desk.names().await.places.iter().map(|view| name(&desk.clock(), view)).collect(),
    }
}

fn name(clock: &Clock, view: &PlaceView) -> NameStatus {
    let PlaceView { place, state, why, since, until, ttl, asking: _, addresses } = view;
    let now = clock.now();
    NameStatus {
        name: place.to_string(),
        transport: place.transport.as_str().to_owned(),
        state: state.as_str().to_owned(),
        why: why.map(|why| why.as_str().to_owned()),
        since: clock.rfc3339(*since),
        until: until.map(|until| clock.rfc3339(until)),
        ttl_s: ttl.map(|ttl| ttl.as_secs()),
        addresses: addresses
            .iter()
            .map(|AddressView { address, host, rank, weight: _, since, left }| NameAddress {
                address: address.to_string(),
                host: host.to_string(),
                rank: *rank,
                age_s: now.since(*since).as_secs(),
                left: left.map(|left| clock.rfc3339(left)),
            })
            .collect(),
    }
}

fn media(engine: &Engine, relay: &RelaySettings) -> Media {
    let (counters, capacity) = (engine.counters(), engine.capacity());
    let standing = engine.standing();
    let some = |(reason, n): (&str, u64)| (n > 0).then(|| (reason.to_owned(), n));
    Media {
        addresses: relay.addresses.iter().map(ToString::to_string).collect(),
        ports: (relay.first_port, relay.last_port),
        capacity: capacity.to_string(),
        room: capacity.calls(),
        kernel: standing.kernel,
        sockets: standing.sockets.into_iter().chain([format!("served by {}", standing.engine)]).collect(),
        survival: standing.survival,
        carried: Carried { sessions: counters.relay.sessions, kernel_flows: counters.kernel_flows },
        drops: DropReason::ALL
            .iter()
            .map(|r| (r.as_str(), counters.relay.drops.get(*r)))
            .filter_map(some)
            .collect(),
        passed_up: Passed::ALL
            .iter()
            .zip(counters.passed)
            .map(|(r, n)| (r.as_str(), n))
            .filter_map(some)
            .collect(),
    }
}
