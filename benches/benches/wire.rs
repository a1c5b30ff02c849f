//! One hop of a 1,036-byte INVITE: `sip-wire` beside rsip.

use bascule_benches::micro::wire;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use sip_wire::{Message, peek};
use std::hint::black_box;

fn hop(c: &mut Criterion) {
    let bytes = Bytes::from_static(wire::INVITE.as_bytes());
    let target = wire::target();
    c.bench_function("wire/hop sip-wire", |b| b.iter(|| wire::sip_wire(black_box(&bytes))));
    c.bench_function("wire/hop rsip", |b| b.iter(|| wire::rsip(black_box(&bytes), &target)));
    c.bench_function("wire/parse", |b| b.iter(|| Message::parse(black_box(bytes.clone()))));
    c.bench_function("wire/peek", |b| b.iter(|| peek(black_box(&bytes)).is_some()));
}

criterion_group!(benches, hop);
criterion_main!(benches);
