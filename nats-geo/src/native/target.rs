//! The target of a connection: its address, and whether it uses TLS and WebSocket.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::Auth;
use super::servers::{Address, ServerUrl};
use super::tls::Sessions;
use crate::core::Advertisement;

/// Where probes and links of one endpoint lead.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) scheme: Scheme,
    /// The name that the certificate must be for, when it is not the host's: addresses that a server advertises are
    /// mostly numbers, and belong to the name that the advertising server is listed by.
    pub(crate) held_to: Option<String>,
    /// The server said that it takes no connection without TLS.
    pub(crate) asks_for_tls: bool,
    /// For an address that a server advertised, and where no probe has just met the right cluster: who is to answer there.
    pub(crate) unproven: Option<Advertisement>,
    /// A probe found out that the server says nothing before the TLS handshake, which is not set so.
    pub(crate) awaits_tls: bool,
    /// What a lookup of ours said; empty: ask the operating system.
    pub(crate) resolved: Vec<IpAddr>,
    /// Where a probe got an answer: no resolver is needed then, which may be down together with a region.
    pub(crate) reached: Option<SocketAddr>,
    /// The last dial failed: by number if it was by name, and the other way round.
    pub(crate) detour: bool,
    pub(crate) auth: Auth,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encryption {
    Never,
    /// The server speaks first, in clear.
    AfterInfo,
    First,
}

impl Target {
    /// What the user listed, as long as nothing more is known. `auth` is for servers that have none in their URL.
    pub(crate) fn of(server: ServerUrl, auth: &Auth) -> Self {
        let auth = if server.auth == Auth::None { auth.clone() } else { server.auth };
        Self {
            address: server.address,
            scheme: server.scheme,
            held_to: None,
            asks_for_tls: false,
            unproven: None,
            awaits_tls: false,
            resolved: Vec::new(),
            reached: None,
            detour: false,
            auth,
        }
    }

    /// The name that the certificate must be for, or the number.
    pub(crate) fn name(&self) -> &str {
        self.held_to.as_deref().unwrap_or(&self.address.host)
    }

    pub(crate) fn encryption(&self, sessions: &Sessions) -> Encryption {
        match self.scheme {
            Scheme::Ws => Encryption::Never,
            Scheme::Wss => Encryption::First,
            Scheme::Nats | Scheme::Tls if sessions.is_first() => Encryption::First,
            Scheme::Nats if !sessions.is_demanded() && !self.asks_for_tls => Encryption::Never,
            Scheme::Nats | Scheme::Tls => Encryption::AfterInfo,
        }
    }

    /// Returns whether credentials would go out in clear to a server that may be somebody else's.
    pub(crate) fn must_prove_itself(&self, sessions: &Sessions) -> bool {
        self.unproven.is_some() && self.auth != Auth::None && self.encryption(sessions) == Encryption::Never
    }

    /// The number to dial, as far as known.
    pub(crate) fn dial_at(&self) -> Option<SocketAddr> {
        let resolved = || self.resolved.first().map(|ip| SocketAddr::new(*ip, self.address.port));
        self.reached.or_else(resolved)
    }

    /// Returns whether the host is a number already.
    pub(crate) fn is_number(&self) -> bool {
        is_number(&self.address.host)
    }
}

pub(crate) fn is_number(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// A host as a URL wants it.
pub(crate) fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// The protocol below NATS.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Scheme {
    /// TCP; TLS if either side asks for it.
    #[default]
    Nats,
    /// TCP and TLS.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Scheme {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Nats, Self::Tls, Self::Ws, Self::Wss].into_iter().find(|scheme| scheme.as_str() == text)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// That IANA registered for NATS, HTTP and HTTPS.
    pub(crate) const fn default_port(self) -> u16 {
        match self {
            Self::Nats | Self::Tls => 4222,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    pub(crate) const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// Returns whether certificates play a part.
    pub(crate) const fn has_tls(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
