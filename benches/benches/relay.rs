//! `Relay::packet`: one packet in turn of 10 and of 4,000 sessions; and what a region's death costs.

use bascule_benches::micro::kernel::Kernel;
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

/// What it costs to look at 10,000 flows in the kernel's tables: in this memory, mapped.
fn kernel(c: &mut Criterion) {
    let mut kernel = match Kernel::new(5_000) {
        Ok(kernel) => kernel,
        Err(why) => return eprintln!("not run: {why}"),
    };
    let flows = kernel.flows();
    c.bench_function(&format!("relay/counters of {flows} kernel flows"), |b| b.iter(|| kernel.read()));
    // 5 ms of a packet each 20 ms: a quarter of them has news at a tick. To make it takes a thousand times as long.
    let mut group = c.benchmark_group("relay");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(10));
    for (name, share) in [("none", 0), ("a quarter", 4), ("all", 1)] {
        let speak = (flows / 2).checked_div(share).unwrap_or(0);
        group.bench_function(format!("tick over {} kernel flows of a tier, {name} heard", flows / 2), |b| {
            b.iter_custom(|times| {
                (0..times).fold(Duration::ZERO, |sum, _| {
                    kernel.speak(speak);
                    let start = Instant::now();
                    kernel.tell();
                    sum + start.elapsed()
                })
            });
        });
    }
    assert!(kernel.read() > 0, "the program has forwarded what it was given");
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

criterion_group!(benches, packet, tick, retarget, fill, kernel);
criterion_main!(benches);
