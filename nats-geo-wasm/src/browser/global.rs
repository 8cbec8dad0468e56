//! The functions that pages, workers and service workers have in common. Only pages have a `window`.

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(bytes: &mut [u8]);
}

/// Bytes that cannot be guessed.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    get_random_values(&mut bytes);
    bytes
}

/// Returns whether the page, or that of the worker, came over https.
pub(crate) fn is_secure_page() -> bool {
    property(&["location", "protocol"]).as_string().as_deref() == Some("https:")
}

/// Returns whether the browser has a network, if it says so.
pub(super) fn is_online() -> Option<bool> {
    property(&["navigator", "onLine"]).as_bool()
}

fn property(path: &[&str]) -> JsValue {
    let global = JsValue::from(js_sys::global());
    path.iter().fold(global, |object, name| {
        Reflect::get(&object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
    })
}
