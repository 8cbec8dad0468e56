//! The settings of the resolver, and of its transport.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    CLOUDFLARE, ConnectionConfig, GOOGLE, NameServerConfig, ProtocolConfig, QUAD9, ResolveHosts,
    ResolverConfig, ResolverOpts, ServerGroup,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::DnsError;
use crate::native::Tls;
use crate::native::tls::{self, Sessions};

/// The DNS server for lookups, and its transport.
///
/// The text form is `system`, or `[transport://]host[:port][#name]`. The transport is `udp`, `tcp`, `tls` or `https`.
/// `host` is `google`, `cloudflare`, `quad9` or an IP address. If the host is an IP address, the certificate of the
/// resolver must be for `name`.
///
/// ```
/// use nats_geo::dns::{Resolver, Transport};
///
/// assert_eq!("google".parse::<Resolver>()?.to_string(), "udp://google");
/// assert_eq!("https://cloudflare".parse::<Resolver>()?.to_string(), "https://cloudflare");
/// let own: Resolver = "tls://10.0.0.2:853#dns.example.net".parse()?;
/// assert!("ftp://google".parse::<Resolver>().is_err());
/// # Ok::<(), nats_geo::dns::ResolverError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Resolver {
    who: Who,
    transport: Transport,
    tls: Option<Tls>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Who {
    System,
    Google,
    Cloudflare,
    Quad9,
    At { ip: IpAddr, port: Option<u16>, name: Option<String> },
}

/// Transport of DNS lookups.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Transport {
    /// UDP, and TCP for answers that are too large for UDP.
    Udp,
    /// TCP.
    Tcp,
    /// DNS over TLS, RFC 7858.
    Tls,
    /// DNS over HTTPS, RFC 8484.
    Https,
}

impl Resolver {
    /// Returns the resolver of the operating system (on Unix `/etc/resolv.conf`). The client reads this setting again
    /// for every lookup, because networks change.
    pub const fn system() -> Self {
        Self::new(Who::System)
    }

    /// Returns the resolver Google Public DNS.
    pub const fn google() -> Self {
        Self::new(Who::Google)
    }

    /// Returns Cloudflare's resolver 1.1.1.1.
    pub const fn cloudflare() -> Self {
        Self::new(Who::Cloudflare)
    }

    /// Returns the resolver Quad9.
    pub const fn quad9() -> Self {
        Self::new(Who::Quad9)
    }

    /// Returns a resolver at this address, on the usual port of the transport.
    pub const fn at(ip: IpAddr) -> Self {
        Self::new(Who::At { ip, port: None, name: None })
    }

    /// Returns a resolver at this address and port.
    pub const fn at_port(address: SocketAddr) -> Self {
        Self::new(Who::At { ip: address.ip(), port: Some(address.port()), name: None })
    }

    /// Sets the transport. Default [`Transport::Udp`]. This setting has no effect on the resolver of the operating
    /// system.
    pub const fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Sets the name that the certificate of the resolver must contain. Default: the address.
    pub fn named(mut self, certificate: impl Into<String>) -> Self {
        if let Who::At { name, .. } = &mut self.who {
            *name = Some(certificate.into());
        }
        self
    }

    /// Sets the trusted certificate authorities for TLS and HTTPS. Default: the authorities of the operating system.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    const fn new(who: Who) -> Self {
        Self { who, transport: Transport::Udp, tls: None }
    }

    /// Returns whether a resolver that was made may be asked for ever.
    pub(super) fn is_lasting(&self) -> bool {
        self.who != Who::System
    }

    pub(super) async fn connect(&self) -> Result<TokioResolver, DnsError> {
        let unusable = |error: hickory_resolver::net::NetError| DnsError::Unusable(error.to_string());
        if self.who == Who::System {
            let mut builder = TokioResolver::builder_tokio().map_err(unusable)?;
            limit(builder.options_mut());
            return builder.build().map_err(unusable);
        }
        let config = ResolverConfig::from_name_servers(self.name_servers());
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        limit(builder.options_mut());
        // It was chosen for what it says, and not for what this machine says.
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        if matches!(self.transport, Transport::Tls | Transport::Https) {
            let config = Sessions::new(self.tls.clone()).config().await;
            let config = config.map_err(|error| DnsError::Tls(error.to_string()))?;
            builder = builder.with_tls_config((*config).clone());
        }
        builder.build().map_err(unusable)
    }

    /// The resolver library says that there is no connection, but not why: the certificate may be what is wrong.
    pub(super) async fn explained(&self, error: DnsError) -> DnsError {
        if !matches!(error, DnsError::Unreachable(_)) {
            return error;
        }
        match tokio::time::timeout(TRY, self.tls_error()).await {
            Ok(Some(why)) => DnsError::Tls(why),
            _ => error,
        }
    }

    async fn tls_error(&self) -> Option<String> {
        let server = self.name_servers().into_iter().next()?;
        let connection = server.connections.first()?;
        let (ProtocolConfig::Tls { server_name: name } | ProtocolConfig::Https { server_name: name, .. }) =
            &connection.protocol
        else {
            return None;
        };
        let config = Sessions::new(self.tls.clone()).config().await.ok()?;
        let socket = TcpStream::connect((server.ip, connection.port)).await.ok()?;
        let server_name = ServerName::try_from(name.to_string()).ok()?;
        let error = TlsConnector::from(config).connect(server_name, socket).await.err()?;
        tls::find_error(&error).map(|error| tls::explain(error, name))
    }

    fn name_servers(&self) -> Vec<NameServerConfig> {
        match &self.who {
            Who::System => Vec::new(),
            Who::Google => self.group(&GOOGLE),
            Who::Cloudflare => self.group(&CLOUDFLARE),
            Who::Quad9 => self.group(&QUAD9),
            Who::At { ip, port, name } => {
                let name: Arc<str> = name.clone().unwrap_or_else(|| ip.to_string()).into();
                let mut connections = match self.transport {
                    Transport::Udp => vec![ConnectionConfig::udp(), ConnectionConfig::tcp()],
                    Transport::Tcp => vec![ConnectionConfig::tcp()],
                    Transport::Tls => vec![ConnectionConfig::tls(name)],
                    Transport::Https => vec![ConnectionConfig::https(name, None)],
                };
                for connection in &mut connections {
                    connection.port = port.unwrap_or(connection.port);
                }
                vec![NameServerConfig::new(*ip, true, connections)]
            }
        }
    }

    fn group(&self, group: &ServerGroup<'_>) -> Vec<NameServerConfig> {
        match self.transport {
            Transport::Udp => group.udp_and_tcp().collect(),
            Transport::Tcp => group.tcp().collect(),
            Transport::Tls => group.tls().collect(),
            Transport::Https => group.https().collect(),
        }
    }
}

/// One try of 1.5 s and another: together less than a client waits for its first link.
const TRY: Duration = Duration::from_millis(1_500);
const TRIES: usize = 2;

fn limit(options: &mut ResolverOpts) {
    options.timeout = TRY;
    options.attempts = TRIES;
    // How soon to ask again after a failure is decided here, and not by the zone.
    options.negative_max_ttl = Some(Duration::from_secs(1));
}

/// The error of a text that is not a valid resolver.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is no resolver: give system, google, cloudflare, quad9 or an IP address with an optional port, such as `9.9.9.9`, \
     `https://google` or `tls://10.0.0.1:853#dns.example.net`"
)]
pub struct ResolverError(String);

impl FromStr for Resolver {
    type Err = ResolverError;

    fn from_str(text: &str) -> Result<Self, ResolverError> {
        let wrong = || ResolverError(text.to_owned());
        let (transport, rest) = match text.split_once("://") {
            Some((transport, rest)) => (Transport::parse(transport).ok_or_else(wrong)?, rest),
            None => (Transport::Udp, text),
        };
        let (who, name) = rest.split_once('#').map_or((rest, None), |(who, name)| (who, Some(name)));
        let resolver = match who {
            "system" => Self::system(),
            "google" => Self::google(),
            "cloudflare" => Self::cloudflare(),
            "quad9" => Self::quad9(),
            who => match (who.parse(), who.parse()) {
                (Ok(ip), _) => Self::at(ip),
                (_, Ok(address)) => Self::at_port(address),
                _ => return Err(wrong()),
            },
        };
        let resolver = resolver.over(transport);
        Ok(match name {
            Some(name) => resolver.named(name),
            None => resolver,
        })
    }
}

impl fmt::Display for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = self.transport.as_str();
        match &self.who {
            Who::System => f.write_str("system"),
            Who::Google => write!(f, "{transport}://google"),
            Who::Cloudflare => write!(f, "{transport}://cloudflare"),
            Who::Quad9 => write!(f, "{transport}://quad9"),
            Who::At { ip, port: None, .. } => write!(f, "{transport}://{ip}"),
            Who::At { ip, port: Some(port), .. } => {
                write!(f, "{transport}://{}", SocketAddr::new(*ip, *port))
            }
        }
    }
}

impl Transport {
    fn parse(text: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Https]
            .into_iter()
            .find(|transport| transport.as_str() == text)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Https => "https",
        }
    }
}
