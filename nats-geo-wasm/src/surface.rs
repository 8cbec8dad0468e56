//! The API for JavaScript: the class `Engine`. The types in `js/` have the same names. This module makes no decisions.

use std::time::Duration;

use js_sys::{JSON, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::browser::{Driver, JsSink, Sink, is_secure_page, parsed, random_bytes};
use crate::engine::{Credentials, Engine, Options, Refusal, SocketId};

/// A NATS client. It reports messages and events to its sink.
#[wasm_bindgen(js_name = Engine)]
pub struct JsEngine(Driver);

impl std::fmt::Debug for JsEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

#[wasm_bindgen(js_class = Engine)]
impl JsEngine {
    /// Creates a client. It does nothing before `connect`.
    ///
    /// # Errors
    /// An option is not valid.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &JsValue, sink: JsSink) -> Result<Self, JsValue> {
        let json = JSON::stringify(options).map(String::from)?;
        let [client, inbox @ ..] = [(); 3].map(|()| u64::from_le_bytes(random_bytes()));
        let mut options = Options::from_json(&json, client, inbox).map_err(|refusal| thrown(&refusal))?;
        options.is_secure_page = is_secure_page();
        Driver::new(|now| Engine::new(options, now), Sink(sink)).map(Self).map_err(|refusal| thrown(&refusal))
    }

    /// Connects. `opened` or `closed` of the sink reports the result.
    pub fn connect(&self) {
        self.0.command(Engine::connect);
    }

    /// Publishes a message.
    ///
    /// # Errors
    /// The client does not accept the message: see `Engine::publish` of the Rust side.
    pub fn publish(
        &self,
        subject: &str,
        reply: Option<String>,
        headers: Option<Vec<u8>>,
        payload: &[u8],
    ) -> Result<(), JsValue> {
        let result = self.0.publish(|engine, now| {
            engine.publish(subject, reply.as_deref(), headers.as_deref(), payload, now)
        });
        result.map_err(|refusal| thrown(&refusal))
    }

    /// Subscribes to a subject.
    ///
    /// # Errors
    /// The client does not accept the subscription: see `Engine::subscribe` of the Rust side.
    pub fn subscribe(
        &self,
        sid: u32,
        subject: &str,
        queue: Option<String>,
        max: Option<u32>,
    ) -> Result<(), JsValue> {
        let result = self
            .0
            .command(|engine, now| engine.subscribe(sid, subject, queue.as_deref(), max.map(u64::from), now));
        result.map_err(|refusal| thrown(&refusal))
    }

    /// Ends a subscription, now or after `max` messages, counted from its start.
    pub fn unsubscribe(&self, sid: u32, max: Option<u32>) {
        self.0.command(|engine, now| engine.unsubscribe(sid, max.map(u64::from), now));
    }

    /// Drains a subscription: completes `op` when no more messages can arrive.
    #[wasm_bindgen(js_name = drainSubscription)]
    pub fn drain_subscription(&self, sid: u32, op: u32) {
        self.0.command(|engine, now| engine.drain_subscription(sid, op, now));
    }

    /// Sends a request.
    ///
    /// # Errors
    /// The client does not accept the request: see `Engine::request` of the Rust side.
    pub fn request(
        &self,
        op: u32,
        subject: &str,
        headers: Option<Vec<u8>>,
        payload: &[u8],
        timeout_ms: f64,
    ) -> Result<(), JsValue> {
        // Saturates, and makes zero of what is no number.
        let limit = Duration::from_micros((timeout_ms * 1e3) as u64);
        let result = self
            .0
            .command(|engine, now| engine.request(op, subject, headers.as_deref(), payload, limit, now));
        result.map_err(|refusal| thrown(&refusal))
    }

    /// Cancels a request, because the application no longer waits for its answer.
    #[wasm_bindgen(js_name = cancelRequest)]
    pub fn cancel_request(&self, op: u32) {
        self.0.command(|engine, now| engine.cancel_request(op, now));
    }

    /// Completes `op` when the servers have received all earlier publishes.
    pub fn flush(&self, op: u32) {
        self.0.command(|engine, now| engine.flush(op, now));
    }

    /// Measures a round trip, and completes `op` with its milliseconds.
    pub fn rtt(&self, op: u32) {
        self.0.command(|engine, now| engine.rtt(op, now));
    }

    /// Drains the client: see `Engine::drain` of the Rust side.
    pub fn drain(&self, op: u32) {
        self.0.command(|engine, now| engine.drain(op, now));
    }

    /// Reports an event that a page sees, but a service worker does not: `online`, `offline`, `visible`, `hidden` or
    /// `resumed`.
    pub fn hint(&self, kind: &str) {
        self.0.look_around(matches!(kind, "online" | "visible" | "resumed"));
    }

    /// Returns credentials to the engine, as the answer to `authenticate` of the sink.
    pub fn authenticated(&self, conn: u32, credentials: &JsValue, error: Option<String>) {
        let result = error.map_or_else(|| Ok(read_credentials(credentials)), Err);
        self.0.command(|engine, now| engine.authenticated(SocketId(conn), result, now));
    }

    /// Replaces the list of servers.
    ///
    /// # Errors
    /// A server is not valid.
    #[wasm_bindgen(js_name = setServers)]
    pub fn set_servers(&self, servers: Vec<String>) -> Result<(), JsValue> {
        self.0.command(|engine, now| engine.set_servers(&servers, now)).map_err(|refusal| thrown(&refusal))
    }

    /// Chooses the server again. The live link works until the client has moved to a nearer server.
    pub fn reconnect(&self) {
        self.0.command(Engine::reconnect);
    }

    /// Returns the counters since the start.
    pub fn stats(&self) -> JsValue {
        self.0.look(|engine, _| parsed(&engine.stats()))
    }

    /// Returns the ranking, with the reason for each rank.
    pub fn snapshot(&self) -> JsValue {
        self.0.look(|engine, now| parsed(&engine.snapshot(now)))
    }

    /// Returns the INFO of the server of the live link.
    pub fn info(&self) -> JsValue {
        self.0.look(|engine, _| engine.info_json().map_or(JsValue::UNDEFINED, |json| parsed(&json)))
    }

    /// Returns the distances that this client has measured, for `options.memory` of the next client of this browser.
    pub fn memory(&self) -> JsValue {
        self.0.look(|engine, _| parsed(&engine.memory()))
    }

    /// Closes the client at once.
    pub fn close(&self) {
        self.0.command(Engine::close);
    }
}

/// An `Error` with a `code`.
fn thrown(refusal: &Refusal) -> JsValue {
    let error = JsValue::from(js_sys::Error::new(&refusal.text));
    // An object that was just made takes a property.
    let _ = Reflect::set(&error, &JsValue::from_str("code"), &JsValue::from(refusal.code.number()));
    error
}

fn read_credentials(object: &JsValue) -> Credentials {
    let read = |name: &str| Reflect::get(object, &JsValue::from_str(name)).ok()?.as_string();
    Credentials {
        user: read("user"),
        pass: read("pass"),
        auth_token: read("auth_token"),
        jwt: read("jwt"),
        nkey: read("nkey"),
        sig: read("sig"),
    }
}
