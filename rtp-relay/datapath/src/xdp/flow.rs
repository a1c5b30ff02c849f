//! A flow of the core as an entry of the table, and back.

use super::layout::{FlowEntry, LossesEntry, NO_EVENT, RATES, RouteEntry, StateEntry};
use relay_core::{Flow, FlowBeat, FlowState, Losses};
use relay_values::Time;

/// The clock rates that flows may have, in Hz: those of RFC 3551 §6, and Opus's (RFC 7587 §4.1).
const CLOCK_RATES: [u32; RATES] = [8000, 16_000, 48_000, 32_000, 11_025, 22_050, 44_100, 90_000];

/// Units in 2³⁶ ns of every clock. 8,000 Hz are 549,756: a millionth off at most.
pub(super) fn rates() -> [u64; RATES] {
    CLOCK_RATES.map(|hz| ((u128::from(hz) << 36) / 1_000_000_000) as u64)
}

/// Time of the core and time of the kernel: both count nanoseconds of CLOCK_MONOTONIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(pub(super) u64);

impl Epoch {
    fn kernels(self, time: Time) -> u64 {
        time.as_nanos().saturating_add(self.0)
    }

    fn ours(self, ns: u64) -> Time {
        Time::from_nanos(ns.saturating_sub(self.0))
    }
}

/// What the flow does not say of its entry.
pub(super) struct Placed {
    /// The place of the address from which it goes on.
    pub(super) local: u8,
    pub(super) our_port: u16,
    pub(super) next_hop: u16,
    pub(super) slot: u8,
    pub(super) generation: u16,
}

/// The entry; `None` for a clock rate that the program does not know.
pub(super) fn entry(flow: &Flow, placed: &Placed, epoch: Epoch) -> Option<FlowEntry> {
    let clock = CLOCK_RATES.iter().position(|hz| *hz == flow.clock_rate)?;
    let FlowState { newest, newest_timestamp, last_timestamp, jitter, beat, .. } = flow.state;
    Some(FlowEntry {
        route: RouteEntry::new(flow.from, flow.to, placed.next_hop, placed.generation),
        source: flow.source,
        ssrc: flow.shift.ssrc,
        timestamp_shift: flow.shift.timestamp,
        oldest: flow.oldest,
        sequence_shift: flow.shift.sequence,
        our_port: placed.our_port.to_be_bytes(),
        local: placed.local,
        slot: placed.slot,
        clock: clock as u8,
        event: flow.event.unwrap_or(NO_EVENT),
        state: StateEntry {
            packets: 0,
            bytes: 0,
            last_seen: epoch.kernels(flow.state.last),
            newest_at: epoch.kernels(flow.state.newest_at),
            newest,
            newest_timestamp,
            last_timestamp,
            jitter,
            beat_timestamp: beat.timestamp,
            step: beat.step,
            extra: 0,
            steady: beat.steady,
            payload_type: flow.state.payload_type,
            spare: [0; 2],
        },
        losses: shown(&flow.state.losses),
    })
}

/// What the program has written, but for what was odd.
pub(super) fn state(entry: &StateEntry, epoch: Epoch) -> FlowState {
    FlowState {
        packets: entry.packets,
        bytes: entry.bytes,
        extra: entry.extra.into(),
        last: epoch.ours(entry.last_seen),
        newest: entry.newest,
        newest_timestamp: entry.newest_timestamp,
        newest_at: epoch.ours(entry.newest_at),
        last_timestamp: entry.last_timestamp,
        jitter: entry.jitter,
        payload_type: entry.payload_type,
        beat: FlowBeat { timestamp: entry.beat_timestamp, step: entry.step, steady: entry.steady },
        losses: Losses::default(),
    }
}

fn shown(losses: &Losses) -> LossesEntry {
    let Losses {
        missing,
        at,
        duplicates,
        reordered,
        first,
        last,
        lost,
        run,
        bursts,
        packets,
        burst_lost,
        longest,
        longest_loss,
    } = *losses;
    LossesEntry {
        missing,
        at,
        duplicates,
        reordered,
        first,
        last,
        lost,
        run,
        bursts,
        packets,
        burst_lost,
        longest,
        longest_loss,
        spare: [0; 2],
    }
}

/// What the program found odd.
pub(super) fn losses(entry: &LossesEntry) -> Losses {
    let LossesEntry {
        missing,
        at,
        duplicates,
        reordered,
        first,
        last,
        lost,
        run,
        bursts,
        packets,
        burst_lost,
        longest,
        longest_loss,
        spare: _,
    } = *entry;
    Losses {
        missing,
        at,
        duplicates,
        reordered,
        first,
        last,
        lost,
        run,
        bursts,
        packets,
        burst_lost,
        longest,
        longest_loss,
    }
}
