//! libFuzzer on [`bascule_fuzz::identity`]; the crate's documentation gives the command.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bascule_fuzz::identity(data));
