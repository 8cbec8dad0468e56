//! libFuzzer's program for `decode`.
#![no_main]

use nats_geo_fuzz::DECODE;

libfuzzer_sys::fuzz_target!(|data: &[u8]| DECODE.play_and_count(data));
