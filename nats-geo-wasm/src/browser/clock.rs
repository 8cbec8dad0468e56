//! The clocks of the browser. Only this module reads them.

use std::cell::Cell;
use std::time::Duration;

use nats_geo::core::Time;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn date_now() -> f64;
}

/// A clock that does not go back, and one that does not stand still while the host sleeps.
#[derive(Debug)]
pub(super) struct Clock {
    start: f64,
    /// How far the second was ahead of the first.
    ahead: Cell<f64>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { start: performance_now(), ahead: Cell::new(date_now() - performance_now()) }
    }

    pub(super) fn now(&self) -> Time {
        Time::from_start(millis(performance_now() - self.start))
    }

    /// Returns whether the host has slept since this was asked last: its first clock then stood still in some browsers.
    pub(super) fn has_jumped(&self, now: Time) -> bool {
        let ahead = date_now() - self.start - now.since_start().as_secs_f64() * 1e3;
        ahead - self.ahead.replace(ahead) > JUMP_MS
    }
}

/// Clocks are set by less than this, and who sleeps for less is not missed.
const JUMP_MS: f64 = 2_000.0;

fn millis(ms: f64) -> Duration {
    // Saturates, and makes zero of what is no number.
    Duration::from_micros((ms * 1e3) as u64)
}
