//! A whole call through `Shard::handle`, the time of both ends left out.

use bascule_benches::micro::shard::Calls;
use criterion::{Criterion, criterion_group, criterion_main};

fn call(c: &mut Criterion) {
    let mut calls = Calls::default();
    c.bench_function("shard/call", |b| {
        b.iter_custom(|n| {
            let before = calls.spent();
            for _ in 0..n {
                calls.step();
            }
            calls.spent() - before
        });
    });
}

criterion_group!(benches, call);
criterion_main!(benches);
