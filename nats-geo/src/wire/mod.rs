//! The NATS client protocol as an incremental codec, which decodes bytes to operations and encodes operations to bytes.
//!
//! The codec uses no socket and no clock, so the native prober, the browser client and tests can share it. Its memory is
//! bounded: if the other side sends invalid data or never ends a line, the decoder returns a [`DecodeError`].
//!
//! ```
//! use nats_geo::wire::{Decoder, ServerOp};
//!
//! let mut decoder = Decoder::new();
//! decoder.feed(b"PING\r\nMSG orders.new 7 5\r\nhel");
//! assert_eq!(decoder.next_op(), Ok(Some(ServerOp::Ping)));
//! assert_eq!(decoder.next_op(), Ok(None));
//!
//! decoder.feed(b"lo\r\n");
//! let Ok(Some(ServerOp::Msg(message))) = decoder.next_op() else { panic!("a complete message") };
//! assert_eq!((message.subject, message.sid), (&b"orders.new"[..], 7));
//! assert_eq!(message.payload, b"hello");
//! ```

mod complaint;
pub use complaint::{Complaint, Denied};

mod decode;
pub use decode::Decoder;

mod error;
pub use error::{DecodeError, EncodeError};

pub mod json;

mod info;
pub use info::Info;

mod op;
pub use op::{ClientOp, Connect, Msg, ServerOp};

mod encode;

#[cfg(test)]
mod proptests;
