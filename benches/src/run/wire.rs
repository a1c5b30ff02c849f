//! One hop of an INVITE through `sip-wire` and through rsip, in turns, on one core; and the cores' own steps.

use super::Options;
use crate::device::sibling;
use crate::micro::{relay, shard, wire};
use crate::report::{median, ratio, result, round};
use bytes::Bytes;
use serde_json::{Value, json};
use std::hint::black_box;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

/// One turn of one contestant.
const TURN: Duration = Duration::from_millis(20);

/// Run the bench.
///
/// # Errors
///
/// When the counting program cannot be run.
pub fn run(options: &Options) -> io::Result<Value> {
    let turns = if options.quick { 40 } else { 250 };
    let bytes = Bytes::from_static(wire::INVITE.as_bytes());
    let target = wire::target();
    let (mut calls, mut packets) = (shard::Calls::default(), relay::Packets::new(1_000));
    let (mut ours, mut theirs, mut call, mut packet) = (vec![], vec![], vec![], vec![]);
    eprintln!("wire: {turns} turns");
    for _ in 0..turns {
        ours.push(turn(|| drop(black_box(wire::sip_wire(black_box(&bytes))))));
        theirs.push(turn(|| drop(black_box(wire::rsip(black_box(&bytes), &target)))));
        packet.push(turn(|| packets.step()));
        let (before, mut n) = (calls.spent(), 0_u32);
        let began = Instant::now();
        while began.elapsed() < TURN {
            calls.step();
            n += 1;
        }
        call.push((calls.spent() - before).as_nanos() as f64 / f64::from(n));
    }
    let counted = Command::new(sibling("bascule-allocs")).output()?;
    let allocs: Value = serde_json::from_slice(&counted.stdout).map_err(io::Error::other)?;
    let spread = |v: &[f64]| {
        let least = v.iter().copied().fold(f64::INFINITY, f64::min);
        let most = v.iter().copied().fold(0.0, f64::max);
        json!({ "least": round(least, 1), "most": round(most, 1) })
    };
    let (our_spread, their_spread) = (spread(&ours), spread(&theirs));
    let (ours, theirs) = (median(ours), median(theirs));
    let devices = vec![
        json!({
            "name": "bascule", "note": "sip-wire", "hop_ns": round(ours, 1), "hop_allocs": allocs["sip_wire_hop"],
            "hop_ns_spread": our_spread, "message_bytes": bytes.len(),
            "shard_call_ns": round(median(call), 1), "shard_call_allocs_with_both_ends": allocs["shard_call_with_both_ends"],
            "relay_packet_ns": round(median(packet), 1), "relay_packet_allocs": allocs["relay_packet"],
        }),
        json!({
            "name": "rsip", "note": "rsip 0.4", "hop_ns": round(theirs, 1), "hop_allocs": allocs["rsip_hop"],
            "hop_ns_spread": their_spread, "message_bytes": bytes.len(),
        }),
    ];
    Ok(result("wire", options.quick, devices, json!({ "hop_rsip_vs_bascule": ratio(theirs, ours) })))
}

/// Nanoseconds for one step, over one turn.
fn turn(mut step: impl FnMut()) -> f64 {
    let (began, mut n) = (Instant::now(), 0_u32);
    while began.elapsed() < TURN {
        for _ in 0..16 {
            step();
        }
        n += 16;
    }
    began.elapsed().as_nanos() as f64 / f64::from(n)
}
