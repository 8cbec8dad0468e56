//! The handshake: from the open socket to a live link, or to the samples of a probe.

use std::time::Duration;

use nats_geo::core::{EndpointId, Event, ProbeReport, ServerIdentity, Time};
use nats_geo::wire::{ClientOp, Connect, Info};

use super::ending::End;
use super::link::{Purpose, SocketId, Step, Whom};
use super::options::Auth;
use super::{Effect, Engine};

/// Credentials that the application's callback returned for one connection. `Debug` hides all of them.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Credentials {
    /// User.
    pub user: Option<String>,
    /// Password of the user.
    pub pass: Option<String>,
    /// Token.
    pub auth_token: Option<String>,
    /// JWT of the user.
    pub jwt: Option<String>,
    /// Public NKey of the user.
    pub nkey: Option<String>,
    /// The signature of the nonce.
    pub sig: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(***)")
    }
}

impl Engine {
    /// Handles the opening of a socket.
    pub fn socket_opened(&mut self, socket: SocketId, now: Time) {
        self.advance(now);
        if let Some(link) = self.links.get_mut(&socket).filter(|link| link.step == Step::Opening) {
            link.step = Step::AwaitInfo;
            self.has_opened(socket);
        }
        self.pump();
    }

    /// Handles the result of the application's callback for this connection: the credentials, or the reason why there
    /// are none.
    pub fn authenticated(&mut self, socket: SocketId, result: Result<Credentials, String>, now: Time) {
        self.advance(now);
        if self.links.get(&socket).is_some_and(|link| link.step == Step::AwaitCredentials) {
            match result {
                Ok(credentials) => self.introduce(socket, credentials),
                Err(text) => self.end_link(socket, End::Auth(text)),
            }
        }
        self.pump();
    }

    /// The first INFO: who are we to be?
    pub(super) fn greeted(&mut self, socket: SocketId) {
        let Some(link) = self.links.get(&socket) else { return };
        let (nonce, cluster) = (link.info.nonce.clone(), link.info.cluster.as_deref());
        // Before it is shown any credentials.
        if let Some((expected, found)) = self.endpoints.contradiction(link.endpoint, cluster) {
            return self.end_link(socket, End::OtherCluster { expected, found });
        }
        match self.options.auth.clone() {
            Auth::None => self.introduce(socket, Credentials::default()),
            Auth::Token(token) => {
                self.introduce(socket, Credentials { auth_token: Some(token), ..Credentials::default() });
            }
            Auth::UserPass(user, pass) => {
                let credentials =
                    Credentials { user: Some(user), pass: Some(pass), ..Credentials::default() };
                self.introduce(socket, credentials);
            }
            Auth::Callback => {
                if let Some(link) = self.links.get_mut(&socket) {
                    link.step = Step::AwaitCredentials;
                }
                let nonce = Some(nonce).filter(|nonce| !nonce.is_empty());
                self.effects.push_back(Effect::Authenticate { socket, nonce });
            }
        }
    }

    fn introduce(&mut self, socket: SocketId, credentials: Credentials) {
        let now = self.now;
        let Credentials { user, pass, auth_token, jwt, nkey, sig } = credentials;
        let Some(link) = self.links.get_mut(&socket) else { return };
        // A server that was told to take no headers refuses whoever wants them.
        let headers = link.info.headers;
        let connect = Connect {
            headers,
            no_responders: headers,
            echo: !self.options.no_echo,
            lang: "nats-geo-wasm".into(),
            name: self.options.name.clone(),
            user,
            pass,
            auth_token,
            jwt,
            nkey,
            sig,
            ..Connect::default()
        };
        link.step = Step::AwaitPong;
        link.send(&ClientOp::Connect(&connect), now);
        link.ping(Whom::Handshake, now);
    }

    /// CONNECT is accepted.
    pub(super) fn accepted(&mut self, socket: SocketId) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&socket) else { return };
        link.step = Step::Live;
        match link.purpose {
            // Not the PONG that CONNECT got: a server may take 50 ms to check a password.
            Purpose::Probe(_) => link.ping(Whom::Sample(1, Duration::MAX), now),
            Purpose::Traffic(conn) => {
                let (endpoint, info) = (link.endpoint, link.info.clone());
                self.tell(Event::Opened { conn, identity: identity(&info) });
                // Its end may have been announced since the first INFO; it is announced only once.
                self.learned(conn, endpoint, &info);
            }
        }
    }

    /// A sample of a probe.
    pub(super) fn sampled(&mut self, socket: SocketId, nth: u8, rtt: Duration) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&socket) else { return };
        let Purpose::Probe(probe) = link.purpose else { return };
        if nth < SAMPLES_MAX && rtt < SAMPLE_AGAIN_BELOW {
            return link.ping(Whom::Sample(nth + 1, rtt), now);
        }
        let (endpoint, info) = (link.endpoint, link.info.clone());
        let identity = identity(&info);
        self.drop_socket(socket);
        self.endpoints.measured(endpoint, rtt, &identity);
        self.notify_probe(endpoint, rtt, &identity);
        let report =
            ProbeReport { time_to_info: rtt * u32::from(ROUND_TRIPS), round_trips: ROUND_TRIPS, identity };
        self.report_answer(probe, report);
        self.advertised(endpoint, &info);
    }

    /// A server told of others of its cluster.
    pub(super) fn advertised(&mut self, by: EndpointId, info: &Info) {
        if self.options.ignore_discovered {
            return;
        }
        for event in self.endpoints.advertised(by, info.cluster.as_deref(), &info.connect_urls) {
            self.tell(event);
        }
    }
}

/// What a browser needs until a server has answered: SYN, upgrade (INFO comes along), CONNECT, and the PING that is
/// measured. Dials to one address wait for each other in a browser, so the time that they took says nothing; only the
/// last of them is measured, and the others are taken to be alike.
const ROUND_TRIPS: u8 = 4;

/// Samples of one probe. The least of a few is what queues and timers have not added to.
const SAMPLES_MAX: u8 = 3;

/// A server that is farther away is told from others by one sample, and more would take long.
const SAMPLE_AGAIN_BELOW: Duration = Duration::from_millis(60);

/// Who a server says it is.
fn identity(info: &Info) -> ServerIdentity {
    let mut identity = ServerIdentity::new(&info.server_id, info.cluster.as_deref());
    identity.server_name.clone_from(&info.server_name);
    identity.version.clone_from(&info.version);
    identity
}
