//! What the micro benches do, once per call: the same code is timed by criterion, timed beside its peer by
//! `bascule-bench wire`, and counted by `bascule-allocs`.

pub mod identity;
pub mod kernel;
pub mod relay;
pub mod shard;
pub mod wire;
