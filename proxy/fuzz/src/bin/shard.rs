//! libFuzzer on [`bascule_fuzz::shard`]; the crate's documentation gives the command.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bascule_fuzz::shard(data));
