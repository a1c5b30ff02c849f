//! An INVITE in, an INVITE out: without profiles, and through them.

use bascule_benches::micro::identity::{Invites, Scene};
use criterion::{Criterion, criterion_group, criterion_main};

fn identity(c: &mut Criterion) {
    let scenes = [
        ("identity/plain", Scene::Plain),
        ("identity/profiles", Scene::Profiles),
        ("identity/everything", Scene::Everything),
    ];
    for (name, scene) in scenes {
        let mut invites = Invites::new(scene);
        c.bench_function(name, |b| {
            b.iter_custom(|n| {
                let before = invites.spent();
                for _ in 0..n {
                    invites.step();
                }
                invites.spent() - before
            });
        });
    }
}

criterion_group!(benches, identity);
criterion_main!(benches);
