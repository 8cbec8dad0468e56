//! libFuzzer's program for `scenario`.
#![no_main]

use nats_geo_fuzz::SCENARIO;

libfuzzer_sys::fuzz_target!(|data: &[u8]| SCENARIO.play_and_count(data));
