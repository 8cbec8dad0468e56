//! What goes into a server's configuration file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ports::ServerPorts;
use super::secret::Secret;
use super::topology::ServerName;

/// What every server of the super-cluster has in common, apart from its place.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// How clients prove who they are.
    pub auth: Auth,
    /// How clients are encrypted, over TCP and WebSocket; `None`: not at all. Routes and gateways never are.
    pub tls: Option<ServerTls>,
    /// How often servers ping clients, routes and gateways; two pings without an answer end a connection. The stock
    /// values (2 min to clients, 15 s over gateways) would measure the far side: a silent region would keep receiving
    /// requests for up to 45 s, whatever the client does.
    pub ping_interval: Duration,
    /// How long a lame duck waits before it closes its first client.
    pub lame_duck_grace: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            auth: Auth::None,
            tls: None,
            ping_interval: Duration::from_secs(1),
            // The stock value of nats-server.
            lame_duck_grace: Duration::from_secs(10),
        }
    }
}

/// How clients prove who they are. A token is not among the choices: nats-server refuses one beside accounts
/// ("Can not have a token and accounts"), and without accounts there is no system account to steer the meta leader.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Auth {
    /// Not at all: everybody is the user `app`.
    None,
    /// By name and password.
    UserPassword {
        /// The user's name.
        user: String,
        /// The user's password.
        password: Secret,
    },
    /// As this says, in nats-server's syntax: operators, NKeys, tokens, auth callout. The system user of the other
    /// kinds is missing then, so [`move_meta_leader`](super::SuperCluster::move_meta_leader) fails.
    Custom(Secret),
}

/// What servers show to clients, and ask of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerTls {
    /// Their certificate, a PEM file.
    pub cert_file: PathBuf,
    /// Its key, a PEM file.
    pub key_file: PathBuf,
    /// Clients must show a certificate of this authority, a PEM file; `None`: they need none.
    pub client_ca_file: Option<PathBuf>,
    /// Over TCP, nothing is said before the handshake. WebSocket is always so.
    pub handshake_first: bool,
}

/// One server's configuration.
pub(super) struct ServerConfig<'a> {
    pub(super) name: &'a ServerName,
    pub(super) ports: &'a ServerPorts,
    /// The route ports of the whole region, this server's included.
    pub(super) region_routes: Vec<u16>,
    /// The other regions, and the ports of this region's paths to them.
    pub(super) gateways: Vec<(&'a str, Vec<u16>)>,
    pub(super) store_dir: &'a Path,
    pub(super) settings: &'a ServerSettings,
    pub(super) system_password: &'a Secret,
}

/// The user of the system account.
pub(super) const SYSTEM_USER: &str = "system";

impl ServerConfig<'_> {
    /// The configuration in nats-server's syntax.
    pub(super) fn render(&self) -> String {
        let Self { name, ports, settings, .. } = self;
        let (name, region) = (escape(&name.to_string()), escape(name.region()));
        let ping_ms = settings.ping_interval.as_millis();
        let grace_ms = settings.lame_duck_grace.as_millis();
        let accounts = self.accounts();
        let (tls, websocket_tls) = self.tls();
        format!(
            r#"server_name: "{name}"
server_tags: ["region:{region}"]
listen: "127.0.0.1:{client}"
{tls}
http: "127.0.0.1:{monitor}"
websocket {{ listen: "127.0.0.1:{websocket}", {websocket_tls} }}

# A client that learned a server's own address would bypass the emulated WAN.
cluster {{ name: "{region}", listen: "127.0.0.1:{route}", no_advertise: true, routes: [{routes}] }}

# Gossiped gateway addresses would bypass it too: this one refuses.
gateway {{ name: "{region}", listen: "127.0.0.1:{gateway}", advertise: "127.0.0.1:1", gateways: [{gateways}] }}

jetstream {{ store_dir: "{store_dir}", max_memory_store: {MEMORY_STORE}, max_file_store: {FILE_STORE} }}

{accounts}
ping_interval: "{ping_ms}ms"
ping_max: 2
# The stock value, written down because it bounds how long a blackhole can hold up a server.
write_deadline: "10s"
# The least that nats-server allows.
lame_duck_duration: "30s"
lame_duck_grace_period: "{grace_ms}ms"
"#,
            client = ports.client.port(),
            monitor = ports.monitor.port(),
            websocket = ports.websocket.port(),
            route = ports.route.port(),
            gateway = ports.gateway.port(),
            routes = self.routes(),
            gateways = self.gateways(),
            store_dir = self.store_dir.display(),
        )
    }

    /// A server alone in its region names itself, because JetStream does not cluster without any route.
    fn routes(&self) -> String {
        let own = self.ports.route.port();
        let alone = self.region_routes.len() == 1;
        let peers = self.region_routes.iter().filter(|port| alone || **port != own);
        join(peers.map(|port| format!("\"nats-route://127.0.0.1:{port}\"")))
    }

    /// A server also tells other regions the addresses by which *it* dials a region, and they would dial those of the
    /// wrong pair. An address with a zone is spared: it is gossiped unescaped, which the receiver cannot parse and
    /// skips. On an IPv4-mapped address a zone means nothing else (tried with 2.15.1).
    fn gateways(&self) -> String {
        join(self.gateways.iter().map(|(region, ports)| {
            let urls = join(ports.iter().map(|port| format!("\"nats://[::ffff:127.0.0.1%25wan]:{port}\"")));
            format!("{{ name: \"{}\", urls: [{urls}] }}", escape(region))
        }))
    }

    fn accounts(&self) -> String {
        let (user, password, no_auth_user) = match &self.settings.auth {
            // Nobody needs the password of `app`, so that of the system user does for it.
            Auth::None => ("app", self.system_password, "no_auth_user: app"),
            Auth::UserPassword { user, password } => (user.as_str(), password, ""),
            Auth::Custom(text) => return text.expose().to_owned(),
        };
        format!(
            r#"accounts {{
  SYS {{ users: [{{ user: "{SYSTEM_USER}", password: "{system}" }}] }}
  APP {{ jetstream: enabled, users: [{{ user: "{user}", password: "{password}" }}] }}
}}
system_account: SYS
{no_auth_user}"#,
            system = self.system_password.expose(),
            user = escape(user),
            password = escape(password.expose()),
        )
    }

    /// For clients over TCP, and over WebSocket.
    fn tls(&self) -> (String, String) {
        let Some(tls) = &self.settings.tls else { return (String::new(), "no_tls: true".to_owned()) };
        let file = |path: &Path| escape(&path.display().to_string());
        let asked = tls.client_ca_file.as_deref();
        let asked = asked.map(|ca| format!(r#", ca_file: "{}", verify: true"#, file(ca))).unwrap_or_default();
        let common =
            format!(r#"cert_file: "{}", key_file: "{}"{asked}"#, file(&tls.cert_file), file(&tls.key_file));
        let first = if tls.handshake_first { ", handshake_first: true" } else { "" };
        (format!("tls {{ {common}{first} }}"), format!("tls {{ {common} }}"))
    }
}

/// Limits of one server's JetStream: nine of them share one machine, and a run keeps a few megabytes.
const MEMORY_STORE: &str = "64MB";
const FILE_STORE: &str = "256MB";

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::super::ports::PortPool;
    use super::super::topology::Topology;
    use super::*;

    fn render(servers_per_region: u16, auth: Auth) -> (String, ServerPorts) {
        let topology = Topology::new(["lon", "ams"], servers_per_region).unwrap();
        let ports = ServerPorts::take(&mut PortPool::new(None)).unwrap();
        let others = (2..=servers_per_region).map(|number| 5000 + number);
        let config = ServerConfig {
            name: &topology.servers().next().unwrap(),
            ports: &ports,
            region_routes: std::iter::once(ports.route.port()).chain(others).collect(),
            gateways: vec![("ams", vec![6001, 6002])],
            store_dir: Path::new("/tmp/x"),
            settings: &ServerSettings { auth, ..ServerSettings::default() },
            system_password: &Secret::new("hidden"),
        };
        (config.render(), ports)
    }

    #[test]
    fn routes_name_the_peers_only() {
        let (text, ports) = render(3, Auth::None);
        assert!(
            text.contains(r#"routes: ["nats-route://127.0.0.1:5002", "nats-route://127.0.0.1:5003"]"#),
            "{text}"
        );
        assert!(!text.contains(&format!("nats-route://127.0.0.1:{}", ports.route.port())));
    }

    #[test]
    fn a_single_server_names_itself() {
        let (text, ports) = render(1, Auth::None);
        assert!(text.contains(&format!("nats-route://127.0.0.1:{}", ports.route.port())));
    }

    #[test]
    fn gateways_are_dialled_through_the_paths() {
        let (text, _) = render(3, Auth::None);
        let url = |port: u16| format!(r#""nats://[::ffff:127.0.0.1%25wan]:{port}""#);
        let gateway = format!(r#"{{ name: "ams", urls: [{}, {}] }}"#, url(6001), url(6002));
        assert!(text.contains(&gateway), "{text}");
    }

    #[test]
    fn tls_is_for_both_ways_in() {
        let topology = Topology::new(["lon", "ams"], 1).unwrap();
        let ports = ServerPorts::take(&mut PortPool::new(None)).unwrap();
        let tls = ServerTls {
            cert_file: "/c".into(),
            key_file: "/k".into(),
            client_ca_file: Some("/a".into()),
            handshake_first: true,
        };
        let auth = Auth::Custom(Secret::new("authorization { token: \"t\" }"));
        let config = ServerConfig {
            name: &topology.servers().next().unwrap(),
            ports: &ports,
            region_routes: vec![],
            gateways: vec![],
            store_dir: Path::new("/tmp/x"),
            settings: &ServerSettings { auth, tls: Some(tls), ..ServerSettings::default() },
            system_password: &Secret::new("hidden"),
        };
        let text = config.render();
        let common = r#"tls { cert_file: "/c", key_file: "/k", ca_file: "/a", verify: true"#;
        assert!(text.contains(&format!("\n{common}, handshake_first: true }}")), "{text}");
        assert!(text.contains(&format!(", {common} }} }}")) && !text.contains("no_tls"), "{text}");
        assert!(text.contains("token: \"t\"") && !text.contains("system_account"), "{text}");
    }

    #[test]
    fn a_password_turns_anonymous_clients_away() {
        assert!(render(1, Auth::None).0.contains("no_auth_user: app"));
        let auth = Auth::UserPassword { user: "u".to_owned(), password: Secret::new("a\"b") };
        let (text, _) = render(1, auth.clone());
        assert!(text.contains(r#"password: "a\"b""#) && !text.contains("no_auth_user"), "{text}");
        assert!(!format!("{auth:?}").contains("a\\\"b"), "a password in Debug");
    }
}
