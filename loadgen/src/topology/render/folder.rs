//! A folder of nats-server configurations, to start by hand.

use std::fmt::Write as _;

use super::super::credentials::KeyError;
use super::super::model::{Server, Topology, file_stem};
use super::addresses::{Addresses, Folders, Placed};
use super::files::{Inputs, RenderedFile};
use super::{created, env, server, shell, users};

/// Renders the folder: one folder per cluster with one configuration per server, the files of users, and streams as JSON.
///
/// # Errors
/// See [`KeyError`].
pub fn files(inputs: &Inputs<'_>, addresses: &Addresses) -> Result<Vec<RenderedFile>, KeyError> {
    let mut files = vec![RenderedFile::plain("README.md", readme(inputs.topology, addresses))];
    for placed in &addresses.0 {
        let path = config_path(inputs.topology, &placed.server);
        let folders = Folders {
            // nats-server takes relative paths from the folder in which it was started.
            store: path.replace(".conf", "-store"),
            users: "users".to_owned(),
            tls: "tls".to_owned(),
        };
        let wiring = addresses.wiring(inputs.topology, placed, &folders);
        let text = server::config(inputs.topology, &placed.server, &wiring, inputs.credentials)?;
        files.push(inputs.config_file(path, text));
    }
    files.extend(users::env_files(inputs)?);
    files.extend(inputs.user_files()?);
    files.extend(inputs.tls_files());
    files.extend(stream_files(inputs.topology));
    Ok(files)
}

/// Streams and buckets, as `nats stream add --config FILE` takes them.
pub(super) fn stream_files(topology: &Topology) -> Vec<RenderedFile> {
    let file = |stream: super::Created| {
        RenderedFile::plain(format!("streams/{}", stream.file), format!("{:#}\n", stream.config))
    };
    created(topology).into_iter().map(file).collect()
}

fn config_path(topology: &Topology, server: &Server) -> String {
    let region = topology.regions().iter().position(|region| region == server.name.region());
    let folder = file_stem(server.name.region(), region.unwrap_or_default());
    format!("{folder}/{}.conf", file_stem(server.name.as_str(), server.name.number().into()))
}

/// Servers in the order to start them: leaf nodes after their hubs, so that they connect at once.
fn in_order<'a>(topology: &'a Topology, addresses: &'a Addresses) -> impl Iterator<Item = &'a Placed> {
    let is_leaf = |placed: &Placed| {
        topology.cluster(placed.server.name.region()).is_some_and(|cluster| cluster.leaf_of.is_some())
    };
    let hubs = addresses.0.iter().filter(move |placed| !is_leaf(placed));
    hubs.chain(addresses.0.iter().filter(move |placed| is_leaf(placed)))
}

// Writing into a String cannot fail.
fn readme(topology: &Topology, addresses: &Addresses) -> String {
    let mut text = format!(
        "# Super-cluster `{}`\n\nThis folder holds one configuration of nats-server per server. Start the servers in this \
         folder, in this order. Each\nruns until you end it.\n\n```sh\n",
        topology.name()
    );
    for placed in in_order(topology, addresses) {
        let config = config_path(topology, &placed.server);
        let _ = writeln!(text, "nats-server -c {} &", shell::word(&config));
    }
    text.push_str(
        "```\n\nWith one host per server, copy this folder to every host and start one server on each.\n\n\
         Connect as a user, for example with the `nats` CLI:\n\n```sh\n",
    );
    let account = topology.accounts().next().map(|account| account.name.as_str()).unwrap_or_default();
    let first = in_order(topology, addresses).next();
    let url = first.map(|placed| env::url(topology, placed)).unwrap_or_default();
    let _ = writeln!(
        text,
        "{}\nnats --server {url}{} rtt\n```",
        users::become_user(topology, account),
        env::flags(topology)
    );
    text.push_str(&streams(topology, addresses));
    text.push_str(
        "\nFiles in `users/` hold credentials: keep them secret. `.seed` keeps passwords and keys the same in later renderings.\n",
    );
    text
}

/// The commands that create streams. Empty without streams.
pub(super) fn streams(topology: &Topology, addresses: &Addresses) -> String {
    let all = created(topology);
    if all.is_empty() {
        return String::new();
    }
    let mut text = "\nCreate the streams, in this order:\n\n```sh\n".to_owned();
    let mut user = String::new();
    for stream in all {
        let line = users::become_user(topology, &stream.account);
        if line != user {
            let _ = writeln!(text, "{line}");
            user = line;
        }
        let hub = topology.hubs().next().map(|cluster| cluster.name.as_str());
        let cluster = stream.cluster.as_deref().or(hub).unwrap_or_default();
        let url = addresses.of(cluster).next().map(|placed| env::url(topology, placed)).unwrap_or_default();
        let domain = stream.domain.map(|domain| format!(" --js-domain {}", shell::word(&domain)));
        let _ = writeln!(
            text,
            "nats --server {url}{}{} stream add {} --config streams/{}",
            env::flags(topology),
            domain.unwrap_or_default(),
            shell::word(&stream.name),
            shell::word(&stream.file)
        );
    }
    text.push_str("```\n");
    text
}
