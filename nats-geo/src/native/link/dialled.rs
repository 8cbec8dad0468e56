//! This module chooses the host that async-nats dials, so that async-nats looks for the right name in the certificate.
//!
//! async-nats uses one host for three purposes: the lookup, the dial, and the check of the certificate. With WebSocket,
//! it also sends this host in the request. If the client dials an IP address whose certificate is for a name, the TLS
//! configuration must provide this name. Proxies choose a server by the name in the handshake (SNI) and in the request.
//! A TLS configuration cannot set these two names. So with TLS and WebSocket, the client dials a server by its name, if
//! the lookup of the name succeeds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_nats::ConnectOptions;
use tokio::net::lookup_host;

use crate::core::OpenError;
use crate::native::target::{Encryption, Target, bracketed};
use crate::native::tls::Sessions;

/// The URL for async-nats, and what it is to know about TLS.
pub(super) struct Dialled {
    pub(super) url: String,
    tls: Option<Arc<tokio_rustls::rustls::ClientConfig>>,
    encryption: Encryption,
    is_websocket: bool,
    is_relay: bool,
}

impl Dialled {
    pub(super) async fn choose(target: &Target, sessions: &Sessions) -> Result<Self, OpenError> {
        let encryption = target.encryption(sessions);
        let is_websocket = target.scheme.is_websocket();
        let scheme = match encryption {
            _ if is_websocket => target.scheme.as_str(),
            Encryption::Never => "nats",
            Encryption::AfterInfo | Encryption::First => "tls",
        };
        let names_matter = is_websocket || encryption != Encryption::Never;
        let by_name = !target.is_number() && prefers_name(target, names_matter).await;
        let path = &target.address.path;
        let place = match target.dial_at().filter(|_| !by_name) {
            Some(reached) => format!("{reached}{path}"),
            None => format!("{}:{}{path}", bracketed(&target.address.host), target.address.port),
        };
        let tls = match encryption {
            Encryption::Never => None,
            _ if target.name() == target.address.host && (by_name || target.is_number()) => {
                Some(sessions.config().await)
            }
            _ => Some(sessions.config_held_to(target.name()).await),
        };
        let tls = tls.transpose().map_err(|error| OpenError::Tls(error.to_string()))?;
        Ok(Self { url: format!("{scheme}://{place}"), tls, encryption, is_websocket, is_relay: false })
    }

    /// The way through a relay of our own, which encrypts if that is asked for.
    pub(super) const fn relay(url: String) -> Self {
        Self { url, tls: None, encryption: Encryption::Never, is_websocket: false, is_relay: true }
    }

    /// Returns whether it leads to a relay of our own.
    pub(super) const fn is_relay(&self) -> bool {
        self.is_relay
    }

    /// Returns whether nats-server itself, and no WebSocket before it, ends a connection that is to be encrypted.
    pub(super) const fn has_tls_of_nats(&self) -> bool {
        self.tls.is_some() && !self.is_websocket
    }

    pub(super) fn apply(&self, mut options: ConnectOptions) -> ConnectOptions {
        if let Some(tls) = &self.tls {
            options = options.tls_client_config((**tls).clone());
        }
        if self.encryption == Encryption::First { options.tls_first() } else { options }
    }
}

/// Returns whether to dial by name, and not where a probe got an answer.
async fn prefers_name(target: &Target, names_matter: bool) -> bool {
    if target.dial_at().is_none() {
        return true;
    }
    if target.detour || !names_matter {
        return target.detour && !names_matter && target.resolved.is_empty();
    }
    let resolved = lookup_host((target.address.host.as_str(), target.address.port));
    let resolved = tokio::time::timeout(RESOLVE_LIMIT, resolved).await;
    // async-nats asks the operating system. That may know nothing of a name that was looked up elsewhere, or something
    // else.
    let fits = |address: SocketAddr| target.resolved.is_empty() || target.resolved.contains(&address.ip());
    resolved.is_ok_and(|resolved| resolved.is_ok_and(|mut all| all.any(fits)))
}

/// A resolver that is up answers from its cache within a few milliseconds, as the probe has just asked the same. One
/// that is down with a region must not cost the dial.
const RESOLVE_LIMIT: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::{Auth, IntoServers as _, Tls};

    fn target(url: &str) -> Target {
        Target::of(url.into_servers().unwrap().remove(0), &Auth::None)
    }

    async fn url(target: &Target) -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let ca = rcgen::CertificateParams::default().self_signed(&key).unwrap().pem();
        // Without an authority, that of the machine would be looked for.
        let sessions = Sessions::new(target.scheme.has_tls().then(|| Tls::new().ca_pem(ca)));
        Dialled::choose(target, &sessions).await.unwrap().url
    }

    #[tokio::test]
    async fn a_name_matters_under_tls_and_websocket_only() {
        for (listed, first, detour) in [
            ("nats://localhost:1", "nats://127.0.0.1:9", "nats://localhost:1"),
            ("tls://localhost:1", "tls://localhost:1", "tls://127.0.0.1:9"),
            ("ws://localhost:1", "ws://localhost:1", "ws://127.0.0.1:9"),
            ("wss://localhost:1", "wss://localhost:1", "wss://127.0.0.1:9"),
            ("ws://localhost:1/a?b=c", "ws://localhost:1/a?b=c", "ws://127.0.0.1:9/a?b=c"),
            ("tls://10.0.0.1:1", "tls://127.0.0.1:9", "tls://127.0.0.1:9"),
        ] {
            let mut target = target(listed);
            assert_eq!(url(&target).await, listed, "nothing else is known");
            target.reached = Some("127.0.0.1:9".parse().unwrap());
            assert_eq!(url(&target).await, first);
            target.detour = true;
            assert_eq!(url(&target).await, detour);
        }
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_or_leads_elsewhere_is_dialled_by_number() {
        let mut unknown = target("tls://no-such-host.invalid:1");
        unknown.reached = Some("127.0.0.1:9".parse().unwrap());
        assert_eq!(url(&unknown).await, "tls://127.0.0.1:9");
        let mut elsewhere = target("tls://localhost:1");
        elsewhere.resolved = vec!["10.0.0.1".parse().unwrap()];
        assert_eq!(url(&elsewhere).await, "tls://10.0.0.1:1");
        elsewhere.resolved = vec!["127.0.0.1".parse().unwrap()];
        assert_eq!(url(&elsewhere).await, "tls://localhost:1");
    }
}
