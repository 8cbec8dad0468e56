//! One timer, and microtasks. Pages and workers both have `setTimeout`.

use std::cell::Cell;
use std::time::Duration;

use nats_geo::core::Time;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

use super::clock::Clock;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(handler: &js_sys::Function, ms: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(id: &JsValue);
    #[wasm_bindgen(js_name = queueMicrotask)]
    fn queue_microtask(handler: &js_sys::Function);
}

/// A timer that calls the same function again and again, whenever it was set to.
pub(super) struct Timer {
    handler: Closure<dyn Fn()>,
    id: Cell<Option<JsValue>>,
    due: Cell<Option<Time>>,
    is_put_off: Cell<bool>,
}

impl Timer {
    pub(super) fn new(handler: impl Fn() + 'static) -> Self {
        Self {
            handler: Closure::new(handler),
            id: Cell::new(None),
            due: Cell::new(None),
            is_put_off: Cell::new(false),
        }
    }

    /// Fires at `due`. What was set before does not hold any more.
    pub(super) fn set(&self, due: Time, clock: &Clock) {
        // Also when it is late: a timer that is set anew goes behind everything that waits for its turn.
        if self.due.get() == Some(due) {
            return;
        }
        self.cancel();
        let now = clock.now();
        // Rounded up: a timer that is early would have to be set again.
        let ms = (due.since(now).as_secs_f64() * 1e3).ceil().min(MS_MAX);
        self.due.set(Some(due));
        self.id.set(Some(set_timeout(self.handler.as_ref().unchecked_ref(), ms)));
    }

    /// Returns whether to wait a moment longer, once: a timer that is late was held up by other work, and what came in meanwhile
    /// is behind it in the browser's queue. A PONG may be among it, so that goes first.
    pub(super) fn puts_off(&self, now: Time) -> bool {
        let is_late = self.due.get().is_some_and(|due| now.since(due) > LATE);
        if !is_late || self.is_put_off.replace(true) {
            self.is_put_off.set(false);
            // It has fired: what is due next sets it again.
            self.due.set(None);
            return false;
        }
        self.id.set(Some(set_timeout(self.handler.as_ref().unchecked_ref(), PUT_OFF_MS)));
        true
    }

    pub(super) fn cancel(&self) {
        self.due.set(None);
        if let Some(id) = self.id.take() {
            clear_timeout(&id);
        }
    }
}

/// Later than browsers are by themselves: they round to 1 ms, and nested timers wait for 4.
const LATE: Duration = Duration::from_millis(20);

/// Enough for what is in the queue to be taken in, and little beside the shortest suspicion of 250 ms.
const PUT_OFF_MS: f64 = 10.0;

/// `setTimeout` takes no more than 31 bits: it would fire at once.
const MS_MAX: f64 = 2_147_483_647.0;

/// Drops something behind the microtasks that are queued now.
pub(super) fn drop_later(thing: impl Sized + 'static) {
    queue_microtask(Closure::once_into_js(move || drop(thing)).unchecked_ref());
}

/// A function that can be run before the browser turns to anything else.
pub(super) struct Microtask(Closure<dyn Fn()>);

impl Microtask {
    pub(super) fn new(task: impl Fn() + 'static) -> Self {
        Self(Closure::new(task))
    }

    pub(super) fn queue(&self) {
        queue_microtask(self.0.as_ref().unchecked_ref());
    }
}
