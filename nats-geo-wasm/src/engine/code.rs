//! Why something was not done, as JavaScript will see it.

use nats_geo::core::ConfigError;
use nats_geo::wire::EncodeError;

/// The kind of a failure. The numbers are those of the JavaScript side's error classes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
#[repr(u8)]
pub enum Code {
    /// An argument that makes no sense.
    InvalidArgument = 1,
    /// A subject or queue group that would not stay one word on the wire.
    InvalidSubject = 2,
    /// The client is closed.
    Closed = 3,
    /// The client is being drained and takes nothing new.
    Draining = 4,
    /// No answer within the time limit.
    Timeout = 5,
    /// Nobody serves the subject of a request.
    NoResponders = 6,
    /// Nothing was live within the bound, or what is kept meanwhile was too much.
    Connection = 7,
    /// The server refused the credentials.
    Authorization = 8,
    /// The account may not publish or subscribe there.
    PermissionViolation = 9,
    /// Headers and payload are larger than the server accepts.
    PayloadTooLarge = 10,
    /// The link ended while an answer was awaited: what was asked may have been executed.
    LinkLost = 11,
    /// What answered is not a NATS server.
    Protocol = 12,
    /// Messages came faster than they were taken.
    SlowConsumer = 13,
    /// A secure page may not open an insecure WebSocket.
    MixedContent = 14,
    /// A configuration that cannot work.
    InvalidConfig = 15,
}

impl Code {
    /// The number that crosses the boundary to JavaScript.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// Something was not done, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// Its kind.
    pub code: Code,
    /// For people: what was wrong, and what helps.
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
