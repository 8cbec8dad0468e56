//! Queries and answers of DNS, as bytes that tests make and read themselves.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::LIMIT;

/// Types of RFC 1035 and RFC 2782.
pub(crate) const A: u16 = 1;
pub(crate) const SRV: u16 = 33;

/// An answer of a resolver.
pub(crate) struct Answer {
    pub(crate) code: u8,
    /// Type and content of each record of the answer section.
    pub(crate) records: Vec<(u16, Vec<u8>)>,
}

impl Answer {
    pub(crate) fn srv_ports(&self) -> Vec<u16> {
        let srv = self.records.iter().filter(|(kind, _)| *kind == SRV);
        let mut ports: Vec<_> = srv.map(|(_, data)| u16::from_be_bytes([data[4], data[5]])).collect();
        ports.sort_unstable();
        ports
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        let a = self.records.iter().filter(|(kind, _)| *kind == A);
        a.map(|(_, data)| data.iter().map(u8::to_string).collect::<Vec<_>>().join(".")).collect()
    }
}

pub(crate) async fn query(resolver: SocketAddr, name: &str, kind: u16) -> Answer {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&question(name, kind), resolver).await.unwrap();
    let mut bytes = [0; 4096];
    let length = timeout(LIMIT, socket.recv(&mut bytes)).await.expect("an answer").unwrap();
    read(&bytes[..length])
}

pub(crate) async fn over_tcp(resolver: SocketAddr, name: &str, kind: u16) -> io::Result<Answer> {
    let mut socket = TcpStream::connect(resolver).await?;
    let question = question(name, kind);
    socket.write_u16(question.len().try_into().unwrap()).await?;
    socket.write_all(&question).await?;
    let mut bytes = vec![0; socket.read_u16().await?.into()];
    socket.read_exact(&mut bytes).await?;
    Ok(read(&bytes))
}

/// A query with one question, of class IN.
pub(crate) fn question(name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(label.len().try_into().unwrap());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend(1_u16.to_be_bytes());
    bytes
}

fn read(bytes: &[u8]) -> Answer {
    let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    assert_eq!(u16_at(0), 0x1234, "the answer to another query");
    assert!(bytes[2] & 0x80 != 0, "a query came back");
    let mut at = 12;
    for _ in 0..u16_at(4) {
        at = after_name(bytes, at) + 4;
    }
    let mut records = Vec::new();
    for _ in 0..u16_at(6) {
        at = after_name(bytes, at);
        let (kind, length) = (u16_at(at), usize::from(u16_at(at + 8)));
        records.push((kind, bytes[at + 10..at + 10 + length].to_vec()));
        at += 10 + length;
    }
    Answer { code: bytes[3] & 0x0f, records }
}

/// Names end with an empty label, or with a pointer of two bytes.
fn after_name(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match bytes[at] {
            0 => return at + 1,
            length if length & 0xc0 == 0xc0 => return at + 2,
            length => at += 1 + usize::from(length),
        }
    }
}
