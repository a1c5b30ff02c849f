//! `bascule-call N`: so many plain calls through a shard in memory, for a program that counts instructions
//! (`cargo xtask instructions`).
#![forbid(unsafe_code)]

use bascule_benches::micro::shard::Calls;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(calls) = std::env::args().nth(1).and_then(|n| n.parse::<u32>().ok()) else {
        eprintln!("bascule-call: how many calls? Type: bascule-call 1000");
        return ExitCode::FAILURE;
    };
    let mut shard = Calls::default();
    for _ in 0..calls {
        shard.step();
    }
    ExitCode::SUCCESS
}
