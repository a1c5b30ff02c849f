//! libFuzzer on [`bascule_fuzz::rtcp`]; the crate's documentation gives the command.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bascule_fuzz::rtcp(data));
