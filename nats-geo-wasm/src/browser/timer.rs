//! One timer, and microtasks. `setTimeout` is a function of pages and workers alike.

use std::cell::Cell;

use nats_geo::core::Time;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

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
}

impl Timer {
    pub(super) fn new(handler: impl Fn() + 'static) -> Self {
        Self { handler: Closure::new(handler), id: Cell::new(None), due: Cell::new(None) }
    }

    /// Fires at `due`. What was set before does not hold any more.
    pub(super) fn set(&self, due: Time, now: Time) {
        if self.due.get() == Some(due) && due > now {
            return;
        }
        self.cancel();
        // Rounded up: a timer that is early would have to be set again.
        let ms = (due.since(now).as_secs_f64() * 1e3).ceil().min(MS_MAX);
        self.due.set(Some(due));
        self.id.set(Some(set_timeout(self.handler.as_ref().unchecked_ref(), ms)));
    }

    pub(super) fn cancel(&self) {
        self.due.set(None);
        if let Some(id) = self.id.take() {
            clear_timeout(&id);
        }
    }
}

/// `setTimeout` takes no more than 31 bits: it would fire at once.
const MS_MAX: f64 = 2_147_483_647.0;

/// Runs `task` before the browser turns to anything else.
pub(super) fn microtask(task: impl FnOnce() + 'static) {
    queue_microtask(Closure::once_into_js(task).unchecked_ref());
}
