//! Errors of encoding and decoding.

/// Reason why bytes from a server could not be decoded. Close the connection after this error, because the decoder cannot
/// find the start of the next operation.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// An INFO line is longer than the limit. No real server sends such a line.
    #[error("INFO is longer than {limit} bytes")]
    InfoTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The argument of an INFO line is not a JSON object with valid fields.
    #[error("INFO is not JSON: {0}")]
    InfoNotJson(String),
    /// A line other than INFO is longer than the limit. No real server sends such a line.
    #[error("a control line is longer than {limit} bytes: it starts with `{prefix}`")]
    LineTooLong {
        /// The limit, in bytes.
        limit: usize,
        /// The beginning of the line, as printable text.
        prefix: String,
    },
    /// A line does not begin with a known operation, so the other side is not a NATS server.
    #[error("not a NATS operation: `{prefix}`")]
    UnknownOp {
        /// The beginning of the line, as printable text.
        prefix: String,
    },
    /// A MSG or HMSG line has invalid arguments.
    #[error("bad arguments: `{line}`")]
    BadArguments {
        /// The line, as printable text.
        line: String,
    },
    /// A message is larger than the limit of this decoder.
    #[error("a payload of {size} bytes is larger than the limit of {limit}")]
    PayloadTooLarge {
        /// The announced size, in bytes.
        size: usize,
        /// The limit of [`Decoder::with_max_payload`](super::Decoder::with_max_payload), in bytes.
        limit: usize,
    },
    /// A payload is not followed by CR LF, so the announced size is wrong.
    #[error("a payload is not followed by CR LF")]
    PayloadNotTerminated,
}

/// Reason why an operation could not be encoded. The output is unchanged.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A subject, reply subject or queue group is empty, or contains white space or control characters. Such a name would
    /// break the framing, or insert another operation.
    #[error(
        "the subject, reply subject or queue group `{0}` is empty, or contains white space or control characters"
    )]
    BadName(String),
    /// A subject, together with the reply subject or queue group, is too long.
    #[error(
        "the subject and its reply subject or queue group have {bytes} bytes together, but the limit is {limit}; shorten one"
    )]
    NamesTooLong {
        /// The length of the names, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The headers do not start with `NATS/1.0`, or do not end with an empty line.
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
