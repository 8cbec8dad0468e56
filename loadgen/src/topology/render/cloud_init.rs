//! Virtual machines, such as Vultr's: user data for cloud-init, one file per server.

use std::fmt::Write as _;

use super::super::credentials::KeyError;
use super::super::model::Topology;
use super::addresses::{Addresses, Folders, Placed, STANDARD, listen};
use super::files::{Inputs, RenderedFile};
use super::fly::Dial;
use super::names::Names;
use super::{env, folder, server, users, yaml};

/// Options of the renderer.
#[derive(Clone, Debug)]
pub struct CloudInitOptions {
    /// Kind of address that clients and gateways dial.
    pub dial: Dial,
    /// Name of every machine, a template.
    pub hosts: String,
    /// Name that leads to all machines of a cluster, a template; for anycast.
    pub cluster_host: String,
    /// Name that leads clients to the nearest cluster; for anycast.
    pub anycast_host: String,
    /// nats-server of servers of which the topology says none.
    pub nats_version: String,
}

/// Returns the addresses for servers and for clients.
pub fn addresses(topology: &Topology, options: &CloudInitOptions) -> Addresses {
    let mut addresses = Addresses::hosts(topology, &options.hosts);
    if options.dial == Dial::Anycast {
        let names = Names::of(topology);
        for placed in &mut addresses.0 {
            let cluster = names.cluster_host(&options.cluster_host, placed.server.name.region());
            let cluster = listen(&cluster, STANDARD);
            placed.reach.gateway.clone_from(&cluster.gateway);
            placed.reach.leaf = cluster.leaf;
            placed.gateway_advertise = Some(cluster.gateway);
            let anycast = listen(&options.anycast_host, STANDARD);
            placed.reach.client = anycast.client;
            placed.reach.websocket = anycast.websocket;
            // Clients keep the one address: the network finds another machine behind it.
            placed.client_advertise.clone_from(&placed.server.announce);
        }
    }
    addresses
}

/// Renders the user data of each server.
///
/// # Errors
/// See [`KeyError`].
pub fn files(
    inputs: &Inputs<'_>,
    addresses: &Addresses,
    options: &CloudInitOptions,
) -> Result<Vec<RenderedFile>, KeyError> {
    let topology = inputs.topology;
    let names = Names::of(topology);
    let mut files = vec![RenderedFile::plain("README.md", readme(topology, addresses, options, &names))];
    for placed in &addresses.0 {
        files
            .push(RenderedFile::secret(path(&names, placed), user_data(inputs, addresses, options, placed)?));
    }
    files.extend(users::env_files(inputs)?);
    files.extend(inputs.user_files()?);
    files.extend(inputs.tls_files());
    files.extend(folder::stream_files(topology));
    Ok(files)
}

fn path(names: &Names, placed: &Placed) -> String {
    format!("{}/{}.yaml", names.cluster(placed.server.name.region()), names.server(&placed.server))
}

fn user_data(
    inputs: &Inputs<'_>,
    addresses: &Addresses,
    options: &CloudInitOptions,
    placed: &Placed,
) -> Result<String, KeyError> {
    let topology = inputs.topology;
    let names = Names::of(topology);
    let folders = Folders {
        store: "/var/lib/nats".to_owned(),
        users: "/etc/nats/users".to_owned(),
        tls: "/etc/nats/tls".to_owned(),
    };
    let wiring = addresses.wiring(topology, placed, &folders);
    let config = server::config(topology, &placed.server, &wiring, inputs.credentials)?;
    let host = names.host(&options.hosts, &placed.server);
    let mut text = format!(
        "#cloud-config\n# Server {} of the super-cluster {}, written by loadgen: user data for a virtual machine.\n\n\
         hostname: {}\nfqdn: {}\n\npackages: [\"ca-certificates\", \"curl\"]\n\n\
         users:\n  - default\n  - {{ name: \"nats\", system: true, shell: \"/usr/sbin/nologin\" }}\n\n\
         # Written after the user `nats` was made, who owns the files with secrets.\nwrite_files:\n",
        placed.server.name,
        topology.name(),
        yaml::text(names.server(&placed.server)),
        yaml::text(&host),
    );
    text.push_str(&file("/etc/nats/nats-server.conf", "nats:nats", "0600", &config));
    for shared in inputs.user_files()?.into_iter().chain(inputs.tls_files()) {
        // Keys of clients are none of a server's.
        if !shared.path.contains("client") {
            text.push_str(&file(&format!("/etc/nats/{}", shared.path), "nats:nats", "0600", &shared.text));
        }
    }
    text.push_str(&file("/etc/systemd/system/nats-server.service", "root:root", "0644", UNIT));
    text.push_str(&commands(topology, placed, options));
    Ok(text)
}

fn file(path: &str, owner: &str, mode: &str, text: &str) -> String {
    format!(
        "  - path: {}\n    owner: {}\n    permissions: {}\n    defer: true\n    content: {}",
        yaml::text(path),
        yaml::text(owner),
        yaml::text(mode),
        yaml::block(text, 6)
    )
}

/// systemd ends nats-server by its lame duck mode, which sends clients away for 30 s.
const UNIT: &str = "\
[Unit]
Description=NATS server
After=network-online.target
Wants=network-online.target

[Service]
User=nats
Group=nats
StateDirectory=nats
ExecStart=/usr/local/bin/nats-server --config /etc/nats/nats-server.conf
ExecReload=/bin/kill -HUP $MAINPID
KillSignal=SIGUSR2
TimeoutStopSec=60
Restart=always
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
";

fn commands(topology: &Topology, placed: &Placed, options: &CloudInitOptions) -> String {
    let own = placed.server.release();
    let version = own.unwrap_or_else(|| options.nats_version.trim_start_matches('v'));
    let mut ports = vec![&placed.listen.client, &placed.listen.route];
    let region = placed.server.name.region();
    if topology.spec().websocket.enabled {
        ports.push(&placed.listen.websocket);
    }
    if !topology.gateways_of(region).is_empty() {
        ports.push(&placed.listen.gateway);
    }
    if topology.leaves_of(region).next().is_some() {
        ports.push(&placed.listen.leaf);
    }
    let ports = ports.into_iter().filter_map(|address| Some(address.rsplit_once(':')?.1));
    let ports = ports.collect::<Vec<_>>().join(",");
    let script = format!(
        "set -eu\n\
         release=nats-server-v{version}-linux-$(dpkg --print-architecture)\n\
         from=https://github.com/nats-io/nats-server/releases/download/v{version}\n\
         cd \"$(mktemp -d)\"\n\
         curl -fsSLO \"$from/$release.tar.gz\"\n\
         curl -fsSLO \"$from/SHA256SUMS\"\n\
         sha256sum --check --ignore-missing SHA256SUMS\n\
         tar -xzf \"$release.tar.gz\"\n\
         install \"$release/nats-server\" /usr/local/bin/nats-server\n\
         # The firewall of some images admits SSH only: open the ports of NATS. The monitoring port stays closed.\n\
         if command -v ufw >/dev/null; then ufw allow proto tcp to any port {ports}; fi\n\
         systemctl daemon-reload\n\
         systemctl enable --now nats-server\n"
    );
    format!("\nruncmd:\n  - {}", yaml::block(&script, 4))
}

fn readme(topology: &Topology, addresses: &Addresses, options: &CloudInitOptions, names: &Names) -> String {
    let mut text = format!(
        "# Super-cluster `{}` on virtual machines\n\nGive each file to one machine as user data, for example at Vultr:\n\n```sh\n",
        topology.name()
    );
    for placed in &addresses.0 {
        let host = names.host(&options.hosts, &placed.server);
        let _ = writeln!(
            text,
            "vultr-cli instance create --region REGION --plan PLAN --os OS --host {host} --userdata \"$(cat {})\"",
            path(names, placed)
        );
    }
    text.push_str("```\n\nThen create a DNS record for each host name, with the address of its machine. ");
    match options.dial {
        Dial::Direct => text.push_str("Clients and gateways dial every machine by its own name.\n"),
        Dial::Anycast => {
            let cluster = options.cluster_host.as_str();
            let _ = write!(
                text,
                "Gateways dial `{cluster}`, which needs one address record\nper machine of the cluster. Clients dial `{}`: \
                 announce its address by BGP from every cluster, so that the\nnetwork leads to the nearest one.\n",
                options.anycast_host
            );
        }
    }
    text.push('\n');
    let mut urls: Vec<_> = addresses.0.iter().map(|placed| env::url(topology, placed)).collect();
    urls.dedup();
    for url in urls {
        let _ = writeln!(text, "* `{url}`");
    }
    text.push_str(&folder::streams(topology, addresses));
    text
}
