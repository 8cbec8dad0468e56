//! The reasons for failures, as JavaScript gets them.

use nats_geo::core::ConfigError;
use nats_geo::wire::EncodeError;

/// Kind of a failure. The error classes of the JavaScript side use the same numbers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
#[repr(u8)]
pub enum Code {
    /// An argument is not valid.
    InvalidArgument = 1,
    /// A subject or queue group is not valid: it would break the framing of the protocol.
    InvalidSubject = 2,
    /// The client is closed.
    Closed = 3,
    /// The client drains, and accepts no new operations.
    Draining = 4,
    /// No answer arrived within the time limit.
    Timeout = 5,
    /// No responder listens on the subject of a request.
    NoResponders = 6,
    /// No link was live in time, or the buffer for publishes or requests is full.
    Connection = 7,
    /// The server refused the credentials.
    Authorization = 8,
    /// The user has no permission to publish or subscribe to the subject.
    PermissionViolation = 9,
    /// Headers and payload are larger than the server accepts.
    PayloadTooLarge = 10,
    /// The link ended while a request waited for its answer. The request may have been executed.
    LinkLost = 11,
    /// The other side is not a NATS server.
    Protocol = 12,
    /// Messages arrived faster than the application read them.
    SlowConsumer = 13,
    /// A page that was loaded over HTTPS may not open an insecure WebSocket.
    MixedContent = 14,
    /// A configuration that cannot work.
    InvalidConfig = 15,
}

impl Code {
    /// Returns the number of this code for JavaScript.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// A failed operation, with the reason.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// The kind of the failure.
    pub code: Code,
    /// The text for users: the problem and the remedy.
    pub text: String,
}

impl Refusal {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    pub(super) fn closed() -> Self {
        Self::new(Code::Closed, "the connection is closed; connect again")
    }

    pub(super) fn draining() -> Self {
        Self::new(Code::Draining, "the connection is draining and accepts nothing new")
    }
}

impl From<EncodeError> for Refusal {
    fn from(error: EncodeError) -> Self {
        let code = match error {
            EncodeError::BadName(_) | EncodeError::NamesTooLong { .. } => Code::InvalidSubject,
            _ => Code::InvalidArgument,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        Self::new(Code::InvalidConfig, error.to_string())
    }
}
