//! One server's configuration file.

use std::fmt::Write as _;
use std::time::Duration;

use super::super::credentials::{Credentials, KeyError};
use super::super::model::{Server, Topology};
use super::super::spec::{AccountSpec, AuthKind, ClusterSpec};
use super::{accounts, list, quoted};
use crate::secret::Secret;

/// By which addresses one server listens and reaches the others. The place where servers run decides that: this machine with its
/// emulated WAN, containers, a data centre.
#[derive(Clone, Debug, Default)]
pub struct Wiring {
    /// Address at which it listens, as `HOST:PORT`.
    pub listen: Listen,
    /// Address that it advertises to clients; `None`: none, so that they keep the addresses that they were given.
    pub client_advertise: Option<String>,
    /// Address that it advertises to servers of other clusters; `None`: its own address.
    pub gateway_advertise: Option<String>,
    /// Whether its cluster has no other server.
    pub is_alone: bool,
    /// `HOST:PORT` of the routes of its cluster.
    pub routes: Vec<String>,
    /// By cluster: `HOST:PORT` of the gateways there.
    pub gateways: Vec<(String, Vec<String>)>,
    /// `HOST:PORT` of the leaf-node listeners of its hub.
    pub hub: Vec<String>,
    /// Folder of its JetStream store.
    pub store_dir: String,
    /// Folder with the files of [`auth_files`](super::auth_files).
    pub auth_dir: String,
    /// What says who may do what, in place of the topology's accounts; `None`: the accounts.
    pub access: Option<Secret>,
    /// TLS; `None`: none.
    pub tls: Option<Tls>,
    /// The most connections of clients at once; `None`: the server's default, 65536.
    pub max_connections: Option<u32>,
    /// How often it pings clients, routes and gateways, if the topology does not say. Two pings without an answer end a
    /// connection.
    pub ping_interval: Duration,
    /// How long a lame duck waits before it closes its first client, if the topology does not say.
    pub lame_duck_grace: Duration,
}

/// Addresses at which one server listens, as `HOST:PORT`.
#[derive(Clone, Debug, Default)]
pub struct Listen {
    /// NATS clients.
    pub client: String,
    /// Clients over WebSocket.
    pub websocket: String,
    /// HTTP monitoring.
    pub monitor: String,
    /// Servers of the same cluster.
    pub route: String,
    /// Servers of other clusters.
    pub gateway: String,
    /// Leaf nodes.
    pub leaf: String,
}

/// TLS of a server. Files are PEM files.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tls {
    /// The server's certificate.
    pub cert: String,
    /// Its key.
    pub key: String,
    /// The authority that must have signed the certificates of clients; `None`: they need none.
    pub client_ca: Option<String>,
    /// Returns whether the server waits for the handshake before it sends INFO.
    pub handshake_first: bool,
    /// The authority that leaf nodes trust; `None`: those of the operating system.
    pub trusted: Option<String>,
}

/// The configuration in nats-server's syntax, with a comment for every part.
///
/// # Errors
/// See [`KeyError`].
pub fn config(
    topology: &Topology,
    server: &Server,
    wiring: &Wiring,
    credentials: &Credentials,
) -> Result<String, KeyError> {
    let region = server.name.region();
    let mut text = format!(
        "# nats-server of the deployment {}, written by loadgen.\n\n\
         server_name: {}\nserver_tags: [{}]\n\n",
        topology.name(),
        quoted(server.name.as_str()),
        list(server.tags.iter().map(|tag| quoted(tag)))
    );
    text.push_str(&clients(topology, wiring));
    text.push_str(&cluster(region, wiring));
    text.push_str(&gateway(region, wiring));
    text.push_str(&leaf_nodes(topology, region, wiring, credentials)?);
    text.push_str(&jetstream(topology, region, wiring));
    match &wiring.access {
        Some(access) => text.push_str(access.expose()),
        None => text.push_str(&accounts::config(topology, wiring, credentials)?),
    }
    text.push_str(&timers(topology, wiring));
    Ok(text)
}

fn clients(topology: &Topology, wiring: &Wiring) -> String {
    let spec = topology.spec();
    let Listen { client, websocket, monitor, .. } = &wiring.listen;
    let mut text = format!(
        "# Clients over TCP, and HTTP monitoring.\nlisten: {}\nhttp: {}\n",
        quoted(client),
        quoted(monitor)
    );
    if let Some(address) = &wiring.client_advertise {
        let _ = writeln!(text, "client_advertise: {}", quoted(address));
    }
    if let Some(most) = wiring.max_connections {
        let _ = writeln!(text, "max_connections: {most}");
    }
    let (tls, websocket_tls) = tls(wiring);
    text.push_str(&tls);
    if spec.websocket.enabled {
        let _ = writeln!(
            text,
            "\n# Clients over WebSocket.\nwebsocket {{ listen: {}, {websocket_tls} }}",
            quoted(websocket)
        );
    }
    text
}

/// For clients over TCP, and over WebSocket.
fn tls(wiring: &Wiring) -> (String, String) {
    let Some(Tls { cert, key, client_ca, handshake_first, .. }) = &wiring.tls else {
        return (String::new(), "no_tls: true".to_owned());
    };
    let mut common = format!("cert_file: {}, key_file: {}", quoted(cert), quoted(key));
    if let Some(ca) = client_ca {
        let _ = write!(common, ", ca_file: {}, verify: true", quoted(ca));
    }
    let first = if *handshake_first { ", handshake_first: true" } else { "" };
    (format!("tls {{ {common}{first} }}\n"), format!("tls {{ {common} }}"))
}

fn cluster(region: &str, wiring: &Wiring) -> String {
    if wiring.is_alone && wiring.gateways.is_empty() {
        // JetStream of a server that listens for routes waits for a second server; the name alone tells clients their region.
        return format!(
            "\n# The only server of the region, so it listens for no others.\ncluster {{ name: {} }}\n",
            quoted(region)
        );
    }
    // Of a region with one server and gateways: without any route, its JetStream would not join those of other regions.
    let routes = list(wiring.routes.iter().map(|address| quoted(&format!("nats-route://{address}"))));
    let comment = if wiring.client_advertise.is_some() {
        ""
    } else {
        "# Servers do not advertise their own addresses, so clients keep the addresses that they were given.\n"
    };
    let no_advertise = wiring.client_advertise.is_none();
    format!(
        "\n# The other servers of the region.\n{comment}cluster {{ name: {}, listen: {}, no_advertise: {no_advertise}, routes: [{routes}] }}\n",
        quoted(region),
        quoted(&wiring.listen.route)
    )
}

fn gateway(region: &str, wiring: &Wiring) -> String {
    if wiring.gateways.is_empty() {
        return String::new();
    }
    let (comment, advertise) = match &wiring.gateway_advertise {
        Some(address) => (
            "# Other regions dial this address, not the server's own address.\n",
            format!(", advertise: {}", quoted(address)),
        ),
        None => ("", String::new()),
    };
    let gateways = list(wiring.gateways.iter().map(|(name, addresses)| {
        let urls = list(addresses.iter().map(|address| quoted(&format!("nats://{address}"))));
        format!("\n  {{ name: {}, urls: [{urls}] }}", quoted(name))
    }));
    format!(
        "\n# The other regions.\n{comment}gateway {{ name: {}, listen: {}{advertise}, gateways: [{gateways}\n] }}\n",
        quoted(region),
        quoted(&wiring.listen.gateway)
    )
}

/// Leaf nodes: the listener of a hub, or the connections to it.
pub(super) fn leaf_nodes(
    topology: &Topology,
    region: &str,
    wiring: &Wiring,
    credentials: &Credentials,
) -> Result<String, KeyError> {
    if topology.leaves_of(region).next().is_some() {
        let tls = match &wiring.tls {
            Some(Tls { cert, key, .. }) => {
                format!(", tls {{ cert_file: {}, key_file: {} }}", quoted(cert), quoted(key))
            }
            None => String::new(),
        };
        return Ok(format!(
            "\n# Leaf nodes connect here. They keep the addresses of their own configuration.\n\
             leafnodes {{ listen: {}, no_advertise: true{tls} }}\n",
            quoted(&wiring.listen.leaf)
        ));
    }
    let Some(cluster) = topology.cluster(region).filter(|cluster| cluster.leaf_of.is_some()) else {
        return Ok(String::new());
    };
    let remotes = topology
        .leaf_accounts(cluster)
        .into_iter()
        .map(|account| remote(topology, account, wiring, credentials));
    let remotes = list(remotes.collect::<Result<Vec<_>, _>>()?);
    let hub = leaf_hub(cluster);
    Ok(format!(
        "\n# A leaf node of {hub}: one connection for each account.\nleafnodes {{ remotes: [{remotes}\n] }}\n"
    ))
}

fn leaf_hub(cluster: &ClusterSpec) -> &str {
    cluster.leaf_of.as_deref().unwrap_or_default()
}

/// A leaf node's connection, for one account. It is a user of that account at the hub.
fn remote(
    topology: &Topology,
    account: &AccountSpec,
    wiring: &Wiring,
    credentials: &Credentials,
) -> Result<String, KeyError> {
    let Some(user) = account.users.first() else { return Ok(String::new()) };
    let scheme = if wiring.tls.is_some() { "tls" } else { "nats" };
    let (user_info, proof, name) = match topology.spec().auth.kind {
        // The seed itself: nats-server reads no file here.
        AuthKind::Nkey => {
            let seed = credentials.user_seed(user)?;
            (String::new(), format!(", nkey: {}", quoted(seed.expose())), account.name.clone())
        }
        AuthKind::Operator => {
            let file = quoted(&format!("{}/{}", wiring.auth_dir, accounts::creds_file(user)));
            let creds = format!(", credentials: {file}");
            (String::new(), creds, credentials.account_key(account)?.public_key())
        }
        AuthKind::None | AuthKind::Password | AuthKind::Token => {
            let password = credentials.password(user);
            let escaped = |text: &str| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
            };
            (
                format!("{}:{}@", escaped(&user.name), escaped(password.expose())),
                String::new(),
                account.name.clone(),
            )
        }
    };
    let urls = list(wiring.hub.iter().map(|address| quoted(&format!("{scheme}://{user_info}{address}"))));
    let trusted = wiring.tls.as_ref().and_then(|tls| tls.trusted.as_ref());
    let tls = trusted.map(|ca| format!(", tls {{ ca_file: {} }}", quoted(ca))).unwrap_or_default();
    Ok(format!("\n  {{ urls: [{urls}], account: {}{proof}{tls} }}", quoted(&name)))
}

fn jetstream(topology: &Topology, region: &str, wiring: &Wiring) -> String {
    if !topology.has_jetstream(region) {
        return "\n# No JetStream in this region.\n".to_owned();
    }
    let spec = &topology.spec().jetstream;
    let domain = topology.cluster(region).and_then(|cluster| cluster.domain.as_deref());
    let domain = domain.map(|domain| format!(", domain: {}", quoted(domain))).unwrap_or_default();
    format!(
        "\njetstream {{ store_dir: {}, max_memory_store: {}, max_file_store: {}{domain} }}\n",
        quoted(&wiring.store_dir),
        spec.max_memory,
        spec.max_file
    )
}

/// Time over which a server in lame duck mode closes the connections of its clients.
pub const LAME_DUCK_DURATION: Duration = Duration::from_secs(30);

fn timers(topology: &Topology, wiring: &Wiring) -> String {
    let timing = topology.spec().timing;
    let millis = |given: Option<super::super::units::Span>, default: Duration| {
        given.map_or(default, |span| span.duration()).as_millis()
    };
    format!(
        "\nping_interval: \"{}ms\"\nping_max: 2\n\
         # The default of nats-server: a silent peer can block a server for at most this time.\n\
         write_deadline: \"10s\"\n\
         # The shortest time that nats-server allows.\n\
         lame_duck_duration: \"{}s\"\nlame_duck_grace_period: \"{}ms\"\n",
        millis(timing.ping_interval, wiring.ping_interval),
        LAME_DUCK_DURATION.as_secs(),
        millis(timing.lame_duck_grace, wiring.lame_duck_grace)
    )
}
