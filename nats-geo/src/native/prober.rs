//! Probes. A probe measures the distance to a server and reads its identity, on a separate connection.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::FutureExt as _;
use futures_util::stream::{self, FuturesUnordered};
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, ProtocolVersion};

use super::clock;
use super::metered::Metered;
use super::target::{Encryption, Target, bracketed};
use super::tls::{self, Sessions};
use crate::core::{ProbeError, ProbeReport, ServerIdentity};
use crate::wire::{Decoder, Info, ServerOp};

/// What a probe that was answered learned.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) report: ProbeReport,
    pub(crate) info: Info,
    /// The socket address that answered: a link to it needs no resolver.
    pub(crate) reached: SocketAddr,
}

/// Resolves and dials the target, reads INFO and hangs up, all within `limit`. Resolving takes no part in
/// the time to INFO: it says nothing about distance. What goes over its sockets is added to `bytes`.
pub(crate) async fn probe(
    target: &Target,
    sessions: &Sessions,
    limit: Duration,
    bytes: &AtomicU64,
) -> Result<Answer, ProbeError> {
    // The other half is for the handshake that tells why.
    let silent_after = limit / 2;
    let probing = resolve_and_dial(target, sessions, silent_after, bytes);
    tokio::time::timeout(limit, probing).await.unwrap_or(Err(ProbeError::TimedOut))
}

/// Who a server says it is.
pub(crate) fn identity(info: &Info) -> ServerIdentity {
    let mut identity = ServerIdentity::new(&info.server_id, info.cluster.as_deref());
    identity.server_name.clone_from(&info.server_name);
    identity.version.clone_from(&info.version);
    identity
}

/// A name with more addresses than this is a pool behind one name; its first ones stand for all.
const ADDRESSES_MAX: usize = 4;

/// The next address is dialled when the one before has failed, or has not answered for this long: the Connection Attempt
/// Delay of RFC 8305, section 5. A broken IPv6 path then costs 250 ms, not the whole limit.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

async fn resolve_and_dial(
    target: &Target,
    sessions: &Sessions,
    silent_after: Duration,
    bytes: &AtomicU64,
) -> Result<Answer, ProbeError> {
    let resolved = resolve(target).await?;
    let dialling = &Dialling::new(target, sessions, silent_after, bytes).await?;
    race(resolved.into_iter().map(|socket| dialling.dial(socket).boxed()))
        .await
        .unwrap_or_else(|| Err(ProbeError::Unreachable(format!("{} has no address", target.address))))
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, ProbeError> {
    let address = &target.address;
    if !target.resolved.is_empty() {
        let sockets = target.resolved.iter().map(|ip| SocketAddr::new(*ip, address.port));
        return Ok(sockets.take(ADDRESSES_MAX).collect());
    }
    match (lookup_host((address.host.as_str(), address.port)).await, target.reached) {
        (Ok(addresses), _) => Ok(addresses.take(ADDRESSES_MAX).collect()),
        // The resolver may be down together with a region: the last address that answered is still good.
        (Err(_), Some(reached)) => Ok(vec![reached]),
        (Err(error), None) => {
            Err(ProbeError::Unreachable(format!("the lookup of `{address}` failed: {error}")))
        }
    }
}

/// The first success, else the last failure; `None` without any attempt. The next attempt begins when the one before
/// has failed, or has taken too long.
async fn race<T, E, F: Future<Output = Result<T, E>> + Unpin>(
    mut waiting: impl Iterator<Item = F>,
) -> Option<Result<T, E>> {
    let mut running = FuturesUnordered::new();
    running.push(waiting.next()?);
    let mut last_failure = None;
    loop {
        tokio::select! {
            done = running.next() => match done {
                Some(Ok(winner)) => return Some(Ok(winner)),
                Some(Err(error)) => {
                    last_failure = Some(Err(error));
                    running.extend(waiting.next());
                }
                None => return last_failure,
            },
            () = tokio::time::sleep(ATTEMPT_DELAY) => running.extend(waiting.next()),
        }
    }
}

/// What is the same for all addresses of a target; made before the time is taken.
struct Dialling<'a> {
    target: &'a Target,
    encryption: Encryption,
    /// For TLS that comes before INFO. A probe that has read INFO hangs up: what follows belongs to links.
    first: Option<Handshake>,
    sessions: &'a Sessions,
    /// How long a server may be silent before it is asked whether it waits for TLS.
    silent_after: Duration,
    bytes: &'a AtomicU64,
}

/// What a TLS handshake needs.
type Handshake = (Arc<ClientConfig>, ServerName<'static>);

impl<'a> Dialling<'a> {
    async fn new(
        target: &'a Target,
        sessions: &'a Sessions,
        silent_after: Duration,
        bytes: &'a AtomicU64,
    ) -> Result<Self, ProbeError> {
        let encryption = target.encryption(sessions);
        let mut dialling = Self { target, encryption, first: None, sessions, silent_after, bytes };
        if encryption == Encryption::First {
            dialling.first = Some(dialling.handshake().await?);
        }
        Ok(dialling)
    }

    async fn handshake(&self) -> Result<Handshake, ProbeError> {
        let config = self.sessions.config().await.map_err(|error| ProbeError::Tls(error.to_string()))?;
        let name = ServerName::try_from(self.target.name().to_owned()).map_err(|_| {
            ProbeError::Tls(format!("`{}` is no name that a certificate could be for", self.target.name()))
        })?;
        Ok((config, name))
    }

    async fn dial(&self, address: SocketAddr) -> Result<Answer, ProbeError> {
        let started = clock::now();
        let socket = TcpStream::connect(address).await.map_err(|error| self.failed(&error))?;
        // Small writes of a handshake should not wait for each other.
        socket.set_nodelay(true).map_err(|error| self.failed(&error))?;
        let socket = Metered::new(socket, self.bytes);
        let is_websocket = self.target.scheme.is_websocket();
        let (info, round_trips) = match &self.first {
            None if is_websocket => (self.greet(socket).await?, round_trips(is_websocket, None)),
            None => tokio::select! {
                biased;
                info = self.greet(socket) => (info?, round_trips(is_websocket, None)),
                () = self.awaits_tls(address) => return Err(ProbeError::AwaitsTls),
            },
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let session = connector.connect(name.clone(), socket).await;
                let session = session.map_err(|error| self.failed(&error))?;
                let tls = session.get_ref().1;
                let round_trips =
                    round_trips(is_websocket, Some((tls.protocol_version(), tls.handshake_kind())));
                (self.greet(session).await?, round_trips)
            }
        };
        if self.encryption == Encryption::AfterInfo && !info.tls_required && !info.tls_available {
            return Err(ProbeError::Tls(tls::NO_TLS.into()));
        }
        let report =
            ProbeReport { time_to_info: clock::since(started), round_trips, identity: identity(&info) };
        Ok(Answer { report, info, reached: address })
    }

    /// Returns if the server says nothing, but answers a TLS handshake on another connection.
    async fn awaits_tls(&self, address: SocketAddr) {
        tokio::time::sleep(self.silent_after).await;
        let handshake = async {
            let (config, name) = self.handshake().await.ok()?;
            let socket = Metered::new(TcpStream::connect(address).await.ok()?, self.bytes);
            let failure = TlsConnector::from(config).connect(name, socket).await.err();
            // A certificate that is refused is an answer in TLS, too.
            let is_tls =
                failure.is_none_or(|error| tls::find_error(&error).is_some_and(|it| !tls::is_in_clear(it)));
            is_tls.then_some(())
        };
        if handshake.await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Reads INFO, after the upgrade to WebSocket if there is one.
    async fn greet(&self, socket: impl AsyncRead + AsyncWrite + Unpin) -> Result<Info, ProbeError> {
        if !self.target.scheme.is_websocket() {
            return read_info(chunks(socket)).await.map_err(|error| self.not_read(error));
        }
        let Target { scheme, address, .. } = self.target;
        let upgrading = tokio_websockets::ClientBuilder::new()
            .uri(&format!("{scheme}://{}:{}{}", bracketed(self.target.name()), address.port, address.path))
            .map_err(|error| ProbeError::NotNats(error.to_string()))?;
        let (socket, _response) =
            upgrading.connect_on(socket).await.map_err(|error| self.no_websocket(error))?;
        let frames = socket.map(|frame| frame.map(|frame| Bytes::from(frame.into_payload())));
        let frames = frames.map(|frame| frame.map_err(websocket_error));
        read_info(std::pin::pin!(frames)).await.map_err(|error| self.not_read(error))
    }

    fn failed(&self, error: &io::Error) -> ProbeError {
        match tls::find_error(error) {
            Some(error) => ProbeError::Tls(tls::explain(error, self.target.name())),
            None => dial_error(error),
        }
    }

    fn no_websocket(&self, error: tokio_websockets::Error) -> ProbeError {
        match error {
            tokio_websockets::Error::Io(error) => self.failed(&error),
            error => ProbeError::NotNats(format!("it does not speak WebSocket: {error}")),
        }
    }

    fn not_read(&self, error: Unread) -> ProbeError {
        match error {
            Unread::Io(error) => self.failed(&error),
            Unread::Probe(error) => error,
        }
    }
}

/// How many round trips it takes from the start of the dial until INFO is here.
///
/// * SYN and SYN-ACK are one.
/// * TLS 1.3 adds one (ClientHello, ServerHello): our Finished goes out with what follows. So does a resumed
///   session of TLS 1.2; a full one adds two, as our Finished must be answered before anything else may be sent.
/// * A ClientHello that the server wants to have again is one more.
/// * The request for WebSocket and its answer are the last one: INFO comes right behind. Without WebSocket the last
///   one is what makes the server speak, and INFO: our ACK over TCP, our Finished over TLS. Over a full TLS 1.2
///   INFO comes right behind the server's Finished, so there the last one is none of its own.
fn round_trips(is_websocket: bool, tls: Option<Established>) -> u8 {
    const TCP: u8 = 1;
    const LAST: u8 = 1;
    let Some((version, kind)) = tls else { return TCP + LAST };
    let is_full = kind != Some(HandshakeKind::Resumed);
    let again = kind == Some(HandshakeKind::FullWithHelloRetryRequest);
    let finished_first = version == Some(ProtocolVersion::TLSv1_2) && is_full && is_websocket;
    TCP + 1 + LAST + u8::from(finished_first) + u8::from(again)
}

/// How a TLS session came about.
type Established = (Option<ProtocolVersion>, Option<HandshakeKind>);

/// Why there is no INFO.
enum Unread {
    Io(io::Error),
    Probe(ProbeError),
}

fn chunks(socket: impl AsyncRead + Unpin) -> impl Stream<Item = io::Result<Bytes>> + Unpin {
    /// A usual INFO has 300 to 1500 bytes.
    const READ_SIZE: usize = 4 << 10;
    Box::pin(stream::try_unfold(socket, async |mut socket| {
        let mut chunk = BytesMut::with_capacity(READ_SIZE);
        let read = socket.read_buf(&mut chunk).await?;
        Ok((read > 0).then_some((chunk.freeze(), socket)))
    }))
}

async fn read_info(mut chunks: impl Stream<Item = io::Result<Bytes>> + Unpin) -> Result<Info, Unread> {
    let mut decoder = Decoder::with_max_payload(0);
    while let Some(chunk) = chunks.next().await {
        decoder.feed(&chunk.map_err(Unread::Io)?);
        let not_nats = |text| Err(Unread::Probe(ProbeError::NotNats(text)));
        match decoder.next_op() {
            Ok(Some(ServerOp::Info(info))) => return Ok(*info),
            Ok(Some(ServerOp::Err(text))) => return not_nats(format!("it said `{text}`")),
            Ok(Some(_)) => return not_nats("it did not begin with INFO".into()),
            Ok(None) => {}
            Err(error) => return not_nats(error.to_string()),
        }
    }
    Err(Unread::Probe(ProbeError::Closed))
}

fn websocket_error(error: tokio_websockets::Error) -> io::Error {
    match error {
        tokio_websockets::Error::Io(error) => error,
        error => io::Error::other(error),
    }
}

fn dial_error(error: &io::Error) -> ProbeError {
    match error.kind() {
        ErrorKind::ConnectionRefused => ProbeError::Refused,
        ErrorKind::TimedOut => ProbeError::TimedOut,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => ProbeError::Closed,
        _ => ProbeError::Unreachable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "the paused clock of the test")]
    async fn the_next_address_is_dialled_after_a_failure_or_a_quarter_of_a_second() {
        let after = |ms, result: Result<u8, u8>| async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            result
        };
        let started = tokio::time::Instant::now;
        let race_of = |attempts: Vec<(u64, Result<u8, u8>)>| async move {
            let before = started();
            let result = race(attempts.into_iter().map(|(ms, result)| after(ms, result).boxed())).await;
            (result, before.elapsed().as_millis())
        };
        assert_eq!(race_of(vec![]).await, (None, 0));
        assert_eq!(race_of(vec![(10, Err(1)), (20, Err(2))]).await, (Some(Err(2)), 30));
        assert_eq!(race_of(vec![(10, Err(1)), (20, Ok(2))]).await, (Some(Ok(2)), 30));
        assert_eq!(race_of(vec![(9_000, Ok(1)), (20, Ok(2))]).await, (Some(Ok(2)), 270));
        assert_eq!(race_of(vec![(260, Ok(1)), (20, Ok(2))]).await, (Some(Ok(1)), 260));
    }

    #[test]
    fn each_layer_has_its_round_trips() {
        let full = |version| Some((Some(version), Some(HandshakeKind::Full)));
        let resumed = |version| Some((Some(version), Some(HandshakeKind::Resumed)));
        let again = Some((Some(ProtocolVersion::TLSv1_3), Some(HandshakeKind::FullWithHelloRetryRequest)));
        let cases = [
            (None, 2, 2),
            (full(ProtocolVersion::TLSv1_3), 3, 3),
            (resumed(ProtocolVersion::TLSv1_3), 3, 3),
            (again, 4, 4),
            (full(ProtocolVersion::TLSv1_2), 3, 4),
            (resumed(ProtocolVersion::TLSv1_2), 3, 3),
        ];
        for (tls, over_tcp, over_websocket) in cases {
            assert_eq!(
                (round_trips(false, tls), round_trips(true, tls)),
                (over_tcp, over_websocket),
                "{tls:?}"
            );
        }
    }
}
