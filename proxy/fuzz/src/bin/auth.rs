//! libFuzzer on [`bascule_fuzz::auth`]; the crate's documentation gives the command.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bascule_fuzz::auth(data));
