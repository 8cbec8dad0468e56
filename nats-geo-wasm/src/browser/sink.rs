//! The JavaScript object that the driver calls with messages and events. An exception of this object must not interrupt
//! the driver, so this module reports it as an uncaught error of the page.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// `EngineSink` of the JavaScript side.
    #[wasm_bindgen(typescript_type = "EngineSink")]
    pub type JsSink;

    #[wasm_bindgen(method, catch)]
    fn opened(this: &JsSink) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn closed(this: &JsSink, code: u8, text: Option<String>) -> Result<(), JsValue>;
    /// The bytes are the engine's memory: they are copied before anything else is done.
    #[wasm_bindgen(method, catch)]
    fn deliver(this: &JsSink, frames: &[u8]) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn completed(
        this: &JsSink,
        op: u32,
        code: u8,
        text: Option<String>,
        value: Option<f64>,
    ) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn notice(this: &JsSink, notice: &JsValue) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn authenticate(this: &JsSink, conn: u32, nonce: Option<String>) -> Result<(), JsValue>;

    #[wasm_bindgen(catch, js_name = reportError)]
    fn report_error(error: &JsValue) -> Result<(), JsValue>;
}

/// Calls the user's sink.
pub(crate) struct Sink(pub(crate) JsSink);

impl Sink {
    pub(super) fn opened(&self) {
        report(self.0.opened());
    }

    pub(super) fn closed(&self, code: u8, text: Option<String>) {
        report(self.0.closed(code, text));
    }

    pub(super) fn deliver(&self, frames: &[u8]) {
        report(self.0.deliver(frames));
    }

    pub(super) fn completed(&self, op: u32, code: u8, text: Option<String>, value: Option<f64>) {
        report(self.0.completed(op, code, text, value));
    }

    pub(super) fn notice(&self, notice: &JsValue) {
        report(self.0.notice(notice));
    }

    pub(super) fn authenticate(&self, conn: u32, nonce: Option<String>) {
        report(self.0.authenticate(conn, nonce));
    }
}

fn report(result: Result<(), JsValue>) {
    if let Err(error) = result {
        // A browser without `reportError` has nowhere to report to.
        let _ = report_error(&error);
    }
}
