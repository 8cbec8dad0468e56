//! Effects: the tasks that the engine gives to its driver.

use super::code::Code;
use super::link::SocketId;

/// A task for the driver, or an event for the application.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Open a WebSocket for binary messages.
    OpenSocket {
        /// Id of the socket, which all reports about this socket must repeat.
        socket: SocketId,
        /// The URL.
        url: String,
    },
    /// Close a socket at once, and report nothing more about it.
    CloseSocket {
        /// The socket.
        socket: SocketId,
    },
    /// Request credentials from the application; [`Engine::authenticated`](super::Engine::authenticated) takes the
    /// answer.
    Authenticate {
        /// The socket of the connection that needs the credentials.
        socket: SocketId,
        /// The nonce to sign, if the server requires a signature.
        nonce: Option<String>,
    },
    /// The first link is live.
    Opened,
    /// The client has ended, and does not connect again.
    Closed {
        /// Kind of the failure; `None` if the application ended the client.
        code: Option<Code>,
        /// Reason for the end.
        text: Option<String>,
    },
    /// An operation of the application has ended.
    Completed {
        /// Number of the operation.
        op: u32,
        /// Kind of the failure; `None` if the operation succeeded.
        code: Option<Code>,
        /// Reason for the failure.
        text: Option<String>,
        /// The measured round-trip time, in milliseconds.
        value: Option<f64>,
    },
    /// A notice for the application: an object as JSON.
    Notice(String),
}
