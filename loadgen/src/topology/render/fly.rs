//! Fly.io: one app per cluster, and in it one process group, so one machine, per server.

use std::fmt::Write as _;

use super::super::credentials::KeyError;
use super::super::model::{Server, Topology};
use super::super::spec::{AuthKind, ClusterSpec, Resolver};
use super::addresses::{Addresses, Folders, Placed, STANDARD, listen};
use super::files::{Inputs, RenderedFile};
use super::names::{Names, image, label};
use super::server::Listen;
use super::{env, folder, server, users, yaml};

/// Which address clients and gateways dial.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dial {
    /// One address for many servers: the network leads to the nearest one.
    Anycast,
    /// Every server at an address of its own.
    Direct,
}

/// Options of the renderer.
#[derive(Clone, Debug)]
pub struct FlyOptions {
    /// Prefix of the apps' names. A hyphen and the cluster follow.
    pub app: String,
    /// Kind of address that clients and gateways dial.
    pub dial: Dial,
    /// Regions of clusters that are not those of their cities.
    pub regions: Vec<(String, String)>,
    /// Image of servers of which the topology says none.
    pub image: String,
}

/// Reason why there are no files for Fly.io.
#[derive(Debug, thiserror::Error)]
pub enum FlyError {
    /// Nothing says where a cluster runs.
    #[error("Fly.io has no region in the city of cluster `{cluster}`: choose one with --region {cluster}=REGION ({})", REGIONS.join(", "))]
    NoRegion {
        /// The cluster.
        cluster: String,
    },
    /// A region was chosen for a cluster that is none.
    #[error("--region names the cluster `{cluster}`, which does not exist: name one of {clusters}")]
    NoCluster {
        /// Name that the user gave.
        cluster: String,
        /// Those that there are.
        clusters: String,
    },
    /// See [`KeyError`].
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Fly.io's regions, from <https://fly.io/docs/reference/regions/>.
const REGIONS: [&str; 18] = [
    "ams", "arn", "bom", "cdg", "dfw", "ewr", "fra", "gru", "iad", "jnb", "lax", "lhr", "nrt", "ord", "sin",
    "sjc", "syd", "yyz",
];

/// Cities that loadgen calls otherwise.
const CITIES: [(&str, &str); 9] = [
    ("lon", "lhr"),
    ("dal", "dfw"),
    ("par", "cdg"),
    ("chi", "ord"),
    ("tor", "yyz"),
    ("sto", "arn"),
    ("sao", "gru"),
    ("sfo", "sjc"),
    ("tyo", "nrt"),
];

/// Returns the addresses for servers and for clients. Routes stay inside of the private network.
pub fn addresses(topology: &Topology, options: &FlyOptions) -> Addresses {
    let names = Names::of(topology);
    let placed = topology.all_servers().iter().map(|server| {
        let app = app(options, &names, server.name.region());
        let inside = listen(&format!("{}.process.{app}.internal", names.server(server)), STANDARD);
        let everywhere = listen("[::]", STANDARD);
        match options.dial {
            Dial::Direct => {
                let mut placed = Placed::new(server, everywhere, inside);
                let own = placed.reach.client.clone();
                placed.client_advertise.get_or_insert(own);
                placed
            }
            Dial::Anycast => {
                let reach = Listen { route: inside.route, ..listen(&format!("{app}.fly.dev"), STANDARD) };
                let mut placed = Placed::new(server, everywhere, reach);
                placed.gateway_advertise = Some(placed.reach.gateway.clone());
                placed
            }
        }
    });
    Addresses(placed.collect())
}

/// Renders one folder per cluster, with its `fly.toml` and configurations.
///
/// # Errors
/// See [`FlyError`].
pub fn files(
    inputs: &Inputs<'_>,
    addresses: &Addresses,
    options: &FlyOptions,
) -> Result<Vec<RenderedFile>, FlyError> {
    let topology = inputs.topology;
    let names = Names::of(topology);
    let is_known = |cluster: &str| topology.cluster(cluster).is_some();
    if let Some((cluster, _)) = options.regions.iter().find(|(cluster, _)| !is_known(cluster)) {
        let clusters = topology.regions().join(", ");
        return Err(FlyError::NoCluster { cluster: cluster.clone(), clusters });
    }
    let mut files = vec![RenderedFile::plain("README.md", readme(topology, addresses, options, &names))];
    let folders =
        Folders { store: "/data".to_owned(), users: "/nats/users".to_owned(), tls: "/nats/tls".to_owned() };
    let (of_users, of_tls) = (inputs.user_files()?, inputs.tls_files());
    for cluster in &topology.spec().clusters {
        let path = format!("{}/fly.toml", names.cluster(&cluster.name));
        // Only leaf nodes log in as users, and no server has the certificate of a client.
        let of_users = of_users.iter().filter(|_| cluster.leaf_of.is_some());
        let of_tls = of_tls.iter().filter(|file| !file.path.contains("client."));
        let shared: Vec<_> = of_users.chain(of_tls).collect();
        files.push(RenderedFile::plain(path, fly_toml(topology, addresses, options, cluster, &shared)?));
        for placed in addresses.of(&cluster.name) {
            let wiring = addresses.wiring(topology, placed, &folders);
            let text = server::config(topology, &placed.server, &wiring, inputs.credentials)?;
            let path = format!("{}/{}", names.cluster(&cluster.name), config_name(&names, &placed.server));
            files.push(inputs.config_file(path, text));
        }
    }
    files.extend(users::env_files(inputs)?);
    files.extend(of_users);
    files.extend(of_tls);
    files.extend(folder::stream_files(topology));
    Ok(files)
}

fn app(options: &FlyOptions, names: &Names, cluster: &str) -> String {
    format!("{}-{}", label(&options.app), names.cluster(cluster))
}

fn config_name(names: &Names, server: &Server) -> String {
    format!("{}.conf", names.server(server))
}

fn region(options: &FlyOptions, cluster: &ClusterSpec) -> Result<String, FlyError> {
    if let Some((_, region)) = options.regions.iter().find(|(name, _)| *name == cluster.name) {
        return Ok(region.clone());
    }
    let city = cluster.city.as_ref().unwrap_or(&cluster.name).as_str();
    let other = CITIES.iter().find(|(ours, _)| *ours == city).map(|(_, region)| *region);
    let same = REGIONS.iter().find(|region| **region == city).copied();
    let region = other.or(same).ok_or_else(|| FlyError::NoRegion { cluster: cluster.name.clone() })?;
    Ok(region.to_owned())
}

fn fly_toml(
    topology: &Topology,
    addresses: &Addresses,
    options: &FlyOptions,
    cluster: &ClusterSpec,
    shared: &[&RenderedFile],
) -> Result<String, FlyError> {
    let names = Names::of(topology);
    let placed: Vec<_> = addresses.of(&cluster.name).collect();
    // One app has one image: that of the first server.
    let image =
        placed.first().map_or_else(|| options.image.clone(), |placed| image(&options.image, &placed.server));
    let mut text = format!(
        "# Cluster {} of the super-cluster {}, written by loadgen.\napp = {}\nprimary_region = {}\n\
         # SIGUSR2 is nats-server's lame duck mode, which sends clients away for 30 s and then ends.\n\
         kill_signal = \"SIGUSR2\"\nkill_timeout = 60\n\n[build]\nimage = {}\n\n\
         # One process group, so one machine, per server.\n[processes]\n",
        cluster.name,
        topology.name(),
        yaml::text(&app(options, &names, &cluster.name)),
        yaml::text(&region(options, cluster)?),
        yaml::text(&image),
    );
    for placed in &placed {
        let group = names.server(&placed.server);
        let _ = writeln!(
            text,
            "{} = {}",
            yaml::text(group),
            yaml::text(&format!("nats-server --config /nats/{group}.conf"))
        );
    }
    for placed in &placed {
        text.push_str(&machine(topology, &names, placed));
    }
    text.push_str(if shared.is_empty() { "\n" } else { "\n# Files of all servers.\n" });
    for file in shared {
        let _ = writeln!(
            text,
            "[[files]]\nguest_path = {}\nlocal_path = {}\n",
            yaml::text(&format!("/nats/{}", file.path)),
            yaml::text(&format!("../{}", file.path))
        );
    }
    text.push_str(&health_check(&names, &placed));
    if options.dial == Dial::Anycast {
        text.push_str(&services(topology, &names, &placed));
    }
    Ok(text)
}

fn machine(topology: &Topology, names: &Names, placed: &Placed) -> String {
    let group = yaml::text(names.server(&placed.server));
    let config = config_name(names, &placed.server);
    let mut text = format!(
        "\n# {}\n[[files]]\nguest_path = {}\nlocal_path = {}\nprocesses = [{group}]\n",
        placed.server.name,
        yaml::text(&format!("/nats/{config}")),
        yaml::text(&config)
    );
    // Servers keep streams and, with a full resolver, JWTs.
    let auth = &topology.spec().auth;
    let has_jwts = auth.kind == AuthKind::Operator && auth.resolver == Resolver::Full;
    if topology.has_jetstream(placed.server.name.region()) || has_jwts {
        // Fly.io takes letters, digits and underscores only.
        let volume = format!("data_{}", names.server(&placed.server).replace('-', "_"));
        let gigabytes = topology.spec().jetstream.max_file.bytes().div_ceil(1 << 30) + 1;
        let _ = write!(
            text,
            "\n[[mounts]]\nsource = {}\ndestination = \"/data\"\ninitial_size = \"{gigabytes}gb\"\nprocesses = [{group}]\n",
            yaml::text(&volume)
        );
    }
    text
}

fn groups(names: &Names, placed: &[&Placed]) -> String {
    yaml::list(placed.iter().map(|placed| names.server(&placed.server)))
}

/// flyctl starts the next machine only when the one before is healthy, so the check must not need a leader of JetStream.
fn health_check(names: &Names, placed: &[&Placed]) -> String {
    format!(
        "[checks.healthz]\ntype = \"http\"\nport = {}\npath = \"/healthz?js-server-only=true\"\ninterval = \"10s\"\ntimeout = \"3s\"\n\
         grace_period = \"30s\"\nprocesses = {}\n",
        STANDARD.monitor.unwrap_or_default(),
        groups(names, placed)
    )
}

/// Ports at the app's anycast address. Direct dialling needs none: the private network reaches every machine.
fn services(topology: &Topology, names: &Names, placed: &[&Placed]) -> String {
    let Some(cluster) = placed.first().map(|placed| placed.server.name.region()) else {
        return String::new();
    };
    let mut ports = vec![("Clients", STANDARD.client, STANDARD.client, "")];
    if topology.spec().websocket.enabled {
        // nats-server ends TLS by itself if the topology has any.
        let handlers = if topology.spec().tls.is_some() { "" } else { "\"tls\"" };
        ports.push(("Clients over WebSocket", STANDARD.websocket, Some(443), handlers));
    }
    if !topology.gateways_of(cluster).is_empty() {
        ports.push(("Gateways", STANDARD.gateway, STANDARD.gateway, ""));
    }
    if topology.leaves_of(cluster).next().is_some() {
        ports.push(("Leaf nodes", STANDARD.leaf, STANDARD.leaf, ""));
    }
    let mut text = String::new();
    for (what, inside, outside, handlers) in ports {
        let _ = write!(
            text,
            "\n# {what}.\n[[services]]\ninternal_port = {}\nprotocol = \"tcp\"\nauto_stop_machines = \"off\"\n\
             processes = {}\n\n[[services.ports]]\nport = {}\nhandlers = [{handlers}]\n",
            inside.unwrap_or_default(),
            groups(names, placed),
            outside.unwrap_or_default()
        );
    }
    text
}

fn readme(topology: &Topology, addresses: &Addresses, options: &FlyOptions, names: &Names) -> String {
    let mut text = format!(
        "# Super-cluster `{}` on Fly.io\n\nEach cluster is one app, each server one machine of it. Names of apps are unique on \
         Fly.io: `--app` chooses others.\n\n```sh\n",
        topology.name()
    );
    for cluster in topology.regions() {
        let folder = names.cluster(cluster);
        let app = app(options, names, cluster);
        let _ = writeln!(text, "fly apps create {app}");
        if options.dial == Dial::Anycast {
            let _ = writeln!(text, "fly ips allocate-v4 --app {app} && fly ips allocate-v6 --app {app}");
        }
        let _ = writeln!(text, "(cd {folder} && fly deploy --ha=false)");
    }
    text.push_str("```\n\n");
    text.push_str(match options.dial {
        Dial::Anycast => {
            "Clients and gateways dial the apps' public names. Fly.io leads each connection to a machine of the app:\n\n"
        }
        Dial::Direct => {
            "Nothing is public. Clients and gateways dial every machine in Fly.io's private network. From elsewhere, join it with\n\
             `fly wireguard create`:\n\n"
        }
    });
    let mut urls: Vec<_> = addresses.0.iter().map(|placed| env::url(topology, placed)).collect();
    urls.dedup();
    for url in urls {
        let _ = writeln!(text, "* `{url}`");
    }
    text.push_str(&folder::streams(topology, addresses));
    text
}
