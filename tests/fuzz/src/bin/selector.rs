//! libFuzzer's program for `selector`.
#![no_main]

use nats_geo_fuzz::SELECTOR;

libfuzzer_sys::fuzz_target!(|data: &[u8]| SELECTOR.play_and_count(data));
