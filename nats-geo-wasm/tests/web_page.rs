//! The engine in a page.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

use wasm_bindgen_test::wasm_bindgen_test_configure;

#[path = "web/suite.rs"]
mod suite;

wasm_bindgen_test_configure!(run_in_browser);
