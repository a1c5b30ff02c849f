//! libFuzzer on [`bascule_fuzz::address`]; the crate's documentation gives the command.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bascule_fuzz::address(data));
