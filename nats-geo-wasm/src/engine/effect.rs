//! What the engine wants done.

use super::code::Code;
use super::link::SocketId;

/// Something for the driver to do, or for the user to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Open a WebSocket of binary messages.
    OpenSocket {
        /// To be named in what is told of it.
        socket: SocketId,
        /// Where.
        url: String,
    },
    /// Close a socket at once and tell nothing more of it.
    CloseSocket {
        /// Which.
        socket: SocketId,
    },
    /// Ask the user for credentials; answered by [`Engine::authenticated`](super::Engine::authenticated).
    Authenticate {
        /// For this connection.
        socket: SocketId,
        /// What is to be signed, if the server wants a signature.
        nonce: Option<String>,
    },
    /// The first link is live.
    Opened,
    /// The client has ended for good.
    Closed {
        /// `None` when the user asked for it.
        code: Option<Code>,
        /// Why.
        text: Option<String>,
    },
    /// Something that the user asked for is done.
    Completed {
        /// What.
        op: u32,
        /// `None`: as asked.
        code: Option<Code>,
        /// Why not.
        text: Option<String>,
        /// What was measured, in milliseconds.
        value: Option<f64>,
    },
    /// The user may want to know: an object as JSON.
    Notice(String),
}
