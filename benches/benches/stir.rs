//! What a signature costs: one call signed, one call verified, one certificate checked up to its authority.

#[path = "../../proxy/stir/tests/common/mod.rs"]
mod common;

use common::{Authority, NOW, ORIGID, URL, Wish};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use stir::{Attest, Case, Facts, Party, Signer, Trust};

fn signatures(c: &mut Criterion) {
    let root = Authority::root("Root");
    let issued = root.intermediate("Intermediate").issue(Wish::default());
    let trust = Trust::read(root.pem.as_bytes()).expect("a certificate");
    let credential = trust.check(issued.bundle.as_bytes(), NOW).expect("a chain");
    let signer = Signer::new(issued.key.as_bytes(), URL, ORIGID).expect("a key");
    let (orig, dest) = (Party::Number("4930111111".into()), Party::Number("442079460123".into()));
    let sign = || signer.shaken(black_box(&orig), black_box(&dest), Attest::A, NOW);
    c.bench_function("stir/sign", |b| b.iter(sign));
    let value = sign().expect("a signature");
    let (calling, called) = (["4930111111".to_owned()], ["442079460123".to_owned()]);
    let verify = || {
        let facts = Facts { calling: &calling, called: &called, date: None };
        let case = Case::read([black_box(value.as_bytes())].into_iter(), &facts)?;
        case.judge([&credential], NOW)
    };
    assert!(verify().is_ok());
    c.bench_function("stir/verify", |b| b.iter(verify));
    c.bench_function("stir/chain", |b| b.iter(|| trust.check(black_box(issued.bundle.as_bytes()), NOW)));
}

criterion_group!(benches, signatures);
criterion_main!(benches);
