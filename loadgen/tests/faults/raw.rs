//! A NATS client made of a plain socket. It shows all events of its connection, and repairs nothing.

use std::io;
use std::time::{Duration, Instant};

use loadgen::clock;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{LIMIT, SILENCE};

/// A connection that has read INFO and sent CONNECT.
pub(crate) struct RawClient {
    stream: BufReader<TcpStream>,
    info: Value,
}

/// How a connection went on.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Seen {
    /// A line that was looked for.
    Line(String),
    /// Neither that line nor an end.
    Silence,
    /// FIN.
    End,
    /// RST.
    Reset,
}

impl RawClient {
    pub(crate) async fn connect(addr: &str) -> Self {
        Self::try_connect(addr).await.unwrap_or_else(|seen| panic!("no INFO of {addr}: {seen:?}"))
    }

    /// Connects, unless no INFO comes.
    async fn try_connect(addr: &str) -> Result<Self, Seen> {
        let Ok(stream) = TcpStream::connect(addr).await else { return Err(Seen::End) };
        stream.set_nodelay(true).unwrap();
        let mut client = Self { stream: BufReader::new(stream), info: Value::Null };
        match client.hears("INFO", LIMIT).await {
            Seen::Line(line) => client.info = serde_json::from_str(line.trim_start_matches("INFO ")).unwrap(),
            other => return Err(other),
        }
        client.send("CONNECT {\"verbose\":false,\"protocol\":1,\"name\":\"raw\"}\r\n").await;
        Ok(client)
    }

    /// Connects as a user.
    pub(crate) async fn connect_as(addr: &str, user: &str, password: &str) -> Self {
        let mut stream = BufReader::new(TcpStream::connect(addr).await.unwrap());
        let mut info = String::new();
        stream.read_line(&mut info).await.unwrap();
        let mut client = Self { stream, info: Value::Null };
        let login = serde_json::json!({ "verbose": false, "user": user, "pass": password, "name": user });
        client.send(&format!("CONNECT {login}\r\n")).await;
        client
    }

    /// Whether a new connection gets INFO and PONG.
    pub(crate) async fn works(addr: &str) -> bool {
        match Self::try_connect(addr).await {
            Ok(mut client) => client.pong().await,
            Err(_) => false,
        }
    }

    /// Its number in `/connz`.
    pub(crate) fn cid(&self) -> u64 {
        self.info["client_id"].as_u64().unwrap()
    }

    /// Writes; the end of the connection shows at the next read.
    pub(crate) async fn send(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Whether a PING is answered soon.
    pub(crate) async fn pong(&mut self) -> bool {
        matches!(self.ping(SILENCE).await, Seen::Line(_))
    }

    /// The consequence of a PING.
    pub(crate) async fn ping(&mut self, limit: Duration) -> Seen {
        self.send("PING\r\n").await;
        self.hears("PONG", limit).await
    }

    /// Time from a PING to its PONG.
    pub(crate) async fn rtt(&mut self) -> Duration {
        let start: Instant = clock::now();
        let seen = self.ping(LIMIT).await;
        assert!(matches!(seen, Seen::Line(_)), "{seen:?}");
        start.elapsed()
    }

    /// Waits for a line that begins with `word`. It answers the server's own PINGs.
    pub(crate) async fn hears(&mut self, word: &str, limit: Duration) -> Seen {
        let listen = async {
            loop {
                let mut line = String::new();
                match self.stream.read_line(&mut line).await {
                    Ok(0) => return Seen::End,
                    Ok(_) if line.starts_with(word) => return Seen::Line(line.trim_end().to_owned()),
                    Ok(_) if line.starts_with("PING") => self.send("PONG\r\n").await,
                    Ok(_) => {}
                    Err(error) => return Self::seen(&error),
                }
            }
        };
        timeout(limit, listen).await.unwrap_or(Seen::Silence)
    }

    /// Waits for the end of the connection, and reads on until then.
    pub(crate) async fn ends(&mut self) -> Seen {
        self.hears("there is no such line", LIMIT).await
    }

    /// The next bytes, once there are that many.
    pub(crate) async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        timeout(LIMIT, self.stream.read_exact(&mut bytes)).await.expect("too few bytes").unwrap();
        bytes
    }

    fn seen(error: &io::Error) -> Seen {
        match error.kind() {
            io::ErrorKind::ConnectionReset => Seen::Reset,
            kind => panic!("neither FIN nor RST: {kind:?}"),
        }
    }
}

/// Whether a dial is refused. A listener that closes meanwhile resets it, which is no refusal.
pub(crate) async fn is_refused(addr: &str) -> bool {
    match TcpStream::connect(addr).await.map_err(|error| error.kind()) {
        Ok(_) | Err(io::ErrorKind::ConnectionReset) => false,
        Err(io::ErrorKind::ConnectionRefused) => true,
        Err(kind) => panic!("neither accepted nor refused: {kind:?}"),
    }
}

/// How a connection goes on that was just dialled and hears no INFO.
pub(crate) async fn dial(addr: &str, limit: Duration) -> Seen {
    let mut stream = match TcpStream::connect(addr).await {
        Ok(stream) => stream,
        // On a busy machine, the RST is there before this end has noticed the handshake.
        Err(error) => return RawClient::seen(&error),
    };
    let mut byte = [0];
    match timeout(limit, stream.read(&mut byte)).await {
        Err(_elapsed) => Seen::Silence,
        Ok(Ok(0)) => Seen::End,
        Ok(Ok(_)) => Seen::Line(String::from_utf8_lossy(&byte).into_owned()),
        Ok(Err(error)) => RawClient::seen(&error),
    }
}

/// A document of a server's monitoring endpoint, such as `/varz`.
pub(crate) async fn monitoring(addr: std::net::SocketAddr, path: &str) -> Value {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, stream.read_to_string(&mut answer)).await.expect("no answer").unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}
