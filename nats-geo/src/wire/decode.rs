//! This module decodes bytes to operations.

use std::ops::Range;

use super::error::printable;
use super::{DecodeError, Info, Msg, ServerOp};

/// An incremental decoder of the data that a server sends. Pass bytes to [`feed`](Self::feed), in pieces of any size.
/// Then call [`next_op`](Self::next_op) until it returns no further operation.
///
/// The decoder keeps at most one incomplete operation. So its memory is bounded by its limits plus the bytes that were
/// fed since the last `next_op`. After an error, the decoder returns the same error for ever and keeps no bytes.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Operations were taken out up to here.
    taken: usize,
    /// No line end is in the first so many bytes behind that: they need not be searched again.
    searched: usize,
    /// The message whose line was read but whose payload was not complete.
    awaited: Option<Head>,
    max_payload: usize,
    failed: Option<DecodeError>,
}

impl Decoder {
    /// Creates a decoder that accepts payloads of up to 64 MiB, which is the largest `max_payload` of a server.
    pub const fn new() -> Self {
        Self::with_max_payload(PAYLOAD_MAX)
    }

    /// Creates a decoder that accepts payloads, headers included, of up to `max_payload` bytes.
    pub const fn with_max_payload(max_payload: usize) -> Self {
        Self { buffer: Vec::new(), taken: 0, searched: 0, awaited: None, max_payload, failed: None }
    }

    /// Adds bytes that the server sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.taken == self.buffer.len() && self.taken > BUFFER_KEPT {
            // One large message must not cost its memory for ever.
            self.buffer = Vec::new();
        } else {
            self.buffer.drain(..self.taken);
        }
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next complete operation, or `None` if more bytes are needed.
    ///
    /// # Errors
    /// The input is not valid. All later calls return the same error, because the decoder cannot find the start of the next
    /// operation.
    pub fn next_op(&mut self) -> Result<Option<ServerOp<'_>>, DecodeError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let found = self.find().inspect_err(|error| {
            self.failed = Some(error.clone());
            self.buffer = Vec::new();
            self.taken = 0;
        })?;
        Ok(found.map(|found| match found {
            Found::Op(op) => op,
            Found::Message(head, start) => ServerOp::Msg(head.message(&self.buffer[start..])),
        }))
    }

    /// Returns the number of bytes that were fed and are not decoded yet.
    pub const fn kept(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// Takes the next operation out of the buffer, which keeps its bytes until it is fed.
    fn find(&mut self) -> Result<Option<Found>, DecodeError> {
        let head = match self.awaited.take() {
            Some(head) => head,
            None => {
                let max_payload = self.max_payload;
                let Some((line, length)) = self.line()? else { return Ok(None) };
                match parse_line(line, length, max_payload)? {
                    Parsed::Op(op) => {
                        self.taken += length;
                        return Ok(Some(Found::Op(op)));
                    }
                    Parsed::Head(head) => head,
                }
            }
        };
        let start = self.taken;
        let behind = self.buffer.get(start + head.body..).and_then(|body| body.get(head.total..));
        match behind.and_then(|behind| behind.get(..CRLF.len())) {
            None => {
                self.awaited = Some(head);
                Ok(None)
            }
            Some(CRLF) => {
                self.taken += head.body + head.total + CRLF.len();
                Ok(Some(Found::Message(head, start)))
            }
            Some(_) => Err(DecodeError::PayloadNotTerminated),
        }
    }

    /// The next line without its end, and its length with it; `None` while it is incomplete.
    fn line(&mut self) -> Result<Option<(&[u8], usize)>, DecodeError> {
        let rest = &self.buffer[self.taken..];
        let limit = if is_info(rest) { INFO_MAX } else { LINE_MAX };
        let Some(found) = rest[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = rest.len();
            return check_length(rest, limit).map(|()| None);
        };
        let line = &rest[..self.searched + found];
        check_length(line, limit)?;
        self.searched = 0;
        let length = line.len() + 1;
        Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), length)))
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// The largest `max_payload` that nats-server accepts in its configuration.
const PAYLOAD_MAX: usize = 64 << 20;

/// nats-server's `max_control_line` limits what a client publishes, by default to 4 KiB. An operator may allow more, and
/// then any client may publish what would end the connections of all that read it, again and again. A subject of more than
/// 64 KiB serves nobody.
const LINE_MAX: usize = 64 << 10;

/// An INFO that lists a thousand servers has about 30 KiB. Whoever sends more than twice that is not a NATS
/// server, or one that would cost more memory than it is worth.
const INFO_MAX: usize = 64 << 10;

/// An empty buffer of up to this is kept for what comes next: as much as a socket is read at once.
const BUFFER_KEPT: usize = 1 << 20;

const CRLF: &[u8] = b"\r\n";

/// An operation that is complete.
enum Found {
    Op(ServerOp<'static>),
    /// And where it starts in the buffer.
    Message(Head, usize),
}

/// The line of MSG or HMSG. Places are counted from its start.
#[derive(Debug)]
struct Head {
    subject: Range<usize>,
    sid: u64,
    reply: Option<Range<usize>>,
    /// Bytes of headers, for HMSG.
    headers: Option<usize>,
    /// Where headers and payload begin.
    body: usize,
    /// Bytes of headers and payload.
    total: usize,
}

impl Head {
    fn message<'a>(&self, bytes: &'a [u8]) -> Msg<'a> {
        let body = &bytes[self.body..][..self.total];
        let (headers, payload) = body.split_at(self.headers.unwrap_or_default());
        Msg {
            subject: &bytes[self.subject.clone()],
            sid: self.sid,
            reply: self.reply.clone().map(|reply| &bytes[reply]),
            headers: self.headers.map(|_| headers),
            payload,
        }
    }
}

enum Parsed {
    Op(ServerOp<'static>),
    Head(Head),
}

fn is_info(line: &[u8]) -> bool {
    line.get(..4).is_some_and(|op| op.eq_ignore_ascii_case(b"INFO"))
}

fn check_length(line: &[u8], limit: usize) -> Result<(), DecodeError> {
    match line.len() <= limit {
        true => Ok(()),
        false if is_info(line) => Err(DecodeError::InfoTooLong { limit }),
        false => Err(DecodeError::LineTooLong { limit, prefix: printable(line) }),
    }
}

/// `length`: of the line with its end.
fn parse_line(line: &[u8], length: usize, max_payload: usize) -> Result<Parsed, DecodeError> {
    let blank = line.iter().position(|byte| is_blank(*byte)).unwrap_or(line.len());
    let (op, arguments) = line.split_at(blank);
    let is = |name: &[u8]| op.eq_ignore_ascii_case(name);
    // Almost every line is one of these two.
    if is(b"MSG") || is(b"HMSG") {
        let head = parse_head(line, blank, length)
            .ok_or_else(|| DecodeError::BadArguments { line: printable(line) })?;
        return match head.total <= max_payload {
            true => Ok(Parsed::Head(head)),
            false => Err(DecodeError::PayloadTooLarge { size: head.total, limit: max_payload }),
        };
    }
    Ok(Parsed::Op(if is(b"PING") {
        ServerOp::Ping
    } else if is(b"PONG") {
        ServerOp::Pong
    } else if is(b"+OK") {
        ServerOp::Ok
    } else if is(b"-ERR") {
        ServerOp::Err(unquoted(arguments))
    } else if is(b"INFO") {
        let info = Info::parse(arguments).map_err(|error| DecodeError::InfoNotJson(error.to_string()))?;
        ServerOp::Info(Box::new(info))
    } else {
        return Err(DecodeError::UnknownOp { prefix: printable(line) });
    }))
}

/// `<subject> <sid> [reply] [<#headers>] <#total>`, behind the first blank.
fn parse_head(line: &[u8], blank: usize, length: usize) -> Option<Head> {
    let is_hmsg = blank > 3;
    let mut words = Words { line, at: blank };
    let (subject, sid) = (words.next()?, words.next()?);
    let (third, fourth, fifth) = (words.next()?, words.next(), words.next());
    let (reply, headers, total) = match (is_hmsg, fourth, fifth) {
        (false, None, None) => (None, None, third),
        (false, Some(fourth), None) => (Some(third), None, fourth),
        (true, Some(fourth), None) => (None, Some(third), fourth),
        (true, Some(fourth), Some(fifth)) => (Some(third), Some(fourth), fifth),
        _ => return None,
    };
    let size = |digits: Range<usize>| usize::try_from(number(line.get(digits)?)?).ok();
    let total = size(total)?;
    let headers = match headers {
        Some(digits) => Some(size(digits).filter(|headers| *headers <= total)?),
        None => None,
    };
    let is_all = words.next().is_none();
    is_all.then_some(Head { sid: number(line.get(sid)?)?, subject, reply, headers, body: length, total })
}

/// Where the words of a line are.
struct Words<'a> {
    line: &'a [u8],
    at: usize,
}

impl Iterator for Words<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let rest = self.line.get(self.at..)?;
        let start = self.at + rest.iter().position(|byte| !is_blank(*byte))?;
        let rest = self.line.get(start..)?;
        self.at = start + rest.iter().position(|byte| is_blank(*byte)).unwrap_or(rest.len());
        Some(start..self.at)
    }
}

/// Digits only, and no more than fit.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn unquoted(text: &[u8]) -> String {
    let mut text = text.trim_ascii();
    text = text.strip_prefix(b"'").unwrap_or(text);
    text = text.strip_suffix(b"'").unwrap_or(text);
    // Of what no server sends, only that is kept which can be shown: replacing it is a kilobyte of a browser's download.
    std::str::from_utf8(text).map_or_else(|_| printable(text), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Result<Vec<ServerOp<'static>>, DecodeError> {
        let mut decoder = Decoder::with_max_payload(1_000);
        decoder.feed(input);
        std::iter::from_fn(|| decoder.next_op().map(|op| op.map(ServerOp::leaked)).transpose()).collect()
    }

    #[test]
    fn every_operation_is_understood() {
        let ops = all(
            b"INFO {\"server_id\":\"A\",\"cluster\":\"lon\",\"ldm\":true,\"new\":1}\r\nPING\r\npong\r\n+OK\r\n\
              -ERR 'Authorization Violation'\r\nMSG a.b 9 reply 2\r\nhi\r\nHMSG a 9 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
        )
        .unwrap();
        let Some(ServerOp::Info(info)) = ops.first() else { panic!("INFO first") };
        assert_eq!(
            (info.server_id.as_str(), info.cluster.as_deref(), info.lame_duck),
            ("A", Some("lon"), true)
        );
        let rest =
            [ServerOp::Ping, ServerOp::Pong, ServerOp::Ok, ServerOp::Err("Authorization Violation".into())];
        assert_eq!(ops[1..5], rest);
        let msg = Msg { subject: b"a.b", sid: 9, reply: Some(b"reply"), headers: None, payload: b"hi" };
        assert_eq!(ops[5], ServerOp::Msg(msg));
        let ServerOp::Msg(hmsg) = &ops[6] else { panic!("HMSG last") };
        assert_eq!((hmsg.headers, hmsg.payload), (Some(&b"NATS/1.0\r\n\r\n"[..]), &b"hi"[..]));
        assert_eq!(hmsg.status(), None);
    }

    #[test]
    fn headers_that_are_no_headers_cost_nothing_else() {
        for block in [
            b"NATS/1.0\r\nMy Key: x\r\n\r\n".as_slice(),
            b"NATS/1.0\r\nno colon\r\n\r\n",
            b"NATS/1.0\r\nLatin: caf\xe9\r\n\r\n",
            b"NATS/1.0 teapot\r\n\r\n",
            b"nonsense",
            b"",
        ] {
            let line = format!("HMSG caf 9 {} {}\r\n", block.len(), block.len() + 2);
            let input = [line.as_bytes(), block, b"hi\r\nPING\r\n"].concat();
            let ops = all(&input).unwrap();
            let [ServerOp::Msg(message), ServerOp::Ping] = ops.as_slice() else { panic!("{ops:?}") };
            assert_eq!((message.headers, message.payload, message.status()), (Some(block), &b"hi"[..], None));
        }
    }

    #[test]
    fn no_responders_is_a_status_of_503() {
        let ops = all(b"HMSG a 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n").unwrap();
        let [ServerOp::Msg(message)] = &ops[..] else { panic!("one message: {ops:?}") };
        assert_eq!(message.status(), Some(503));
    }

    #[test]
    fn a_complaint_that_is_no_text_is_shown_as_bytes() {
        assert_eq!(all(b"-ERR 'b\xfcg'\r\n"), Ok(vec![ServerOp::Err(r"b\xfcg".into())]));
        let [ServerOp::Msg(message)] = &all(b"HMSG a 1 16 16\r\nNATS/1.0 +50\r\n\r\n\r\n").unwrap()[..]
        else {
            panic!("one message")
        };
        assert_eq!(message.status(), None);
    }

    #[test]
    fn errors_say_what_was_wrong() {
        let long_info = [b"INFO ".as_slice(), &[b'x'; 100_000]].concat();
        let cases: [(&[u8], &str); 9] = [
            (&long_info, "INFO is longer than 65536 bytes"),
            (b"INFO nonsense\r\n", "INFO is not JSON: expected a value at byte 1"),
            (b"HTTP/1.1 400 Bad Request\r\n", "not a NATS operation: `HTTP/1.1 400 Bad Request`"),
            (b"\x16\x03\x01\r\n", r"not a NATS operation: `\x16\x03\x01`"),
            (b"MSG a 1\r\n", "bad arguments: `MSG a 1`"),
            (b"MSG a 1 +1\r\n", "bad arguments: `MSG a 1 +1`"),
            (b"HMSG a 1 9 8\r\n", "bad arguments: `HMSG a 1 9 8`"),
            (b"MSG a 1 1001\r\n", "a payload of 1001 bytes is larger than the limit of 1000"),
            (b"MSG a 1 1\r\nxyz", "a payload is not followed by CR LF"),
        ];
        for (input, message) in cases {
            assert_eq!(all(input).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_line_without_an_end_is_an_error_and_stays_one() {
        let mut decoder = Decoder::new();
        decoder.feed(&[b'x'; LINE_MAX + 1]);
        let error = decoder.next_op().unwrap_err();
        assert!(matches!(error, DecodeError::LineTooLong { limit: LINE_MAX, .. }), "{error}");
        decoder.feed(b"PING\r\n");
        assert_eq!(decoder.next_op(), Err(error));
        assert!(decoder.buffer.is_empty());
    }
}
