//! `Relay::packet`: one packet in turn of 10 and of 4,000 sessions; and what a region's death costs.

use bascule_benches::micro::relay::Packets;
use criterion::{Criterion, criterion_group, criterion_main};
use std::time::{Duration, Instant};

fn packet(c: &mut Criterion) {
    for sessions in [10, 4_000] {
        let mut packets = Packets::new(sessions);
        c.bench_function(&format!("relay/packet of {sessions} sessions"), |b| b.iter(|| packets.step()));
    }
}

/// One look of the silence detector at 2,000 regular flows; what they send meanwhile is not counted.
fn tick(c: &mut Criterion) {
    let mut packets = Packets::new(2_000);
    packets.pass(Duration::from_millis(500));
    c.bench_function("relay/tick over 2,000 flows", |b| {
        b.iter_custom(|times| {
            (0..times).fold(Duration::ZERO, |sum, _| {
                packets.pass(Duration::from_millis(5));
                let start = Instant::now();
                packets.tick();
                sum + start.elapsed()
            })
        });
    });
}

fn retarget(c: &mut Criterion) {
    let mut packets = Packets::new(1_000);
    packets.pass(Duration::from_millis(500));
    c.bench_function("relay/retarget 1,000 flows", |b| b.iter(|| packets.retarget()));
}

fn fill(c: &mut Criterion) {
    let mut packets = Packets::new(1_000);
    packets.pass(Duration::from_millis(500));
    packets.bridge();
    packets.fill();
    packets.fill();
    c.bench_function("relay/20 ms of fill for 1,000 flows", |b| {
        b.iter(|| assert_eq!(packets.fill(), 1_000));
    });
}

criterion_group!(benches, packet, tick, retarget, fill);
criterion_main!(benches);
