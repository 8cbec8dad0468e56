//! The operations of the protocol.

use super::Info;

/// An operation that a server sends.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ServerOp<'a> {
    /// The server's description of itself, which is the first operation. The server repeats INFO when the topology
    /// changes or lame duck mode begins.
    Info(Box<Info>),
    /// A message (MSG or HMSG).
    Msg(Msg<'a>),
    /// A request that the other side answers with PONG.
    Ping,
    /// The answer to PING.
    Pong,
    /// An acknowledgement in verbose mode.
    Ok,
    /// The text of an error (`-ERR`), without its quotes. The server may or may not close the connection afterwards.
    Err(String),
}

/// A message for a subscription. Its parts are slices of the decoder's buffer, so copy the parts that you keep.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Msg<'a> {
    /// Subject of the message. Usually UTF-8, but the protocol does not guarantee this.
    pub subject: &'a [u8],
    /// Number of the subscription that gets the message.
    pub sid: u64,
    /// Reply subject.
    pub reply: Option<&'a [u8]>,
    /// The header block as sent, from `NATS/1.0` to the empty line.
    pub headers: Option<&'a [u8]>,
    /// The payload.
    pub payload: &'a [u8],
}

impl Msg<'_> {
    /// Returns the status in the first header line. 503 means that no client answers requests to the subject.
    pub fn status(&self) -> Option<u16> {
        let headers = self.headers?;
        let first_line = headers.split(|&byte| byte == b'\r').next()?;
        let digits = first_line.strip_prefix(VERSION)?.trim_ascii_start().get(..3)?;
        digits.iter().try_fold(0, |status, digit| {
            digit.is_ascii_digit().then(|| status * 10 + u16::from(digit - b'0'))
        })
    }
}

#[cfg(test)]
impl ServerOp<'_> {
    /// Copied, for tests that collect operations; the memory is not given back.
    pub(super) fn leaked(self) -> ServerOp<'static> {
        let copy = |bytes: &[u8]| &*bytes.to_vec().leak();
        match self {
            Self::Msg(Msg { subject, sid, reply, headers, payload }) => ServerOp::Msg(Msg {
                subject: copy(subject),
                sid,
                reply: reply.map(copy),
                headers: headers.map(copy),
                payload: copy(payload),
            }),
            Self::Info(info) => ServerOp::Info(info),
            Self::Ping => ServerOp::Ping,
            Self::Pong => ServerOp::Pong,
            Self::Ok => ServerOp::Ok,
            Self::Err(text) => ServerOp::Err(text),
        }
    }
}

/// Beginning of every header block.
pub(super) const VERSION: &[u8] = b"NATS/1.0";

/// An operation that a client sends. The operation borrows all data, and [`encode`](Self::encode) copies the data once.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ClientOp<'a> {
    /// Name and credentials of the client.
    Connect(&'a Connect),
    /// A request that the other side answers with PONG.
    Ping,
    /// The answer to PING.
    Pong,
    /// A message (PUB, or HPUB when it has headers).
    Pub {
        /// Subject.
        subject: &'a str,
        /// Reply subject.
        reply: Option<&'a str>,
        /// The header block, from `NATS/1.0` to the empty line.
        headers: Option<&'a [u8]>,
        /// The payload.
        payload: &'a [u8],
    },
    /// A subscription.
    Sub {
        /// The subject, which may have wildcards.
        subject: &'a str,
        /// The queue group, if any.
        queue: Option<&'a str>,
        /// Number that the client gives to the subscription.
        sid: u64,
    },
    /// The end of a subscription.
    Unsub {
        /// Number of the subscription.
        sid: u64,
        /// Number of messages after which the subscription ends, counted from its beginning. `None`: the subscription
        /// ends now.
        max: Option<u64>,
    },
}

/// The argument of CONNECT. `Debug` hides the secrets.
#[derive(Clone)]
pub struct Connect {
    /// Whether the server answers every operation with `+OK`.
    pub verbose: bool,
    /// Whether the server checks subjects strictly.
    pub pedantic: bool,
    /// Whether the server delivers messages of this client to subscriptions of the same client.
    pub echo: bool,
    /// Whether the client supports headers.
    pub headers: bool,
    /// Whether the server sends status 503 for a request that has no responder. Requires `headers`.
    pub no_responders: bool,
    /// Version of the protocol. 1: the server may send INFO at any time, for example when lame duck mode begins.
    pub protocol: u8,
    /// Language of the client.
    pub lang: String,
    /// Version of the client.
    pub version: String,
    /// Name of the connection, for the server's monitoring.
    pub name: Option<String>,
    /// User.
    pub user: Option<String>,
    /// Password of the user.
    pub pass: Option<String>,
    /// Token, instead of user and password.
    pub auth_token: Option<String>,
    /// JWT of the user.
    pub jwt: Option<String>,
    /// Public NKey of the user, if there is no JWT.
    pub nkey: Option<String>,
    /// Signature of the nonce of INFO with the user's NKey, in URL-safe base64.
    pub sig: Option<String>,
}

impl Default for Connect {
    /// Quiet, with echo, headers and 503, and without credentials.
    fn default() -> Self {
        Self {
            verbose: false,
            pedantic: false,
            echo: true,
            headers: true,
            no_responders: true,
            protocol: 1,
            lang: "rust".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            name: None,
            user: None,
            pass: None,
            auth_token: None,
            jwt: None,
            nkey: None,
            sig: None,
        }
    }
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect").field("name", &self.name).field("user", &self.user).finish_non_exhaustive()
    }
}
