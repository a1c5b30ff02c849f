//! `bascule status`: what runs, and what carries media.

use super::desk::Desk;
use super::protocol::{Answer, Carried, LiveCalls, Media, Status};
use crate::config::RelaySettings;
use crate::shared::Phase;
use datapath::Engine;
use datapath::xdp::Passed;
use relay_values::DropReason;

pub(super) async fn now(desk: &Desk) -> Answer {
    let reports = desk.reports().await;
    let calls = reports.iter().fold(LiveCalls::default(), |sum, report| LiveCalls {
        hunting: sum.hunting + report.counts.hunting,
        answered: sum.answered + report.counts.answered,
        closing: sum.closing + report.counts.closing,
    });
    let phase = match desk.phase() {
        Phase::Running => "running",
        Phase::Draining => "draining",
        Phase::Stopping => "stopping",
    };
    Answer::Status(Box::new(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        phase: phase.to_owned(),
        uptime_s: (desk.clock().epoch().elapsed().as_secs_f64() * 10.0).round() / 10.0,
        generation: desk.snapshot().generation,
        shards: (reports.len(), desk.shards()),
        calls,
        media: desk.media().map(|(engine, relay)| media(engine, relay)),
    }))
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
