//! `bascule-allocs`: allocations of each micro bench's step, as JSON. A program of its own, because counting costs time
//! that must not stand in the timed runs.
#![forbid(unsafe_code)]

use bascule_benches::micro::{relay, shard, wire};
use bytes::Bytes;
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::io::{self, Write};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Steps that are counted, after as many that warm tables up.
const STEPS: usize = 2_000;

fn main() -> io::Result<()> {
    let bytes = Bytes::from_static(wire::INVITE.as_bytes());
    let target = wire::target();
    let (mut packets, mut calls) = (relay::Packets::new(100), shard::Calls::default());
    let counts = json!({
        "sip_wire_hop": each(|| drop(wire::sip_wire(&bytes))),
        "rsip_hop": each(|| drop(wire::rsip(&bytes, &target))),
        "relay_packet": each(|| packets.step()),
        "shard_call_with_both_ends": each(|| { calls.step(); }),
    });
    writeln!(io::stdout(), "{counts}")
}

/// Allocations and reallocations of one step.
fn each(mut step: impl FnMut()) -> f64 {
    for _ in 0..STEPS {
        step();
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..STEPS {
        step();
    }
    let change = region.change();
    (change.allocations + change.reallocations) as f64 / STEPS as f64
}
