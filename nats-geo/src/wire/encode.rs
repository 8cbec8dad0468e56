//! This module encodes operations to bytes.

use super::error::printable;
use super::op::VERSION;
use super::{ClientOp, Connect, EncodeError, json};

impl ClientOp<'_> {
    /// Appends the operation to `out`.
    ///
    /// ```
    /// # use nats_geo::wire::ClientOp;
    /// let mut out = Vec::new();
    /// ClientOp::Sub { subject: "orders.>", queue: Some("workers"), sid: 1 }.encode(&mut out)?;
    /// ClientOp::Pub { subject: "orders.new", reply: None, headers: None, payload: b"1" }.encode(&mut out)?;
    /// assert_eq!(&out[..], b"SUB orders.> workers 1\r\nPUB orders.new 1\r\n1\r\n");
    /// # Ok::<(), nats_geo::wire::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// The subject, reply subject or queue group would break the framing, or is too long; or the headers are not a
    /// valid header block. `out` is then unchanged.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match *self {
            Self::Connect(connect) => {
                put(out, &[b"CONNECT ", &connect_json(connect)]);
            }
            Self::Ping => put(out, &[b"PING"]),
            Self::Pong => put(out, &[b"PONG"]),
            Self::Pub { subject, reply, headers, payload } => publish(out, subject, reply, headers, payload)?,
            Self::Sub { subject, queue, sid } => {
                check(subject, queue)?;
                out.extend_from_slice(b"SUB ");
                words(out, &[Some(subject), queue]);
                put(out, &[Decimal::new(sid).digits()]);
            }
            Self::Unsub { sid, max: None } => put(out, &[b"UNSUB ", Decimal::new(sid).digits()]),
            Self::Unsub { sid, max: Some(max) } => {
                put(out, &[b"UNSUB ", Decimal::new(sid).digits(), b" ", Decimal::new(max).digits()]);
            }
        }
        Ok(())
    }
}

fn publish(
    out: &mut Vec<u8>,
    subject: &str,
    reply: Option<&str>,
    headers: Option<&[u8]>,
    payload: &[u8],
) -> Result<(), EncodeError> {
    check(subject, reply)?;
    if headers.is_some_and(|block| !block.starts_with(VERSION) || !block.ends_with(b"\r\n\r\n")) {
        return Err(EncodeError::BadHeaders);
    }
    out.extend_from_slice(if headers.is_some() { b"HPUB " } else { b"PUB " });
    words(out, &[Some(subject), reply]);
    match headers {
        Some(block) => {
            let total = block.len() + payload.len();
            put(out, &[Decimal::from(block.len()).digits(), b" ", Decimal::from(total).digits()]);
            put(out, &[block, payload]);
        }
        None => {
            put(out, &[Decimal::from(payload.len()).digits()]);
            put(out, &[payload]);
        }
    }
    Ok(())
}

fn words(out: &mut Vec<u8>, words: &[Option<&str>]) {
    for word in words.iter().flatten() {
        out.extend_from_slice(word.as_bytes());
        out.push(b' ');
    }
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"\r\n");
}

fn connect_json(connect: &Connect) -> Vec<u8> {
    let mut out = b"{".to_vec();
    let flags = [
        ("verbose", connect.verbose),
        ("pedantic", connect.pedantic),
        ("echo", connect.echo),
        ("headers", connect.headers),
        ("no_responders", connect.no_responders),
    ];
    for (name, is_set) in flags {
        member(&mut out, name).extend_from_slice(if is_set { b"true," } else { b"false," });
    }
    let texts = [
        ("lang", Some(&connect.lang)),
        ("version", Some(&connect.version)),
        ("name", connect.name.as_ref()),
        ("user", connect.user.as_ref()),
        ("pass", connect.pass.as_ref()),
        ("auth_token", connect.auth_token.as_ref()),
        ("jwt", connect.jwt.as_ref()),
        ("nkey", connect.nkey.as_ref()),
        ("sig", connect.sig.as_ref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            json::write_string(member(&mut out, name), text);
            out.push(b',');
        }
    }
    member(&mut out, "protocol").extend_from_slice(Decimal::new(connect.protocol.into()).digits());
    out.push(b'}');
    out
}

fn member<'a>(out: &'a mut Vec<u8>, name: &str) -> &'a mut Vec<u8> {
    json::write_string(out, name);
    out.push(b':');
    out
}

/// A number in digits, without an allocation: publishing writes one per message.
struct Decimal {
    digits: [u8; DIGITS_MAX],
    start: usize,
}

/// Of `u64::MAX`.
const DIGITS_MAX: usize = 20;

impl Decimal {
    fn new(mut number: u64) -> Self {
        let mut decimal = Self { digits: [b'0'; DIGITS_MAX], start: DIGITS_MAX };
        loop {
            decimal.start -= 1;
            // A remainder of ten fits.
            decimal.digits[decimal.start] += (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return decimal;
            }
        }
    }

    fn digits(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

impl From<usize> for Decimal {
    fn from(number: usize) -> Self {
        Self::new(number as u64)
    }
}

/// Names end at white space on the wire, so one that contains it would become two.
fn check(name: &str, other: Option<&str>) -> Result<(), EncodeError> {
    let framed = !name.is_empty() && !name.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control());
    if !framed {
        return Err(EncodeError::BadName(printable(name.as_bytes())));
    }
    other.map_or(Ok(()), |other| check(other, None))?;
    match name.len() + other.map_or(0, str::len) {
        ..=NAMES_MAX => Ok(()),
        bytes => Err(EncodeError::NamesTooLong { bytes, limit: NAMES_MAX }),
    }
}

/// More than any server reads. What one server reads, 4 KiB by default (`max_control_line`), is for the caller to check.
const NAMES_MAX: usize = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(op: ClientOp<'_>) -> Result<String, EncodeError> {
        let mut out = Vec::new();
        op.encode(&mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn operations_look_as_the_protocol_says() {
        let headers = b"NATS/1.0\r\nA: 1\r\n\r\n";
        let cases = [
            (ClientOp::Ping, "PING\r\n"),
            (ClientOp::Pong, "PONG\r\n"),
            (ClientOp::Unsub { sid: 3, max: None }, "UNSUB 3\r\n"),
            (ClientOp::Unsub { sid: u64::MAX, max: Some(90) }, "UNSUB 18446744073709551615 90\r\n"),
            (ClientOp::Sub { subject: "a.*", queue: None, sid: 3 }, "SUB a.* 3\r\n"),
            (
                ClientOp::Pub { subject: "a", reply: Some("b"), headers: None, payload: b"" },
                "PUB a b 0\r\n\r\n",
            ),
            (
                ClientOp::Pub { subject: "a", reply: None, headers: Some(headers), payload: b"xy" },
                "HPUB a 18 20\r\nNATS/1.0\r\nA: 1\r\n\r\nxy\r\n",
            ),
        ];
        for (op, expected) in cases {
            assert_eq!(encoded(op).unwrap(), expected);
        }
    }

    #[test]
    fn a_line_that_no_server_reads_is_refused() {
        let (half, longer) = ("x".repeat(NAMES_MAX / 2), "x".repeat(NAMES_MAX / 2 + 1));
        let subscribe = |queue| encoded(ClientOp::Sub { subject: &half, queue: Some(queue), sid: u64::MAX });
        assert!(subscribe(&half).is_ok());
        let error = EncodeError::NamesTooLong { bytes: NAMES_MAX + 1, limit: NAMES_MAX };
        assert_eq!(subscribe(&longer), Err(error.clone()));
        let publish = ClientOp::Pub { subject: &longer, reply: Some(&half), headers: None, payload: b"" };
        assert_eq!(encoded(publish), Err(error));
    }

    #[test]
    fn connect_carries_credentials_but_never_shows_them() {
        let connect =
            Connect { user: Some("derek".into()), pass: Some("s3cr3t".into()), ..Connect::default() };
        let written = encoded(ClientOp::Connect(&connect)).unwrap();
        let json: serde_json::Value =
            serde_json::from_str(written.strip_prefix("CONNECT ").unwrap()).unwrap();
        assert_eq!(
            (&json["user"], &json["pass"], &json["nkey"]),
            (&"derek".into(), &"s3cr3t".into(), &().into())
        );
        assert_eq!(
            (&json["echo"], &json["verbose"], &json["protocol"]),
            (&true.into(), &false.into(), &1.into())
        );
        assert!(!format!("{connect:?}").contains("s3cr3t"));
    }

    #[test]
    fn names_and_headers_cannot_smuggle_operations_in() {
        for subject in ["", "a b", "a\r\nPUB b 0"] {
            let publish = ClientOp::Pub { subject, reply: None, headers: None, payload: b"" };
            assert!(matches!(encoded(publish), Err(EncodeError::BadName(_))), "{subject:?}");
        }
        let publish = ClientOp::Pub { subject: "a", reply: None, headers: Some(b"A: 1\r\n"), payload: b"" };
        assert_eq!(encoded(publish), Err(EncodeError::BadHeaders));
    }
}
