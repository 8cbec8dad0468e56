//! Operations to bytes.

use bytes::{BufMut, BytesMut};

use super::op::VERSION;
use super::{ClientOp, EncodeError};

impl ClientOp<'_> {
    /// Appends the operation to `out`.
    ///
    /// ```
    /// # use nats_geo::wire::ClientOp;
    /// let mut out = bytes::BytesMut::new();
    /// ClientOp::Sub { subject: "orders.>", queue: Some("workers"), sid: 1 }.encode(&mut out)?;
    /// ClientOp::Pub { subject: "orders.new", reply: None, headers: None, payload: b"1" }.encode(&mut out)?;
    /// assert_eq!(&out[..], b"SUB orders.> workers 1\r\nPUB orders.new 1\r\n1\r\n");
    /// # Ok::<(), nats_geo::wire::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// A name that would break the framing, or headers that are no header block; `out` is then unchanged.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        match *self {
            Self::Connect(connect) => {
                let json = serde_json::to_vec(connect).map_err(|e| EncodeError::BadConnect(e.to_string()))?;
                put(out, &[b"CONNECT ", &json]);
            }
            Self::Ping => put(out, &[b"PING"]),
            Self::Pong => put(out, &[b"PONG"]),
            Self::Pub { subject, reply, headers, payload } => publish(out, subject, reply, headers, payload)?,
            Self::Sub { subject, queue, sid } => {
                check(subject)?;
                queue.map_or(Ok(()), check)?;
                out.put_slice(b"SUB ");
                words(out, &[Some(subject), queue]);
                put(out, &[sid.to_string().as_bytes()]);
            }
            Self::Unsub { sid, max: None } => put(out, &[b"UNSUB ", sid.to_string().as_bytes()]),
            Self::Unsub { sid, max: Some(max) } => put(out, &[format!("UNSUB {sid} {max}").as_bytes()]),
        }
        Ok(())
    }
}

fn publish(
    out: &mut BytesMut,
    subject: &str,
    reply: Option<&str>,
    headers: Option<&[u8]>,
    payload: &[u8],
) -> Result<(), EncodeError> {
    check(subject)?;
    reply.map_or(Ok(()), check)?;
    if headers.is_some_and(|block| !block.starts_with(VERSION) || !block.ends_with(b"\r\n\r\n")) {
        return Err(EncodeError::BadHeaders);
    }
    out.put_slice(if headers.is_some() { b"HPUB " } else { b"PUB " });
    words(out, &[Some(subject), reply]);
    match headers {
        Some(block) => {
            put(out, &[format!("{} {}", block.len(), block.len() + payload.len()).as_bytes()]);
            put(out, &[block, payload]);
        }
        None => {
            put(out, &[payload.len().to_string().as_bytes()]);
            put(out, &[payload]);
        }
    }
    Ok(())
}

fn words(out: &mut BytesMut, words: &[Option<&str>]) {
    for word in words.iter().flatten() {
        out.put_slice(word.as_bytes());
        out.put_u8(b' ');
    }
}

fn put(out: &mut BytesMut, parts: &[&[u8]]) {
    for part in parts {
        out.put_slice(part);
    }
    out.put_slice(b"\r\n");
}

/// Names end at white space on the wire, so one that contains it would become two.
fn check(name: &str) -> Result<(), EncodeError> {
    let framed = !name.is_empty() && !name.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control());
    if framed { Ok(()) } else { Err(EncodeError::BadName(name.escape_default().to_string())) }
}

#[cfg(test)]
mod tests {
    use super::super::Connect;
    use super::*;

    fn encoded(op: ClientOp<'_>) -> Result<String, EncodeError> {
        let mut out = BytesMut::new();
        op.encode(&mut out)?;
        Ok(String::from_utf8(out.to_vec()).unwrap())
    }

    #[test]
    fn operations_look_as_the_protocol_says() {
        let headers = b"NATS/1.0\r\nA: 1\r\n\r\n";
        let cases = [
            (ClientOp::Ping, "PING\r\n"),
            (ClientOp::Pong, "PONG\r\n"),
            (ClientOp::Unsub { sid: 3, max: None }, "UNSUB 3\r\n"),
            (ClientOp::Unsub { sid: 3, max: Some(9) }, "UNSUB 3 9\r\n"),
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
    fn connect_carries_credentials_but_never_shows_them() {
        let connect =
            Connect { user: Some("derek".into()), pass: Some("s3cr3t".into()), ..Connect::default() };
        assert!(encoded(ClientOp::Connect(&connect)).unwrap().contains(r#""pass":"s3cr3t""#));
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
