//! libFuzzer on [`bascule_fuzz::stream`]; the crate's documentation gives the command.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bascule_fuzz::stream(data));
