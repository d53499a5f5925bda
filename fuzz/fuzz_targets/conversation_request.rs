#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| clawless_fuzz::chat::check_settings(bytes));
