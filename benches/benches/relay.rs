//! `Relay::packet`: one packet in turn of 10 and of 4,000 sessions.

use bascule_benches::micro::relay::Packets;
use criterion::{Criterion, criterion_group, criterion_main};

fn packet(c: &mut Criterion) {
    for sessions in [10, 4_000] {
        let mut packets = Packets::new(sessions);
        c.bench_function(&format!("relay/packet of {sessions} sessions"), |b| b.iter(|| packets.step()));
    }
}

criterion_group!(benches, packet);
criterion_main!(benches);
