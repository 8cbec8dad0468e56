//! One WebSocket. When the driver drops the socket, the socket closes and reports nothing more. So a socket that opens
//! after the engine has abandoned its dial causes no event.

use std::rc::Weak;

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

use super::Inner;
use crate::engine::{SocketEnd, SocketId};

/// A socket and who listens to it.
pub(super) struct Socket {
    socket: WebSocket,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_event: Closure<dyn Fn(Event)>,
}

impl Socket {
    pub(super) fn open(id: SocketId, url: &str, inner: &Weak<Inner>) -> Result<Self, String> {
        let socket = WebSocket::new(url).map_err(|error| {
            let text = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
            text.unwrap_or_else(|| "not a URL that a WebSocket can be opened to".into())
        })?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let (for_messages, for_events) = (inner.clone(), inner.clone());
        let on_message = Closure::new(move |event: MessageEvent| {
            if let Some(inner) = for_messages.upgrade() {
                received(id, &event, &inner);
            }
        });
        let on_event = Closure::new(move |event: Event| {
            if let Some(inner) = for_events.upgrade() {
                happened(id, &event, &inner);
            }
        });
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        let listener = Some(on_event.as_ref().unchecked_ref());
        socket.set_onopen(listener);
        socket.set_onclose(listener);
        socket.set_onerror(listener);
        Ok(Self { socket, _on_message: on_message, _on_event: on_event })
    }

    pub(super) fn buffered(&self) -> usize {
        self.socket.buffered_amount() as usize
    }

    pub(super) fn send(&self, bytes: &[u8]) {
        // It fails only while the socket is being opened, when nothing is sent.
        let _ = self.socket.send_with_u8_array(bytes);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onmessage(None);
        self.socket.set_onopen(None);
        self.socket.set_onclose(None);
        self.socket.set_onerror(None);
        // Without a code of its own, it cannot fail.
        let _ = self.socket.close();
    }
}

fn received(id: SocketId, event: &MessageEvent, inner: &Inner) {
    let data = event.data();
    let bytes = match data.dyn_ref::<ArrayBuffer>() {
        Some(buffer) => Uint8Array::new(buffer).to_vec(),
        // No NATS server sends text; whoever does is told so.
        None => data.as_string().unwrap_or_default().into_bytes(),
    };
    inner.tell(|engine, now| engine.socket_received(id, &bytes, now));
}

fn happened(id: SocketId, event: &Event, inner: &Inner) {
    if let Some(close) = event.dyn_ref::<CloseEvent>() {
        let end = SocketEnd::Closed(close.code(), close.reason());
        inner.tell(|engine, now| engine.socket_closed(id, end, now));
    } else if event.type_() == "open" {
        inner.tell(|engine, now| engine.socket_opened(id, now));
    } else {
        inner.tell(|engine, now| engine.socket_failed(id, now));
    }
}
