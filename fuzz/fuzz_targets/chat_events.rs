#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (&settings, script) = bytes.split_first().unwrap_or((&0, &[]));
    clawless_fuzz::chat::check_writer(settings, &clawless_fuzz::responses::events_of(script));
});
