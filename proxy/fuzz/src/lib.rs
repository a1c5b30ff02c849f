//! Fuzz targets: each is a plain function over bytes that panics when a promise of `sip-wire`,
//! of `relay-core` or of a shard of `proxy-core` is broken.
//!
//! The same functions run in three places: under libFuzzer (the binaries of this crate), over the seeds in `corpus/` in
//! a plain test, and wherever else bytes come from. libFuzzer runs on the stable toolchain with these flags; N seconds
//! of one target, from the workspace's root:
//!
//! ```sh
//! RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1" \
//! cargo run --release -p bascule-fuzz --features fuzzing --target x86_64-unknown-linux-gnu --target-dir target/fuzz \
//!   --bin message -- -max_total_time=N -max_len=4096 -rss_limit_mb=1024 -timeout=5 -artifact_prefix=target/fuzz/ \
//!   target/fuzz/corpus/message proxy/fuzz/corpus/message
//! ```
//!
//! Targets: `message`, `stream`, `uri`, `address`, `auth`, `identity`, `sdp`, `media`, `rtcp`, `shard`. libFuzzer writes what it finds new into the first folder (make it before),
//! reads the second too, and exits with a status other than 0 when an input breaks a promise; that input is then left
//! in `target/fuzz/`. The explicit `--target` keeps the flags away from build scripts, the target folder of its own
//! keeps them from rebuilding the workspace.
#![forbid(unsafe_code)]

mod address;
mod auth;
mod identity;
mod message;
mod relay;
mod sdp;
mod shard;
mod stream;
mod uri;

pub use address::address;
pub use auth::auth;
pub use identity::identity;
pub use message::message;
pub use relay::{media, rtcp};
pub use sdp::sdp;
pub use shard::shard;
pub use stream::stream;
pub use uri::uri;
