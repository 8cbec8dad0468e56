//! Bytes to operations.

use bytes::{Buf, Bytes, BytesMut};

use super::error::printable;
use super::{DecodeError, Info, Msg, ServerOp};

/// An incremental decoder of what a server sends: [`feed`](Self::feed) it bytes as they come, in pieces of
/// any size, and take operations out with [`next_op`](Self::next_op) until there is none.
///
/// It keeps at most one incomplete operation, so its memory is bounded by its limits plus what was fed
/// since the last `next_op`. After an error it stays in that error and keeps nothing.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    /// No line end is in the first so many bytes of the buffer: they need not be searched again.
    searched: usize,
    /// The message whose line was read but whose payload is not complete.
    awaited: Option<Head>,
    max_payload: usize,
    failed: Option<DecodeError>,
}

impl Decoder {
    /// A decoder that accepts payloads of up to 64 MiB: no server can be configured to send more.
    pub fn new() -> Self {
        Self::with_max_payload(PAYLOAD_MAX)
    }

    /// A decoder that accepts payloads, headers included, of up to `max_payload` bytes.
    pub fn with_max_payload(max_payload: usize) -> Self {
        Self { buffer: BytesMut::new(), searched: 0, awaited: None, max_payload, failed: None }
    }

    /// Takes in what the server sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next complete operation; `None` when more bytes are needed.
    ///
    /// # Errors
    /// What was wrong; the same again from then on, as the start of the next operation cannot be found.
    pub fn next_op(&mut self) -> Result<Option<ServerOp>, DecodeError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.decode().inspect_err(|error| {
            self.failed = Some(error.clone());
            self.buffer = BytesMut::new();
        })
    }

    /// Bytes kept for operations that are not complete.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.buffer.len()
    }

    fn decode(&mut self) -> Result<Option<ServerOp>, DecodeError> {
        if self.awaited.is_none() {
            let Some(line) = self.take_line()? else { return Ok(None) };
            match parse_line(&line, self.max_payload)? {
                Parsed::Op(op) => return Ok(Some(op)),
                Parsed::Head(head) => self.awaited = Some(head),
            }
        }
        self.take_payload()
    }

    /// The next line without its end; `None` while it is incomplete.
    fn take_line(&mut self) -> Result<Option<Bytes>, DecodeError> {
        let limit = if is_info(&self.buffer) { INFO_MAX } else { LINE_MAX };
        let Some(found) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = self.buffer.len();
            return check_length(&self.buffer, limit).map(|()| None);
        };
        let end = self.searched + found;
        check_length(&self.buffer[..end], limit)?;
        self.searched = 0;
        let mut line = self.buffer.split_to(end + 1).freeze();
        line.truncate(line.strip_suffix(b"\r\n").map_or(end, <[u8]>::len));
        Ok(Some(line))
    }

    /// The awaited message, once its payload and the CR LF behind it are there.
    fn take_payload(&mut self) -> Result<Option<ServerOp>, DecodeError> {
        let complete = self.awaited.take_if(|head| self.buffer.len() >= head.total + CRLF.len());
        let Some(head) = complete else { return Ok(None) };
        let mut body = self.buffer.split_to(head.total).freeze();
        if !self.buffer.starts_with(CRLF) {
            return Err(DecodeError::PayloadNotTerminated);
        }
        self.buffer.advance(CRLF.len());
        let headers = head.headers.map(|length| body.split_to(length));
        let Head { subject, sid, reply, .. } = head;
        Ok(Some(ServerOp::Msg(Msg { subject, sid, reply, headers, payload: body })))
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// The largest `max_payload` that nats-server accepts in its configuration.
const PAYLOAD_MAX: usize = 64 << 20;

/// nats-server's `max_control_line` limits what a client publishes to 4 KiB; as MSG the same line gains a
/// subscription id of up to 20 digits.
const LINE_MAX: usize = 4_096 + 32;

/// An INFO that lists a thousand servers has about 30 KiB. Whoever sends more than twice that is not a NATS
/// server, or one that would cost more memory than it is worth.
const INFO_MAX: usize = 64 << 10;

const CRLF: &[u8] = b"\r\n";

/// The line of MSG or HMSG.
#[derive(Debug)]
struct Head {
    subject: Bytes,
    sid: u64,
    reply: Option<Bytes>,
    /// Bytes of headers, for HMSG.
    headers: Option<usize>,
    /// Bytes of headers and payload.
    total: usize,
}

enum Parsed {
    Op(ServerOp),
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

fn parse_line(line: &Bytes, max_payload: usize) -> Result<Parsed, DecodeError> {
    let blank = line.iter().position(|byte| is_blank(*byte)).unwrap_or(line.len());
    let (op, arguments) = (&line[..blank], line.slice(blank..));
    // Almost every line is one of these two, and in capitals: they are not copied first.
    match op {
        b"MSG" => return parse_head(line, &arguments, false, max_payload).map(Parsed::Head),
        b"HMSG" => return parse_head(line, &arguments, true, max_payload).map(Parsed::Head),
        _ => {}
    }
    let op = op.to_ascii_uppercase();
    Ok(Parsed::Op(match op.as_slice() {
        b"MSG" => return parse_head(line, &arguments, false, max_payload).map(Parsed::Head),
        b"HMSG" => return parse_head(line, &arguments, true, max_payload).map(Parsed::Head),
        b"PING" => ServerOp::Ping,
        b"PONG" => ServerOp::Pong,
        b"+OK" => ServerOp::Ok,
        b"-ERR" => ServerOp::Err(unquoted(&arguments)),
        b"INFO" => ServerOp::Info(Box::new(parse_info(&arguments)?)),
        _ => return Err(DecodeError::UnknownOp { prefix: printable(line) }),
    }))
}

fn parse_info(json: &[u8]) -> Result<Info, DecodeError> {
    Info::parse(json).map_err(|error| DecodeError::InfoNotJson(error.to_string()))
}

/// `<subject> <sid> [reply] [<#headers>] <#total>`.
fn parse_head(line: &Bytes, arguments: &Bytes, hmsg: bool, max: usize) -> Result<Head, DecodeError> {
    let bad = || DecodeError::BadArguments { line: printable(line) };
    let mut words = [&[][..]; WORDS_MAX];
    let mut count = 0;
    for word in arguments.split(|byte| is_blank(*byte)).filter(|word| !word.is_empty()) {
        *words.get_mut(count).ok_or_else(bad)? = word;
        count += 1;
    }
    let words = &words[..count];
    let (names, sizes) =
        words.split_at_checked(words.len().wrapping_sub(1 + usize::from(hmsg))).ok_or_else(bad)?;
    let (subject, sid, reply) = match *names {
        [subject, sid] => (subject, sid, None),
        [subject, sid, reply] => (subject, sid, Some(reply)),
        _ => return Err(bad()),
    };
    let total: usize = sizes.last().and_then(|size| number(size)).ok_or_else(bad)?;
    let headers =
        if hmsg { Some(number(sizes[0]).filter(|headers| *headers <= total).ok_or_else(bad)?) } else { None };
    if total > max {
        return Err(DecodeError::PayloadTooLarge { size: total, limit: max });
    }
    Ok(Head {
        subject: arguments.slice_ref(subject),
        sid: number(sid).ok_or_else(bad)?,
        reply: reply.map(|reply| arguments.slice_ref(reply)),
        headers,
        total,
    })
}

/// HMSG has the most: subject, sid, reply, two sizes.
const WORDS_MAX: usize = 5;

/// Digits only: `str::parse` would take `+1`.
fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    digits.iter().all(u8::is_ascii_digit).then_some(())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn unquoted(text: &[u8]) -> String {
    let mut text = text.trim_ascii();
    text = text.strip_prefix(b"'").unwrap_or(text);
    text = text.strip_suffix(b"'").unwrap_or(text);
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Result<Vec<ServerOp>, DecodeError> {
        let mut decoder = Decoder::with_max_payload(1_000);
        decoder.feed(input);
        std::iter::from_fn(|| decoder.next_op().transpose()).collect()
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
        let msg = Msg {
            subject: "a.b".into(),
            sid: 9,
            reply: Some("reply".into()),
            headers: None,
            payload: "hi".into(),
        };
        assert_eq!(ops[5], ServerOp::Msg(msg));
        let ServerOp::Msg(hmsg) = &ops[6] else { panic!("HMSG last") };
        assert_eq!(
            (hmsg.headers.as_deref(), &hmsg.payload[..]),
            (Some(&b"NATS/1.0\r\n\r\n"[..]), &b"hi"[..])
        );
        assert_eq!(hmsg.status(), None);
    }

    #[test]
    fn no_responders_is_a_status_of_503() {
        let ops = all(b"HMSG a 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n").unwrap();
        let [ServerOp::Msg(message)] = &ops[..] else { panic!("one message: {ops:?}") };
        assert_eq!(message.status(), Some(503));
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
