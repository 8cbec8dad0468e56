//! Probes: how far a server is, and who it is, on a connection of its own.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::{self, FutureExt as _};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpStream, lookup_host};

use super::clock;
use super::link::Target;
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
/// the time to INFO: it says nothing about distance.
pub(crate) async fn probe(target: &Target, limit: Duration) -> Result<Answer, ProbeError> {
    tokio::time::timeout(limit, resolve_and_dial(target)).await.unwrap_or(Err(ProbeError::TimedOut))
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

/// The next address is dialled when the one before has not answered for this long: the Connection Attempt
/// Delay of RFC 8305, section 5. A broken IPv6 path then costs 250 ms, not the whole limit.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// SYN and SYN-ACK are one; our ACK, on which the server accepts and writes INFO, and the INFO the other.
const ROUND_TRIPS: u8 = 2;

async fn resolve_and_dial(target: &Target) -> Result<Answer, ProbeError> {
    let address = &target.address;
    let resolved: Vec<_> = match (lookup_host((address.host.as_str(), address.port)).await, target.reached) {
        (Ok(addresses), _) => addresses.take(ADDRESSES_MAX).collect(),
        // The resolver may be down together with a region: the last address that answered is still good.
        (Err(_), Some(reached)) => vec![reached],
        (Err(error), None) => {
            return Err(ProbeError::Unreachable(format!("{address} cannot be resolved: {error}")));
        }
    };
    let attempts = resolved.into_iter().zip(0..).map(|(socket, nth)| {
        async move {
            tokio::time::sleep(ATTEMPT_DELAY * nth).await;
            dial(socket).await
        }
        .boxed()
    });
    let attempts: Vec<_> = attempts.collect();
    if attempts.is_empty() {
        return Err(ProbeError::Unreachable(format!("{address} has no address")));
    }
    future::select_ok(attempts).await.map(|(answer, _slower)| answer)
}

async fn dial(address: SocketAddr) -> Result<Answer, ProbeError> {
    let started = clock::now();
    let mut socket = TcpStream::connect(address).await.map_err(|error| dial_error(&error))?;
    // Nothing is sent, but the FIN should not wait either.
    socket.set_nodelay(true).map_err(|error| dial_error(&error))?;
    let info = read_info(&mut socket).await?;
    let report = ProbeReport {
        time_to_info: clock::since(started),
        round_trips: ROUND_TRIPS,
        identity: identity(&info),
    };
    Ok(Answer { report, info, reached: address })
}

async fn read_info(socket: &mut TcpStream) -> Result<Info, ProbeError> {
    /// A usual INFO has 300 to 1500 bytes.
    const READ_SIZE: usize = 4 << 10;
    let mut decoder = Decoder::with_max_payload(0);
    let mut chunk = BytesMut::with_capacity(READ_SIZE);
    loop {
        chunk.clear();
        let read = socket.read_buf(&mut chunk).await.map_err(|error| dial_error(&error))?;
        decoder.feed(&chunk);
        match decoder.next_op() {
            Ok(Some(ServerOp::Info(info))) => return Ok(*info),
            Ok(Some(ServerOp::Err(text))) => return Err(ProbeError::NotNats(format!("it said `{text}`"))),
            Ok(Some(_)) => return Err(ProbeError::NotNats("it did not begin with INFO".into())),
            Ok(None) if read == 0 => return Err(ProbeError::Closed),
            Ok(None) => {}
            Err(error) => return Err(ProbeError::NotNats(error.to_string())),
        }
    }
}

fn dial_error(error: &io::Error) -> ProbeError {
    match error.kind() {
        ErrorKind::ConnectionRefused => ProbeError::Refused,
        ErrorKind::TimedOut => ProbeError::TimedOut,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            ProbeError::Closed
        }
        _ => ProbeError::Unreachable(error.to_string()),
    }
}
