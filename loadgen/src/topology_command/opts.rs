//! Options of `loadgen topology`. Doc comments are the help text.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cluster::Version;
use crate::secret::Secret;
use crate::topology::render::fly::Dial;

/// A command about topologies.
#[derive(Clone, Debug, Subcommand)]
pub enum TopologyCommand {
    /// List the presets
    List,
    /// Print the file of a preset, to copy and change it
    Show(ShowOpts),
    /// Check a topology file; every error names its line and the remedy
    Check(CheckOpts),
    /// Write the files with which another tool starts the super-cluster
    #[command(subcommand)]
    Render(RenderCommand),
    /// Print environment variables with which the `nats` CLI connects to a server, secrets included
    Env(Box<EnvOpts>),
    /// Open $SHELL with environment variables with which the `nats` CLI connects to a server
    Shell(Box<ShellOpts>),
}

/// Options of `loadgen topology show`.
#[derive(Args, Clone, Debug)]
pub struct ShowOpts {
    /// Print this preset
    #[arg(value_name = "PRESET")]
    pub preset: String,
}

/// Options of `loadgen topology check`.
#[derive(Args, Clone, Debug)]
pub struct CheckOpts {
    /// Check this file, or this preset
    #[arg(value_name = "FILE|PRESET")]
    pub topology: String,
}

/// The tool to render for.
#[derive(Clone, Debug, Subcommand)]
pub enum RenderCommand {
    /// Write one nats-server configuration per server, to start by hand
    NatsServer(Box<PlacedOpts>),
    /// Write docker-compose.yaml with one container per server
    Compose(Box<ComposeOpts>),
    /// Write values of the official NATS chart for Kubernetes, one file per cluster
    Helm(Box<HelmOpts>),
    /// Write fly.toml for Fly.io, one app per cluster
    Fly(Box<FlyOpts>),
    /// Write user data for virtual machines, one file per server
    CloudInit(Box<CloudInitOpts>),
    /// Write contexts of the `nats` CLI, one per cluster and user
    Contexts(Box<PlacedOpts>),
}

/// Options of the output folder.
#[derive(Args, Clone, Debug)]
pub struct OutOpts {
    /// Write into this folder; its file `.seed` keeps passwords and keys the same in later renderings
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,

    /// Overwrite files that exist in the folder
    #[arg(long)]
    pub force: bool,
}

/// The password that users share.
#[derive(Args, Clone, Debug)]
pub struct PasswordOpts {
    /// Give this password to all users that have none in the file [default: a random one for each user]
    #[arg(long, env = "PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub password: Option<Secret>,
}

/// Options of the servers' addresses.
#[derive(Args, Clone, Debug)]
pub struct AddressOpts {
    /// Give the servers consecutive ports of 127.0.0.1, beginning with this one
    #[arg(long, visible_alias = "port", env = "PORT", default_value_t = 10000, value_name = "PORT")]
    pub base_port: u16,

    /// Give each server its own host, with the usual ports, as in `{server}.{cluster}.example.net`
    #[arg(long, value_name = "TEMPLATE")]
    pub hosts: Option<String>,
}

/// Options of the clusters that loadgen makes without a file.
#[derive(Args, Clone, Copy, Debug)]
pub struct SizeOpts {
    /// Without a topology: make this many clusters, c1 and so on
    #[arg(long, env = "CLUSTERS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16), value_name = "N")]
    pub clusters: u16,

    /// Without a topology: give each cluster this many servers
    #[arg(long, env = "CLUSTER_MEMBERS", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=9), value_name = "N")]
    pub cluster_members: u16,
}

/// Options of `loadgen topology render nats-server` and `contexts`, which place servers at the same addresses.
#[derive(Args, Clone, Debug)]
pub struct PlacedOpts {
    /// Render this file, or this preset
    #[arg(value_name = "FILE|PRESET")]
    pub topology: String,
    /// Options of the output folder.
    #[command(flatten)]
    pub out: OutOpts,
    /// The shared password.
    #[command(flatten)]
    pub password: PasswordOpts,
    /// Options of the servers' addresses.
    #[command(flatten)]
    pub addresses: AddressOpts,
}

/// Options of `loadgen topology render compose`.
#[derive(Args, Clone, Debug)]
pub struct ComposeOpts {
    /// Render this file, or this preset [default: the clusters of --clusters and --cluster-members]
    #[arg(value_name = "FILE|PRESET")]
    pub topology: Option<String>,
    /// Options of the output folder.
    #[command(flatten)]
    pub out: OutOpts,
    /// The shared password.
    #[command(flatten)]
    pub password: PasswordOpts,
    /// Options for the clusters that loadgen makes without a topology.
    #[command(flatten)]
    pub size: SizeOpts,

    /// Publish the client ports of the containers at consecutive ports, beginning with this one
    #[arg(long, visible_alias = "base-port", env = "PORT", default_value_t = 10000, value_name = "PORT")]
    pub port: u16,

    /// Publish the ports of the containers at this address of the machine
    #[arg(long, default_value = "127.0.0.1", value_name = "IP")]
    pub bind: IpAddr,

    /// End the names of containers with this DNS domain, as in `lon-1.lon.example.net`
    #[arg(long, env = "DOMAIN", default_value = "example.net", value_name = "DOMAIN")]
    pub domain: String,

    /// Run this image, unless the topology names another one; `nats` alone means `nats:alpine`
    #[arg(long, env = "IMAGE", default_value = "nats", value_name = "IMAGE")]
    pub image: String,

    /// Mount each configuration at this path of its container
    #[arg(long, env = "IMAGE_CONFIG", default_value = "/nats-server.conf", value_name = "PATH")]
    pub image_config: String,

    /// After rendering, open a shell for the `nats` CLI at this cluster and server, such as "1 1"
    #[arg(long, env = "NATS", value_name = "CLUSTER NODE")]
    pub nats: Option<String>,

    /// Put Toxiproxy in front of all gateways
    #[arg(long, env = "TOXICLUSTER", value_parser = clap::builder::FalseyValueParser::new())]
    pub toxicluster: bool,

    /// Add NATS Surveyor, Prometheus and Grafana
    #[arg(long)]
    pub surveyor: bool,
}

/// Options of `loadgen topology render helm`.
#[derive(Args, Clone, Debug)]
pub struct HelmOpts {
    /// Render this file, or this preset
    #[arg(value_name = "FILE|PRESET")]
    pub topology: String,
    /// Options of the output folder.
    #[command(flatten)]
    pub out: OutOpts,
    /// The shared password.
    #[command(flatten)]
    pub password: PasswordOpts,

    /// Let gateways and leaf nodes dial each Kubernetes cluster at this name
    #[arg(long, default_value = "{cluster}.example.net", value_name = "TEMPLATE")]
    pub hosts: String,
}

/// Which address clients and gateways dial.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum DialKind {
    /// One address for many servers: the network routes each connection to the nearest one
    Anycast,
    /// Each server has its own address
    Direct,
}

/// Options of `loadgen topology render fly`.
#[derive(Args, Clone, Debug)]
pub struct FlyOpts {
    /// Render this file, or this preset
    #[arg(value_name = "FILE|PRESET")]
    pub topology: String,
    /// Options of the output folder.
    #[command(flatten)]
    pub out: OutOpts,
    /// The shared password.
    #[command(flatten)]
    pub password: PasswordOpts,

    /// Let clients and gateways dial this kind of address
    #[arg(long, value_enum, default_value_t = DialKind::Direct)]
    pub dial: DialKind,

    /// Use this prefix for the apps' names, which must be unique on Fly.io [default: the topology's name]
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,

    /// Run a cluster in a region of Fly.io: `mars=iad`; repeatable [default: the region in its city]
    #[arg(long, value_name = "CLUSTER=REGION", value_parser = pair)]
    pub region: Vec<(String, String)>,

    /// Run this image, unless the topology names another one
    #[arg(long, env = "IMAGE", default_value = "nats:alpine", value_name = "IMAGE")]
    pub image: String,
}

/// Options of `loadgen topology render cloud-init`.
#[derive(Args, Clone, Debug)]
pub struct CloudInitOpts {
    /// Render this file, or this preset
    #[arg(value_name = "FILE|PRESET")]
    pub topology: String,
    /// Options of the output folder.
    #[command(flatten)]
    pub out: OutOpts,
    /// The shared password.
    #[command(flatten)]
    pub password: PasswordOpts,

    /// Let clients and gateways dial this kind of address
    #[arg(long, value_enum, default_value_t = DialKind::Direct)]
    pub dial: DialKind,

    /// Name each machine by this template
    #[arg(long, default_value = "{server}.{cluster}.example.net", value_name = "TEMPLATE")]
    pub hosts: String,

    /// With --dial anycast: let gateways and leaf nodes dial this name of all machines of a cluster
    #[arg(long, default_value = "{cluster}.example.net", value_name = "TEMPLATE")]
    pub cluster_host: String,

    /// With --dial anycast: let clients dial this name, which leads to the nearest cluster
    #[arg(long, default_value = "nats.example.net", value_name = "NAME")]
    pub anycast_host: String,

    /// Install this version of nats-server, unless the topology names another one
    #[arg(long, default_value_t = Version::PINNED.to_string(), value_name = "VERSION")]
    pub nats_version: String,
}

/// Options of `loadgen topology env`.
#[derive(Args, Clone, Debug)]
pub struct EnvOpts {
    /// Connect to a server of this file, or this preset
    #[arg(value_name = "FILE|PRESET")]
    pub topology: String,
    /// Options that choose the server.
    #[command(flatten)]
    pub at: AtOpts,
}

/// Options of `loadgen topology shell`.
#[derive(Args, Clone, Debug)]
pub struct ShellOpts {
    /// Options that choose the server.
    #[command(flatten)]
    pub at: AtOpts,

    /// Connect to a server of this file or preset [default: clusters by --clusters and --cluster-members]
    #[arg(long, value_name = "FILE|PRESET")]
    pub topology: Option<String>,

    /// Options for the clusters that loadgen makes without a topology.
    #[command(flatten)]
    pub size: SizeOpts,
}

/// A server of a rendered folder.
#[derive(Args, Clone, Debug)]
pub struct AtOpts {
    /// Connect to this cluster: its name, or its number, counted from 1
    #[arg(value_name = "CLUSTER")]
    pub cluster: String,

    /// Connect to this server of the cluster: its number, counted from 1
    #[arg(value_name = "NODE", default_value_t = 1)]
    pub node: u16,

    /// Use the credentials and certificates in this folder, which `loadgen topology render` wrote
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub folder: PathBuf,

    /// The shared password.
    #[command(flatten)]
    pub password: PasswordOpts,
    /// Options of the servers' addresses.
    #[command(flatten)]
    pub addresses: AddressOpts,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (cluster, region) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not a pair: write CLUSTER=REGION, as in `mars=iad`"))?;
    Ok((cluster.to_owned(), region.to_owned()))
}

impl From<DialKind> for Dial {
    fn from(kind: DialKind) -> Self {
        match kind {
            DialKind::Anycast => Self::Anycast,
            DialKind::Direct => Self::Direct,
        }
    }
}
