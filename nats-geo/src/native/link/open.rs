//! This module opens a link. It switches off all features of async-nats that would choose a server or reconnect.

use std::error::Error as _;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_nats::{
    Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ReconnectToServer, Server, ServerAddr,
    ServerError, ServerInfo, Subscriber,
};
use futures_util::StreamExt as _;
use tokio::sync::{Notify, mpsc, watch};

use super::dialled::Dialled;
use super::guard::{self, Guard};
use super::watch_end;
use super::{Link, Outflow, Replies, Reports, State, Unconfirmed};
use crate::core::{ConnId, OpenError, ProbeError};
use crate::native::ConnectionOptions;
use crate::native::lines;
use crate::native::options::Customize;
use crate::native::resend::ResendBuffer;
use crate::native::target::Target;
use crate::native::tls::{self, Sessions};
use crate::wire::Complaint;

/// What all connections of a client have in common.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) name: Option<String>,
    pub(crate) sessions: Arc<Sessions>,
    /// Where publishes are kept until they are confirmed, if they are to arrive at least once.
    pub(crate) kept: Option<Arc<ResendBuffer>>,
    pub(crate) customize: Option<Customize>,
    /// The longest line that servers read, in bytes.
    pub(crate) max_control_line: usize,
    pub(crate) guard: Arc<Guard>,
}

impl Settings {
    /// The options of a connection, and the address to dial from.
    pub(super) fn connection(&self, options: ConnectOptions) -> (ConnectOptions, Option<SocketAddr>) {
        let options = ConnectionOptions::new(options);
        match &self.customize {
            Some(customize) => customize(options),
            None => options,
        }
        .into_parts()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Dials, sends CONNECT and waits for PONG, all within `limit`. No subscription is installed but the one to
/// the link's own inbox.
pub(crate) async fn open(
    conn: ConnId,
    target: &Target,
    settings: &Settings,
    limit: Duration,
    reports: Reports,
) -> Result<(Link, ServerInfo), OpenError> {
    let opening = async {
        let (client, events) = connect(target, settings, limit, (conn, &reports)).await?;
        // It has read INFO before it was connected.
        let info = client.try_server_info().unwrap_or_default();
        let replies = Arc::new(Replies::new(&client.new_inbox()));
        lines::check_subscription(&replies.subject(), None, settings.max_control_line)
            .map_err(|error| OpenError::Other(format!("`custom_inbox_prefix`: {error}")))?;
        let inbox =
            client.subscribe(replies.subject()).await.map_err(|error| OpenError::Other(error.to_string()))?;
        let state = Arc::new(State {
            replies: Arc::clone(&replies),
            // What cannot be in the channel any more was written; one more is in the books while it is offered.
            unconfirmed: Mutex::new(Unconfirmed::new(COMMANDS_MAX + 1)),
            kept: settings.kept.clone(),
            published: Notify::new(),
            statistics: client.statistics(),
            ended: watch::Sender::new(false),
            left: watch::Sender::new(false),
            closing: AtomicBool::new(false),
            echoes: OnceLock::new(),
            unwritten_pings: AtomicUsize::new(0),
            outflow: Mutex::new(Outflow::new()),
            installs: Mutex::default(),
            over_limit: AtomicUsize::new(0),
            longest_names: AtomicUsize::new(0),
            server_id: info.server_id.clone(),
            guard: Arc::clone(&settings.guard),
        });
        let inbox_reader = tokio::spawn(read_inbox(inbox, replies)).abort_handle();
        tokio::spawn(watch_end::watch(conn, Arc::clone(&state), events, reports));
        let (sending_again, asking_again) = Default::default();
        Ok((Link { conn, client, state, inbox_reader, sending_again, asking_again }, info))
    };
    match tokio::time::timeout(limit, opening).await.unwrap_or(Err(OpenError::TimedOut)) {
        Err(OpenError::TimedOut) if target.awaits_tls => {
            Err(OpenError::Tls(ProbeError::AwaitsTls.to_string()))
        }
        result => result,
    }
}

/// Commands that wait in front of async-nats' write buffer: enough to fill a write of 64 KiB with small
/// messages, few enough that a PING is not stuck behind thousands (its default is 2048).
pub(crate) const COMMANDS_MAX: usize = 256;

/// The core watches links by its own PINGs. async-nats must not be quicker, but it is what ends the task of
/// a killed link whose write buffer is full: after three intervals of silence.
const PING_INTERVAL: Duration = Duration::from_secs(4);

/// Events that wait for us; more are dropped by async-nats, which would be a flood of slow consumers.
const EVENTS_MAX: usize = 128;

/// Nobody listens at port 0, so a dial fails at once, without a packet.
const DEAD_END: &str = "nats://127.0.0.1:0";

/// Connects; through the guard if the client needs it.
async fn connect(
    target: &Target,
    settings: &Settings,
    limit: Duration,
    (conn, reports): (ConnId, &Reports),
) -> Result<(Client, mpsc::Receiver<Event>), OpenError> {
    let guard = &settings.guard;
    let guarded = || async {
        let way = guard::lead(target, settings, (conn, reports.clone())).await?;
        connect_to(Dialled::relay(way.url), Some(way.pass), target, settings, limit).await
    };
    let can_be_guarded = !target.scheme.is_websocket();
    if can_be_guarded && (guard.is_on() || target.must_prove_itself(&settings.sessions)) {
        return guarded().await;
    }
    let dialled = Dialled::choose(target, &settings.sessions).await?;
    let connected = connect_to(dialled, settings.name.clone(), target, settings, limit).await?;
    let lives = connected.0.try_server_info().is_some_and(|info| guard.lives(&info.server_id));
    if can_be_guarded && lives {
        // If that fails, the connection without a guard has to do.
        return guarded().await.or(Ok(connected));
    }
    Ok(connected)
}

async fn connect_to(
    dialled: Dialled,
    name: Option<String>,
    target: &Target,
    settings: &Settings,
    limit: Duration,
) -> Result<(Client, mpsc::Receiver<Event>), OpenError> {
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    let dials_tls = dialled.has_tls_of_nats();
    let pool = [server(&dialled.url)?, server(DEAD_END)?];
    let (mut options, local_address) = settings.connection(target.auth.options());
    if let Some(local_address) = local_address.filter(|_| !dialled.is_relay()) {
        options = options.local_address(local_address);
    }
    if let Some(name) = name {
        options = options.name(name);
    }
    let client = dialled
        .apply(options)
        .client_capacity(COMMANDS_MAX)
        .ping_interval(PING_INTERVAL)
        .connection_timeout(limit)
        .ignore_discovered_servers()
        .retain_servers_order()
        .max_reconnects(1)
        .reconnect_to_server_callback(|pool, _info| async move { only_once(pool) })
        .event_callback(move |event| {
            let sender = sender.clone();
            // The receiver lives as long as the client.
            async move {
                let _ = sender.send(event).await;
            }
        })
        .connect(pool.as_slice())
        .await
        .map_err(|error| open_error(&error, target, dials_tls))?;
    Ok((client, events))
}

/// async-nats cannot be told not to reconnect, but which server of its pool to dial: the real one at first,
/// a dead end once it has been connected. That dial fails at once, the second attempt is one too many for
/// `max_reconnects(1)`, and the client ends by itself: subscribers, requests and the command channel with it.
fn only_once(pool: Vec<Server>) -> Option<ReconnectToServer> {
    let was_connected = pool.iter().any(|server| server.did_connect);
    let mut pool = pool.into_iter();
    let choice = if was_connected { pool.next_back() } else { pool.next() };
    choice.map(|server| ReconnectToServer { addr: server.addr, delay: Some(Duration::ZERO) })
}

async fn read_inbox(mut inbox: Subscriber, replies: Arc<Replies>) {
    while let Some(message) = inbox.next().await {
        replies.deliver(message);
    }
}

fn server(url: &str) -> Result<ServerAddr, OpenError> {
    url.parse().map_err(|error: io::Error| OpenError::Other(error.to_string()))
}

fn open_error(error: &ConnectError, target: &Target, dials_tls: bool) -> OpenError {
    let tls_error = tls::find_error(error);
    let is_in_clear = || is_end(error) || tls_error.is_some_and(tls::is_in_clear);
    if dials_tls && target.reached.is_some() && is_in_clear() {
        return OpenError::Overloaded(ENDED_BEFORE_TLS.into());
    }
    if let Some(error) = tls_error {
        return OpenError::Tls(tls::explain(error, target.name()));
    }
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            OpenError::Auth(error.to_string())
        }
        ConnectErrorKind::TimedOut => OpenError::TimedOut,
        ConnectErrorKind::Dns => OpenError::Unreachable(error.to_string()),
        _ => {
            let source = error.source();
            let io = source.and_then(|source| source.downcast_ref::<io::Error>());
            let server = source.and_then(|source| source.downcast_ref::<ServerError>());
            match (io, server) {
                (Some(io), _) => transport_error(io),
                (_, Some(ServerError::Other(text))) => server_error(text),
                _ => OpenError::Other(error.to_string()),
            }
        }
    }
}

fn is_end(error: &ConnectError) -> bool {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    io.is_some_and(|io| matches!(io.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset))
}

/// A probe has found that the server has TLS. When it limits the rate of connections it says so in clear while the client
/// begins its handshake: async-nats takes the words for TLS, or leaves them behind in a buffer.
const ENDED_BEFORE_TLS: &str =
    "the server ended the connection during the handshake: it may limit the rate of connections";

pub(super) fn transport_error(error: &io::Error) -> OpenError {
    match error.kind() {
        ErrorKind::ConnectionRefused => OpenError::Refused,
        ErrorKind::TimedOut => OpenError::TimedOut,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
            OpenError::Unreachable(error.to_string())
        }
        _ => OpenError::Other(error.to_string()),
    }
}

/// What nats-server says when it closes a connection before PONG.
fn server_error(text: &str) -> OpenError {
    match Complaint::of(text) {
        Complaint::AccountConnections => OpenError::ConnectionLimit,
        Complaint::ServerConnections => OpenError::ServerFull,
        Complaint::Overload => OpenError::Overloaded(text.to_owned()),
        Complaint::Credentials => OpenError::Auth(text.to_owned()),
        _ => OpenError::Other(text.to_owned()),
    }
}
