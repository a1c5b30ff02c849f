//! Ten thousand flows of one region: how soon all of them go elsewhere, and how long it takes to read what they have carried.

use super::row::{Running, Stand};
use super::row::{at, command, other_peer};
use crate::device::DEVICE_CORE;
use crate::place::{CARRIER, OTHER_TIER, RELAY_C, RELAY_T, Site, TIER};
use crate::process::pin;
use crate::report::median;
use crate::traffic::{Lane, Plan, Traffic, now_ns};
use datapath::xdp::{NextHop, Program, Roster, Rung, Setup, SlotChoice};
use relay_core::{Flow, FlowShift, FlowState, PortRef};
use relay_values::{Leg, RegionId, RelayCommand, SessionId};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Flows of the region.
pub(super) const FLOWS: usize = 10_000;
/// Packets a second of all of them.
const RATE: f64 = 500_000.0;
/// Our ports of the flows, on both sides: each has the next even one.
const FIRST_PORT: u16 = 20_000;
/// How often the counters are read.
const READINGS: usize = 101;

/// What was measured.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Region {
    /// From the store to the last packet at the old place, in microseconds.
    pub(super) switched_us: f64,
    /// Packets that came to neither place.
    pub(super) lost: u64,
    /// Reading packets and bytes of every flow, in microseconds.
    pub(super) counters_us: f64,
}

/// All flows in one slot of the program's tables, which is switched by one store while they speak.
pub(super) fn by_slot() -> io::Result<Region> {
    let site = Site::new()?;
    let mut traffic = Traffic::new(&site)?;
    let locals = vec![RELAY_C, RELAY_T];
    let setup = Setup { locals, dscp: 46, hop_limit: 64, epoch: Instant::now() };
    let names = site.links.each_ref().map(|link| link.ours.name.clone());
    let stands = site.relay.run(move || {
        let mut program = Program::load(&setup, FLOWS + 1).map_err(io::Error::other)?;
        let attached: io::Result<Vec<_>> = names
            .iter()
            .map(|name| program.attach(name, &[Rung::NativeXdp]).map_err(io::Error::other))
            .collect();
        Ok::<_, io::Error>((program, attached?))
    });
    let (program, _attached) = stands?;
    let tables = program.tables();
    let [_, link] = &site.links;
    let (to, from, ifindex) = (link.theirs.mac, link.ours.mac, link.ours.ifindex);
    let hop = tables.add_next_hop(&NextHop { to, from, ifindex, mtu: 1500, tags: [None; 2] });
    let full = || io::Error::other("the program's tables are full");
    let (hop, slot) = hop.zip(tables.add_slot()).ok_or_else(full)?;
    let mut roster = Roster::new(FLOWS);
    let mut lanes = Vec::new();
    for n in 0..FLOWS {
        let port = FIRST_PORT + 2 * n as u16;
        let (carrier, tier) = (at(CARRIER, n), at(TIER, n));
        let (ours, out) = (SocketAddr::new(RELAY_C, port), SocketAddr::new(RELAY_T, port));
        let flow = Flow {
            at: PortRef::new(n as u32),
            from: carrier.into(),
            out: PortRef::new(n as u32),
            to: tier.into(),
            event: None,
            clock_rate: 8000,
            region: None,
            source: Traffic::ssrc(n),
            shift: FlowShift { ssrc: Traffic::ssrc(n), sequence: 0, timestamp: 0 },
            oldest: 0,
            state: FlowState::default(),
        };
        let id = tables.install(&flow, ours, out, hop, slot, false).map_err(io::Error::other)?;
        tables.set_alternate(&id, SlotChoice::First, carrier.into(), at(OTHER_TIER, n).into(), hop, 0);
        roster.put(&flow, id);
        let SocketAddr::V4(to) = ours else { continue };
        lanes.push(Lane { link: 0, from: carrier, to, expected: tier });
    }
    traffic.lay(0, &lanes)?;
    let time = Duration::from_millis(1200);
    let plan = Plan {
        first: 0,
        step: 1,
        end: FLOWS,
        rate: Some(RATE),
        burst: 1,
        batch: 16,
        stamped: false,
        inline: false,
        time,
    };
    let flight = traffic.begin(&site, &plan)?;
    std::thread::sleep(time / 3);
    // On the core where the engine's worker is: it reads them, and it would switch them.
    let worked: io::Result<(Vec<f64>, u64)> = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            pin(&[DEVICE_CORE])?;
            let reading = |_| {
                std::thread::sleep(Duration::from_micros(500));
                let begun = now_ns();
                std::hint::black_box(roster.totals(&tables));
                (now_ns() - begun) as f64 / 1e3
            };
            let readings = (0..READINGS).map(reading).collect();
            std::thread::sleep(Duration::from_millis(20));
            let switched = now_ns();
            tables.switch(slot, SlotChoice::First);
            Ok((readings, switched))
        });
        worker.join().unwrap_or_else(|_| Err(io::Error::other("the worker panicked")))
    });
    let (readings, switched) = worked?;
    let counters_us = median(readings);
    let tally = traffic.end(flight)?;
    let last = traffic.last_at(TIER)?;
    if traffic.last_at(OTHER_TIER)? <= switched {
        return Err(io::Error::other("nothing came to the new place"));
    }
    let switched_us = last.saturating_sub(switched) as f64 / 1e3;
    Ok(Region { switched_us, lost: tally.sent.saturating_sub(tally.received), counters_us })
}

/// What it takes when signalling moves one call after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moves {
    /// Flows to the tier that were moved.
    pub(super) calls: usize,
    /// From the first command to the last packet at the old place, in milliseconds.
    pub(super) ms: f64,
    pub(super) lost: u64,
}

/// Every call of a stand is retargeted to another place while the carrier speaks.
pub(super) fn by_command(stand: &mut Stand) -> io::Result<Moves> {
    let calls = stand.calls;
    let mut plan = stand.one_way(calls, Some(calls as f64 * 50.0));
    (plan.burst, plan.batch, plan.time) = (1, 16, Duration::from_millis(1500));
    let flight = stand.traffic.begin(&stand.site, &plan)?;
    std::thread::sleep(plan.time / 3);
    let Running::Ours { relay, .. } = &mut stand.running else {
        return Err(io::Error::other("no engine of ours"));
    };
    let begun = now_ns();
    for n in 0..calls {
        let (session, to) = (SessionId::new(0, n as u64), Some(other_peer(n)));
        command(relay, RelayCommand::Retarget { session, leg: Leg::B, region: RegionId(2), to })?;
    }
    while !relay.flush() {
        std::thread::yield_now();
    }
    let tally = stand.traffic.end(flight)?;
    let ms = stand.traffic.last_at(TIER)?.saturating_sub(begun) as f64 / 1e6;
    Ok(Moves { calls, ms, lost: tally.sent.saturating_sub(tally.received) })
}
