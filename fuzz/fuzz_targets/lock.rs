#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| taper_fuzz::lock::run(input));
