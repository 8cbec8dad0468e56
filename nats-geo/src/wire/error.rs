//! Errors in the bytes of the protocol.

/// Reason why bytes from a server could not be decoded. Close the connection then: the decoder cannot find the start of
/// the next operation.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// An INFO line longer than any real one.
    #[error("INFO is longer than {limit} bytes")]
    InfoTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// An INFO line whose argument is not the JSON object that it must be.
    #[error("INFO is not JSON: {0}")]
    InfoNotJson(String),
    /// A line other than INFO that is longer than any real one.
    #[error("a control line is longer than {limit} bytes: it starts with `{prefix}`")]
    LineTooLong {
        /// The limit, in bytes.
        limit: usize,
        /// Its beginning, as printable text.
        prefix: String,
    },
    /// A line that starts with none of the operations: not a NATS server.
    #[error("not a NATS operation: `{prefix}`")]
    UnknownOp {
        /// Its beginning, as printable text.
        prefix: String,
    },
    /// A MSG or HMSG line with arguments that make no sense.
    #[error("bad arguments: `{line}`")]
    BadArguments {
        /// The line, as printable text.
        line: String,
    },
    /// A message larger than this decoder accepts.
    #[error("a payload of {size} bytes is larger than the limit of {limit}")]
    PayloadTooLarge {
        /// The announced size, in bytes.
        size: usize,
        /// The limit of [`Decoder::with_max_payload`](super::Decoder::with_max_payload), in bytes.
        limit: usize,
    },
    /// A payload that is not followed by CR LF: the announced size was wrong.
    #[error("a payload is not followed by CR LF")]
    PayloadNotTerminated,
}

/// Reason why an operation could not be encoded. Nothing was written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A subject, reply subject or queue group that is empty or contains white space or control characters:
    /// it would break the framing, or smuggle in another operation.
    #[error("`{0}` is empty or contains white space")]
    BadName(String),
    /// A subject that is too long, together with the reply subject or queue group.
    #[error(
        "the names on one protocol line have {bytes} bytes, but servers accept {limit} (max_control_line)"
    )]
    NamesTooLong {
        /// Their size.
        bytes: usize,
        /// The largest size.
        limit: usize,
    },
    /// Headers that do not start with `NATS/1.0` or do not end with an empty line.
    #[error("headers must start with NATS/1.0 and end with an empty line")]
    BadHeaders,
}

/// The start of `bytes` for people: what is not printable ASCII is escaped, the rest is cut off.
pub(super) fn printable(bytes: &[u8]) -> String {
    /// Enough to tell `HTTP/1.1 400 Bad Request` or `SSH-2.0-OpenSSH_9.6` from NATS.
    const SHOWN_MAX: usize = 48;
    let shown = &bytes[..bytes.len().min(SHOWN_MAX)];
    let ellipsis = if shown.len() < bytes.len() { "..." } else { "" };
    format!("{}{ellipsis}", shown.escape_ascii())
}
