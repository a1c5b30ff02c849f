//! `bascule demo` from its library side: the real appliance, real sockets, a region that dies under load.
//!
//! Counts are asserted, never milliseconds: how long a call waited says more of the machine than of us.

use bascule::demo::{Args, Broken, How, Outcome, View, run};
use proxy_core::MoveOutcome;
use sip_tap::{Ours, Tap, Timing};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Long enough for calls before, during and after; the suite waits for it.
const SECONDS: u64 = 8;

/// Calls that are up in the region at least when it dies: far fewer than there should be.
const LEAST_LIVE: usize = 8;

/// One demo at a time, since a tap that begins in the midst of another's calls hears answers to what it has not heard.
static ALONE: Mutex<()> = Mutex::new(());

/// Where a demo puts its appliance: at the first address of a network that is free, ports 5060 and 5070, or 20,000 above. The tap is
/// judged first.
fn tap() -> (Tap, MutexGuard<'static, ()>) {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let is_ours =
        |at: SocketAddr| matches!(at.ip(), IpAddr::V4(ip) if matches!(ip.octets(), [127, 16..=250, 0, 1]));
    (Tap::on(Ours::matching([5060, 5070, 25_060, 25_070], is_ours), Timing::rfc()), alone)
}

fn play(how: How) -> Outcome {
    let _tap = tap();
    let args = Args { seconds: SECONDS, how, json: true };
    run(&args, &mut View::lines(Box::new(std::io::stderr())), &Arc::default()).unwrap()
}

fn holds_whatever_the_machine_does(outcome: &Outcome) {
    let Outcome { closing, broken } = outcome;
    let broken: Vec<_> = broken.iter().filter(|b| !matches!(b, Broken::TooSlow(_))).collect();
    assert!(broken.is_empty(), "{broken:?} in {closing:#?}");
    let table = &closing.table;
    assert_eq!(table.calls_failed, 0);
    assert_eq!(table.calls_answered, table.calls_placed);
    assert!(table.placed_during_outage > 0 && table.placed_during_outage < table.calls_placed, "{table:?}");
    assert!(table.region_down_ms.is_some());
    // Answered calls there outlive it, and the carrier learns nothing of it.
    assert_eq!(table.calls_dropped, 0);
    assert!(table.live_at_kill >= LEAST_LIVE && closing.were_ringing > 0, "{closing:#?}");
    assert_eq!(table.live_kept, table.live_at_kill, "{closing:#?}");
    assert_eq!((table.carrier_sip_during_move, table.carrier_seq_breaks), (0, 0), "{closing:#?}");
    assert!(closing.gaps_media_ms.len() >= LEAST_LIVE, "callers have heard both regions: {closing:#?}");
    assert_eq!(closing.gaps_media_ms.len(), closing.gaps_conversation_ms.len());
    assert!(table.gap_media_ms.is_some() && table.gap_conversation_ms.is_some());
    // Every one of these has its receipt; further calls moved that were on their way when it happened.
    let moved = closing.receipts.iter().filter(|receipt| receipt.outcome == MoveOutcome::Moved);
    assert!(moved.count() >= closing.gaps_media_ms.len(), "{closing:#?}");
    assert!(closing.spoke > 0);
    assert_eq!(closing.heard_each_other, closing.spoke);
}

#[test]
fn a_region_freezes_and_every_call_is_answered_in_the_other() {
    let outcome = play(How::Freeze);
    holds_whatever_the_machine_does(&outcome);
    let json = serde_json::to_value(&outcome.closing.table).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "calls_answered",
            "calls_dropped",
            "calls_failed",
            "calls_placed",
            "carrier_seq_breaks",
            "carrier_sip_during_move",
            "extra_pdd_ms",
            "gap_conversation_ms",
            "gap_media_ms",
            "live_at_kill",
            "live_kept",
            "placed_during_outage",
            "region_down_ms"
        ]
    );
    for times in ["extra_pdd_ms", "gap_media_ms", "gap_conversation_ms"] {
        let keys: Vec<_> = json[times].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["max", "p50", "p99"], "{times}");
    }
}

#[test]
fn a_region_is_killed_and_every_call_is_answered_in_the_other() {
    holds_whatever_the_machine_does(&play(How::Kill));
}

#[test]
fn an_interrupted_demo_says_so_and_ends() {
    let _tap = tap();
    let stop = Arc::new(AtomicBool::new(false));
    let later = Arc::clone(&stop);
    let hand = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(1));
        later.store(true, Ordering::Relaxed);
    });
    let args = Args { seconds: 60, how: How::Freeze, json: true };
    let outcome = run(&args, &mut View::lines(Box::new(std::io::sink())), &stop).unwrap();
    hand.join().unwrap();
    assert!(outcome.broken.contains(&Broken::Interrupted), "{:?}", outcome.broken);
}
