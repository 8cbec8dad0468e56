//! `loadgen topology env` and `shell`: the `nats` CLI at one server of a rendered super-cluster.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::TopologyCommandError;
use super::load::{load, supercluster};
use super::opts::{AtOpts, EnvOpts, ShellOpts};
use super::render::{absolute, addresses};
use super::write::{WriteError, existing_seed};
use crate::stdout::print_or_warn;
use crate::topology::Topology;
use crate::topology::credentials::Credentials;
use crate::topology::render::addresses::{Addresses, Placed};
use crate::topology::render::env;

/// The lines that a shell evaluates.
pub(super) fn print(opts: &EnvOpts) -> Result<String, TopologyCommandError> {
    let topology = load(&opts.topology)?;
    let (placed, credentials) = find(&topology, &opts.at)?;
    let variables = env::at(&topology, &credentials, &placed, &absolute(&opts.at.folder)?)?;
    Ok(env::exports(&variables, topology.is_tls_first()).trim_end().to_owned())
}

/// Becomes a shell.
pub(super) fn open(opts: &ShellOpts) -> Result<String, TopologyCommandError> {
    let topology = match &opts.topology {
        Some(name) => load(name)?,
        None => supercluster(opts.size, opts.at.password.password.is_some())?,
    };
    let (placed, credentials) = find(&topology, &opts.at)?;
    shell(&topology, &credentials, &placed, &opts.at.folder)
}

/// The server that `CLUSTER NODE` names.
pub(super) fn node(
    topology: &Topology,
    addresses: &Addresses,
    at: &str,
) -> Result<Placed, TopologyCommandError> {
    let (cluster, node) = at.trim().rsplit_once(char::is_whitespace).unwrap_or((at, "1"));
    let number = node
        .parse()
        .map_err(|_| TopologyCommandError::NoNode { cluster: cluster.to_owned(), node: node.to_owned() })?;
    placed(topology, addresses, cluster.trim(), number)
}

/// Replaces this process by a shell with the variables, so that signals are the shell's own.
pub(super) fn shell(
    topology: &Topology,
    credentials: &Credentials,
    placed: &Placed,
    folder: &Path,
) -> Result<String, TopologyCommandError> {
    let variables = env::at(topology, credentials, placed, &absolute(folder)?)?;
    let names: Vec<_> = variables.iter().map(|variable| &*variable.name).collect();
    print_or_warn(&format!(
        "Starting a shell for the 'nats' cli at server {} of cluster {}, with {} set{}",
        placed.server.name,
        placed.server.name.region(),
        names.join(", "),
        if topology.is_tls_first() { "; add --tlsfirst to every command" } else { "" }
    ));
    let program = std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".to_owned());
    let mut command = Command::new(&program);
    command.envs(variables.iter().map(|variable| (&variable.name, variable.value.expose())));
    // The settings of the rendering are none of the shell's.
    command.env_remove("PASSWORD").env_remove("NATS");
    Err(TopologyCommandError::Shell { program, error: command.exec() })
}

fn find(topology: &Topology, at: &AtOpts) -> Result<(Placed, Credentials), TopologyCommandError> {
    let addresses = addresses(topology, &at.addresses)?;
    let placed = placed(topology, &addresses, &at.cluster, at.node)?;
    let seed = match existing_seed(&at.folder) {
        // The shared password is all that users of passwords need.
        Err(WriteError::NoSeed { .. }) if at.password.password.is_some() => [0; 32],
        result => result?,
    };
    Ok((placed, Credentials::new(seed, at.password.password.clone())))
}

fn placed(
    topology: &Topology,
    addresses: &Addresses,
    cluster: &str,
    node: u16,
) -> Result<Placed, TopologyCommandError> {
    let regions = topology.regions();
    let by_number = || regions.get(cluster.parse::<usize>().ok()?.checked_sub(1)?);
    let region = regions.iter().find(|region| *region == cluster).or_else(by_number);
    let region = region.ok_or_else(|| TopologyCommandError::NoCluster {
        cluster: cluster.to_owned(),
        clusters: regions.join(", "),
    })?;
    let found = addresses.of(region).find(|placed| placed.server.name.number() == node);
    found
        .cloned()
        .ok_or_else(|| TopologyCommandError::NoNode { cluster: region.clone(), node: node.to_string() })
}
