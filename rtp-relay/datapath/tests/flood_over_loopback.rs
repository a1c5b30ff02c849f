//! One port is flooded: what becomes of the others.

mod common;
use common::{Phone, call, config, engines, event, open, release, rtp, send, start};
use datapath::RelayHandle;
use relay_values::{DropReason, Open, RelayCommand, RelayEvent, SessionId};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Ends the flood, also when a test fails.
struct Ebb<'a>(&'a AtomicBool);

impl Drop for Ebb<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn opened(relay: &mut RelayHandle, call: Open) {
    let session = call.session;
    send(relay, RelayCommand::Open(call));
    loop {
        match event(relay) {
            RelayEvent::Opened { session: s, .. } if s == session => return,
            RelayEvent::Latched { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_flooded_call_holds_up_neither_other_calls_nor_what_signalling_asks() {
    for sockets in engines() {
        let (engine, mut relay) = start(&config(sockets, 21_800..=21_999));
        let phone = |ip| Phone::new(ip, "127.0.0.9");
        let [mut alice, mut bob, mut carol, mut dave] =
            ["127.0.0.2", "127.0.0.3", "127.0.0.5", "127.0.0.6"].map(phone);
        let id = |serial| SessionId::new(0, serial);
        let new_call = |serial| open(id(serial), "127.0.0.9", "127.0.0.9");
        call(&mut relay, new_call(1), &mut alice, &mut bob);
        call(&mut relay, new_call(2), &mut carol, &mut dave);
        // Commands are done in turn: after this one those before it are.
        opened(&mut relay, new_call(3));
        let (stop, flooded) = (AtomicBool::new(false), (alice.relay, alice.port));
        let sent = AtomicU64::new(0);
        std::thread::scope(|s| {
            s.spawn(|| {
                let mallory = UdpSocket::bind("127.0.0.4:0").unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let _ = mallory.send_to(&[0x80; 172], flooded);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
            let ebb = Ebb(&stop);
            for n in 1..=40 {
                // Forty rounds may be over before the other thread has its first turn.
                while sent.load(Ordering::Relaxed) < 20 * u64::from(n) {
                    std::thread::yield_now();
                }
                carol.say(&rtp(n));
                assert_eq!(Phone::hear(&dave.rtp).0, rtp(n), "{sockets:?}");
                opened(&mut relay, new_call(1000 + u64::from(n)));
            }
            drop(ebb);
        });
        let stats = release(&mut relay, id(2));
        assert_eq!((stats.from_a.forwarded, stats.from_a.lost), (40, 0), "{sockets:?}");
        let drops = release(&mut relay, id(1)).drops;
        assert!(drops.get(DropReason::Stranger) > 100, "{sockets:?}: the flood was a trickle");
        assert_eq!(engine.failure(), None);
    }
}
