//! libFuzzer on [`bascule_fuzz::media`]; the crate's documentation gives the command.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bascule_fuzz::media(data));
