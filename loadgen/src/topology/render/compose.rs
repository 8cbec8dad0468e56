//! A super-cluster of containers: `docker-compose.yaml`, and the files that it mounts.

use std::fmt::Write as _;

use super::super::credentials::KeyError;
use super::super::model::{Topology, file_stem};
use super::addresses::{Addresses, Folders, Placed, PortsError, STANDARD, counted, listen};
use super::files::{Inputs, RenderedFile};
use super::names::{Names, image};
use super::server::Listen;
use super::{env, folder, monitoring, server, toxiproxy, users, yaml};

/// Options of the renderer.
#[derive(Clone, Debug)]
pub struct ComposeOptions {
    /// Containers are called `SERVER.CLUSTER.DOMAIN`.
    pub domain: String,
    /// Image of servers of which the topology says none.
    pub image: String,
    /// Path at which the image looks for the configuration.
    pub image_config: String,
    /// First port of the machine: the client port of the first server.
    pub base_port: u16,
    /// Address of the machine at which ports are published.
    pub bind: String,
    /// Whether gateways go through Toxiproxy.
    pub toxiproxy: bool,
    /// Whether to add Surveyor, Prometheus and Grafana.
    pub surveyor: bool,
}

/// Reason why there is no compose file.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The ports do not fit.
    #[error(transparent)]
    Ports(#[from] PortsError),
    /// See [`KeyError`].
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Surveyor is a user of the system account.
    #[error(
        "Surveyor needs a user of the system account, but a topology with one token has no users: leave out --surveyor"
    )]
    NoSystemUser,
}

/// Returns the addresses for containers, and for clients on this machine.
///
/// # Errors
/// The ports do not fit.
pub fn addresses(topology: &Topology, options: &ComposeOptions) -> Result<Addresses, PortsError> {
    let names = Names::of(topology);
    let template = format!("{{server}}.{{cluster}}.{}", options.domain);
    let published = counted(topology, options.base_port)?;
    let placed = topology.all_servers().iter().zip(published).enumerate().map(|(number, (server, ports))| {
        let inside = listen(&names.host(&template, server), STANDARD);
        let outside = listen(&options.bind, ports);
        let reach = Listen {
            client: outside.client,
            websocket: outside.websocket,
            monitor: outside.monitor,
            ..inside
        };
        let mut placed = Placed::new(server, listen("0.0.0.0", STANDARD), reach);
        if options.toxiproxy {
            let proxy = toxiproxy::address(&options.domain, number);
            placed.reach.gateway.clone_from(&proxy);
            placed.gateway_advertise = Some(proxy);
        }
        placed
    });
    Ok(Addresses(placed.collect()))
}

/// Renders the folder.
///
/// # Errors
/// See [`ComposeError`].
pub fn files(inputs: &Inputs<'_>, options: &ComposeOptions) -> Result<Vec<RenderedFile>, ComposeError> {
    let topology = inputs.topology;
    let addresses = addresses(topology, options)?;
    let mut files = vec![RenderedFile::plain("docker-compose.yaml", compose(inputs, options, &addresses)?)];
    let folders = Folders { store: "/data".to_owned(), users: "/users".to_owned(), tls: "/tls".to_owned() };
    for placed in &addresses.0 {
        let wiring = addresses.wiring(topology, placed, &folders);
        let text = server::config(topology, &placed.server, &wiring, inputs.credentials)?;
        files.push(inputs.config_file(config_path(placed), text));
    }
    if options.toxiproxy {
        files.push(toxiproxy::config(topology, &options.domain));
    }
    if options.surveyor {
        files.extend(monitoring::files(inputs, &options.domain)?);
    }
    files.extend(users::env_files(inputs)?);
    files.extend(inputs.user_files()?);
    files.extend(inputs.tls_files());
    files.extend(folder::stream_files(topology));
    files.push(RenderedFile::plain("README.md", readme(topology, &addresses)));
    Ok(files)
}

/// The map of nodes and ports, as R.I. Pienaar's supercluster prints it.
///
/// # Errors
/// The ports do not fit.
pub fn port_map(topology: &Topology, options: &ComposeOptions) -> Result<String, PortsError> {
    let (names, addresses) = (Names::of(topology), addresses(topology, options)?);
    let mut text = String::new();
    for (number, cluster) in topology.regions().iter().enumerate() {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "Cluster: {}", number + 1);
        for placed in addresses.of(cluster) {
            let port = port(&placed.reach.client);
            let _ = writeln!(text, "  Node: {}\n    Port: {port}\n", host(&names, options, placed));
        }
        text.push('\n');
    }
    Ok(text)
}

fn host(names: &Names, options: &ComposeOptions, placed: &Placed) -> String {
    names.host(&format!("{{server}}.{{cluster}}.{}", options.domain), &placed.server)
}

fn config_path(placed: &Placed) -> String {
    format!("configs/{}.conf", file_stem(placed.server.name.as_str(), placed.server.name.number().into()))
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').map_or("", |(_, port)| port)
}

fn compose(
    inputs: &Inputs<'_>,
    options: &ComposeOptions,
    addresses: &Addresses,
) -> Result<String, ComposeError> {
    let topology = inputs.topology;
    let names = Names::of(topology);
    let mut text = format!(
        "# The super-cluster {}, written by loadgen. Start it with `docker compose up`.\n\nservices:\n",
        topology.name()
    );
    for cluster in topology.regions() {
        let _ = writeln!(text, "  # Cluster {cluster}.");
        for placed in addresses.of(cluster) {
            text.push_str(&service(inputs, options, &names, placed));
        }
    }
    if options.toxiproxy {
        text.push_str(&toxiproxy::service(topology, &options.domain, &options.bind));
    }
    if options.surveyor {
        text.push_str(&monitoring::services(inputs, options)?);
    }
    text.push_str("# Servers of a cluster share a network, and all servers share one for gateways and leaf nodes.\nnetworks:\n");
    for cluster in topology.regions() {
        let _ = writeln!(text, "  {}: {{}}", string(&network(&names, cluster)));
    }
    text.push_str(
        "  shared: {}\n\n# Data of JetStream. `docker compose down --volumes` deletes the data.\nvolumes:\n",
    );
    for placed in &addresses.0 {
        let _ = writeln!(text, "  {}: {{}}", string(&volume(&names, placed)));
    }
    Ok(text)
}

fn service(inputs: &Inputs<'_>, options: &ComposeOptions, names: &Names, placed: &Placed) -> String {
    let topology = inputs.topology;
    let image = image(&options.image, &placed.server);
    let host = host(names, options, placed);
    let mut text = format!(
        "  {}:\n    image: {}\n    hostname: {}\n    command: {}\n    restart: unless-stopped\n    \
         # A lame duck needs 30 s to send its clients away.\n    stop_grace_period: 45s\n",
        string(&host),
        string(&image),
        string(&host),
        list(&["--config".to_owned(), options.image_config.clone()]),
    );
    let mut ports = vec![("clients", &placed.reach.client, STANDARD.client)];
    if topology.spec().websocket.enabled {
        ports.push(("WebSocket", &placed.reach.websocket, STANDARD.websocket));
    }
    ports.push(("monitoring", &placed.reach.monitor, STANDARD.monitor));
    text.push_str("    ports:\n");
    for (what, outside, inside) in ports {
        let published = format!("{outside}:{}", inside.unwrap_or_default());
        let _ = writeln!(text, "      - {} # {what}", string(&published));
    }
    let mut volumes = vec![
        format!("./{}:{}:ro", config_path(placed), options.image_config),
        format!("{}:/data", volume(names, placed)),
    ];
    if !super::auth_files(topology, inputs.credentials).unwrap_or_default().is_empty() {
        volumes.push("./users:/users:ro".to_owned());
    }
    if inputs.certificates.is_some() {
        volumes.push("./tls:/tls:ro".to_owned());
    }
    text.push_str("    volumes:\n");
    for volume in volumes {
        let _ = writeln!(text, "      - {}", string(&volume));
    }
    let _ = writeln!(
        text,
        "    networks: {}",
        list(&[network(names, placed.server.name.region()), "shared".to_owned()])
    );
    text.push_str(&health_check(&image));
    text.push('\n');
    text
}

fn health_check(image: &str) -> String {
    if image.starts_with("nats:") && !image.contains("alpine") {
        return "    # No health check: this image has no `wget`. An image whose tag ends with `-alpine` has it.\n"
            .to_owned();
    }
    let url = format!("http://127.0.0.1:{}/healthz", STANDARD.monitor.unwrap_or_default());
    let command = list(&["CMD", "wget", "-q", "-O", "/dev/null", &url].map(str::to_owned));
    format!(
        "    healthcheck:\n      test: {command}\n      interval: 5s\n      timeout: 3s\n      retries: 6\n      start_period: 15s\n"
    )
}

fn network(names: &Names, cluster: &str) -> String {
    format!("cluster-{}", names.cluster(cluster))
}

fn volume(names: &Names, placed: &Placed) -> String {
    format!("{}.{}-data", names.server(&placed.server), names.cluster(placed.server.name.region()))
}

/// Compose replaces `$NAME` in strings; two dollar signs stand for one.
pub(super) fn string(text: &str) -> String {
    yaml::text(&text.replace('$', "$$"))
}

pub(super) fn list(items: &[String]) -> String {
    yaml::list(items.iter().map(|item| item.replace('$', "$$")))
}

fn readme(topology: &Topology, addresses: &Addresses) -> String {
    let account = topology.accounts().next().map(|account| account.name.as_str()).unwrap_or_default();
    let url = addresses.0.first().map(|placed| env::url(topology, placed)).unwrap_or_default();
    format!(
        "# Super-cluster `{}` in containers\n\n```sh\ndocker compose up --detach --wait   # start\ndocker compose down                 \
         # end; add --volumes to delete the data of JetStream\n```\n\nConnect as a user, for example with the `nats` CLI:\n\n\
         ```sh\n{}\nnats --server {url}{} rtt\n```\n{}",
        topology.name(),
        users::become_user(topology, account),
        env::flags(topology),
        folder::streams(topology, addresses)
    )
}
