//! The relay in this process between async-nats and a server.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_nats::ConnectOptions;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::scrub::{Scrubbed, Scrubber};
use crate::core::{ConnId, OpenError};
use crate::native::link::open::{Settings, transport_error};
use crate::native::link::{Report, Reports};
use crate::native::target::{Encryption, Target};
use crate::native::tls;
use crate::native::unique::unique;
use crate::wire::{Decoder, ServerOp};

/// The address for async-nats, and the connection name by which the relay recognises it.
pub(in crate::native::link) struct Way {
    pub(in crate::native::link) url: String,
    pub(in crate::native::link) pass: String,
}

/// Dials the server, and waits for async-nats at a port of this machine.
///
/// Another program of this machine could connect to that port first, and would get at the server with our client
/// certificate. So the relay passes nothing on before it has seen the name in CONNECT, which no other program knows.
pub(in crate::native::link) async fn lead(
    target: &Target,
    settings: &Settings,
    (conn, reports): (ConnId, Reports),
) -> Result<Way, OpenError> {
    let (server, info) = dial(target, settings).await?;
    check_cluster(target, &info)?;
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| transport_error(&error))?;
    let port = listener.local_addr().map_err(|error| transport_error(&error))?.port();
    let pass = unique();
    let relay = Relay { server, pass: pass.clone(), settings: settings.clone(), conn, reports };
    tokio::spawn(async move {
        // async-nats sees the end of its connection, whatever it was.
        let _ = relay.run(listener, info).await;
    });
    Ok(Way { url: format!("nats://{}:{port}", Ipv4Addr::LOCALHOST), pass })
}

/// Before credentials are shown to whoever answers at an advertised address.
fn check_cluster(target: &Target, info: &[u8]) -> Result<(), OpenError> {
    let Some(mut advertised) = target.unproven.clone() else { return Ok(()) };
    let mut decoder = Decoder::with_max_payload(0);
    decoder.feed(info);
    let Ok(Some(ServerOp::Info(info))) = decoder.next_op() else {
        return Err(OpenError::Other("the server did not begin with INFO".into()));
    };
    match advertised.contradiction(info.cluster.as_deref()) {
        Some((expected, found)) => Err(OpenError::OtherCluster { expected, found }),
        None => Ok(()),
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

type BoxedSocket = Box<dyn Socket>;

/// Connects, encrypts if that is asked for, and reads INFO.
async fn dial(target: &Target, settings: &Settings) -> Result<(BoxedSocket, Vec<u8>), OpenError> {
    let failed = |error: io::Error| match tls::find_error(&error) {
        Some(error) => OpenError::Tls(tls::explain(error, target.name())),
        None => transport_error(&error),
    };
    let address = match target.dial_at() {
        Some(address) => address,
        None => {
            let found = lookup_host((target.address.host.as_str(), target.address.port)).await;
            let first = found.map_err(failed)?.next();
            first.ok_or_else(|| OpenError::Unreachable(format!("{} has no address", target.address)))?
        }
    };
    let (_, local_address) = settings.connection(ConnectOptions::new());
    let socket = connect(address, local_address).await.map_err(failed)?;
    socket.set_nodelay(true).map_err(failed)?;
    let encryption = target.encryption(&settings.sessions);
    let mut socket: BoxedSocket = Box::new(socket);
    if encryption == Encryption::First {
        socket = encrypted(socket, target, settings).await?.map_err(failed)?;
    }
    let info = read_line(&mut socket).await.map_err(failed)?;
    if encryption == Encryption::AfterInfo {
        if !info.ends_with(b"\n") {
            return Err(OpenError::Tls("the server sent data before the end of the TLS handshake".into()));
        }
        socket = encrypted(socket, target, settings).await?.map_err(failed)?;
    }
    Ok((socket, info))
}

async fn connect(address: SocketAddr, local_address: Option<SocketAddr>) -> io::Result<TcpStream> {
    let Some(local_address) = local_address else { return TcpStream::connect(address).await };
    let socket = if local_address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(local_address)?;
    socket.connect(address).await
}

async fn encrypted(
    socket: BoxedSocket,
    target: &Target,
    settings: &Settings,
) -> Result<io::Result<BoxedSocket>, OpenError> {
    let config = settings.sessions.config().await.map_err(|error| OpenError::Tls(error.to_string()))?;
    let name = ServerName::try_from(target.name().to_owned()).map_err(|_| {
        OpenError::Tls(format!("`{}` is not a name that a certificate can be for", target.name()))
    })?;
    let session = TlsConnector::from(Arc::clone(&config)).connect(name, socket).await;
    Ok(session.map(|session| Box::new(session) as BoxedSocket))
}

struct Relay {
    server: BoxedSocket,
    pass: String,
    settings: Settings,
    conn: ConnId,
    reports: Reports,
}

impl Relay {
    async fn run(self, listener: TcpListener, info: Vec<u8>) -> io::Result<()> {
        let accepting = tokio::time::timeout(ACCEPT_LIMIT, listener.accept());
        let (mut client, _) = accepting.await.map_err(|_| ErrorKind::TimedOut)??;
        drop(listener);
        client.set_nodelay(true)?;
        let (info, behind) = split_line(&info);
        client.write_all(&without_tls(info)?).await?;
        let connect = read_line(&mut client).await?;
        let (connect, more) = split_line(&connect);
        let Self { mut server, pass, settings, conn, reports } = self;
        let connect = named(connect, &pass, settings.name.as_deref()).ok_or(ErrorKind::PermissionDenied)?;
        server.write_all(&[&connect, more].concat()).await?;
        server.flush().await?;
        let ((from_client, to_client), (from_server, to_server)) = (split(client), split(server));
        tokio::select! {
            done = scrub(behind, from_server, to_client, (&settings, conn, &reports)) => done,
            done = copy(from_client, to_server) => done,
        }
    }
}

/// From the server to async-nats.
async fn scrub(
    behind: &[u8],
    mut from: ReadHalf<BoxedSocket>,
    mut to: WriteHalf<TcpStream>,
    (settings, conn, reports): (&Settings, ConnId, &Reports),
) -> io::Result<()> {
    let (mut scrubber, mut out) = (Scrubber::default(), Vec::new());
    let mut input = behind.to_vec();
    loop {
        let mut found: Vec<Scrubbed> = Vec::new();
        scrubber
            .pass(&input, &mut out, |it| found.push(it))
            .map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
        to.write_all(&out).await?;
        out.clear();
        for scrubbed in found {
            settings.guard.was_needed();
            // Nobody listens any more when the whole client has ended.
            let _ = reports.send((conn, Report::Scrubbed(scrubbed))).await;
        }
        input.clear();
        input.reserve(CHUNK);
        if from.read_buf(&mut input).await? == 0 {
            return to.shutdown().await;
        }
    }
}

/// From async-nats to the server.
async fn copy(mut from: ReadHalf<TcpStream>, mut to: WriteHalf<BoxedSocket>) -> io::Result<()> {
    let mut chunk = Vec::with_capacity(CHUNK);
    while from.read_buf(&mut chunk).await? > 0 {
        to.write_all(&chunk).await?;
        to.flush().await?;
        chunk.clear();
    }
    to.shutdown().await
}

/// As much as async-nats writes at once.
const CHUNK: usize = 64 << 10;

/// async-nats connects as soon as it knows the port.
const ACCEPT_LIMIT: Duration = Duration::from_secs(5);

/// An INFO or CONNECT that is longer is none.
const LINE_MAX: usize = 1 << 20;

/// Reads up to the end of the first line, and what came with it.
async fn read_line(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while !line.contains(&b'\n') {
        if line.len() > LINE_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        if from.read_buf(&mut line).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(line)
}

fn split_line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').map_or(input.len(), |end| end + 1);
    input.split_at(end)
}

/// INFO for async-nats, which must not encrypt the way to the relay.
fn without_tls(info: &[u8]) -> io::Result<Vec<u8>> {
    let Some(json) = info.strip_prefix(b"INFO ") else { return Ok(info.to_vec()) };
    let mut fields: Map<String, Value> = serde_json::from_slice(json)?;
    for field in ["tls_required", "tls_available", "tls_verify"] {
        fields.remove(field);
    }
    Ok([b"INFO ".as_slice(), &serde_json::to_vec(&fields)?, b"\r\n"].concat())
}

/// CONNECT with the name that the server is to see; `None` if this is not async-nats.
fn named(connect: &[u8], pass: &str, name: Option<&str>) -> Option<Vec<u8>> {
    let mut fields: Map<String, Value> = serde_json::from_slice(connect.strip_prefix(b"CONNECT ")?).ok()?;
    if fields.get("name").and_then(Value::as_str) != Some(pass) {
        return None;
    }
    fields.insert("name".into(), name.map_or(Value::Null, Value::from));
    let json = serde_json::to_vec(&fields).ok()?;
    Some([b"CONNECT ".as_slice(), &json, b"\r\n"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_knows_the_pass_gets_through() {
        let connect = br#"CONNECT {"name":"7f","echo":true}"#;
        assert_eq!(named(connect, "80", None), None);
        let named = named(connect, "7f", Some("shop")).unwrap();
        assert_eq!(named, b"CONNECT {\"echo\":true,\"name\":\"shop\"}\r\n");
    }

    #[test]
    fn info_says_nothing_of_tls() {
        let info = without_tls(b"INFO {\"server_id\":\"A\",\"tls_required\":true}\r\n").unwrap();
        assert_eq!(info, b"INFO {\"server_id\":\"A\"}\r\n");
    }
}
