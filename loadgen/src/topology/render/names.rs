//! Names that DNS, Kubernetes and Docker accept, for clusters and servers that may have any name.

use std::collections::BTreeSet;

use super::super::model::{Server, Topology};

/// Labels of the clusters and servers of a topology; no two are the same.
#[derive(Clone, Debug)]
pub struct Names {
    clusters: Vec<(String, String)>,
    servers: Vec<(String, String)>,
}

impl Names {
    /// Makes the labels.
    pub fn of(topology: &Topology) -> Self {
        let clusters = topology.regions().iter().map(String::as_str);
        let servers = topology.all_servers().iter();
        let servers = servers.map(|server| (server.name.as_str(), short(server)));
        Self {
            clusters: labels(clusters.map(|name| (name, name))),
            // Two clusters may each have a server of the same short name: the cluster's label stands beside it.
            servers: labels_per(topology, servers),
        }
    }

    /// The label of a cluster, such as `us-east-1`.
    pub fn cluster(&self, name: &str) -> &str {
        find(&self.clusters, name)
    }

    /// The label of a server in its cluster, such as `lon-1`; `nc1` for the server `nc1-c1` of the cluster `c1`.
    pub fn server(&self, server: &Server) -> &str {
        find(&self.servers, server.name.as_str())
    }

    /// A host name from a template: `{server}` and `{cluster}` stand for the labels.
    pub fn host(&self, template: &str, server: &Server) -> String {
        self.cluster_host(template, server.name.region()).replace("{server}", self.server(server))
    }

    /// A host name from a template in which only `{cluster}` may stand.
    pub fn cluster_host(&self, template: &str, cluster: &str) -> String {
        template.replace("{cluster}", self.cluster(cluster))
    }
}

/// The image of a server: its own, else its version of the official image, else `image`.
pub(super) fn image(image: &str, server: &Server) -> String {
    let version = || {
        let is_official = image == "nats" || image.starts_with("nats:");
        server.release().filter(|_| is_official).map(|version| format!("nats:{version}-alpine"))
    };
    match server.image.clone().or_else(version).unwrap_or_else(|| image.to_owned()) {
        // The official image without a shell holds nothing that could ask for `/healthz`; the same server with Alpine Linux does.
        image if image == "nats" => "nats:alpine".to_owned(),
        image => image,
    }
}

/// Makes one label: lower-case letters, digits and hyphens, as DNS takes them.
pub fn label(name: &str) -> String {
    /// DNS allows 63; the rest is for a number or a suffix such as Kubernetes' `-headless`.
    const LONGEST: usize = 40;
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let text: String = name.chars().map(plain).take(LONGEST).collect();
    match text.trim_matches('-') {
        "" => "n".to_owned(),
        text => text.to_owned(),
    }
}

fn find<'a>(labels: &'a [(String, String)], name: &str) -> &'a str {
    labels.iter().find(|(from, _)| from == name).map_or("", |(_, label)| label)
}

/// A server's name without its cluster's at the end.
fn short(server: &Server) -> &str {
    let name = server.name.as_str();
    let cut = name.strip_suffix(server.name.region()).and_then(|rest| rest.strip_suffix('-'));
    cut.filter(|rest| !rest.is_empty()).unwrap_or(name)
}

fn labels<'a>(names: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    let mut taken = BTreeSet::new();
    let unique = |(name, text): (&str, &str)| {
        let plain = label(text);
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        let free = std::iter::once(plain.clone()).chain(numbered).find(|label| !taken.contains(label));
        let free = free.unwrap_or_default();
        taken.insert(free.clone());
        (name.to_owned(), free)
    };
    names.map(unique).collect()
}

fn labels_per<'a>(
    topology: &Topology,
    servers: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Vec<(String, String)> {
    let of_cluster = |cluster: &String| {
        let names: BTreeSet<_> = topology.servers_of(cluster).map(|name| name.as_str().to_owned()).collect();
        labels(servers.clone().filter(move |(name, _)| names.contains(*name)))
    };
    topology.regions().iter().flat_map(of_cluster).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Preset;

    #[test]
    fn labels_are_unique_and_plain() {
        let topology = Topology::new(["eu_west", "eu-west", "AWS.eu", "ü"], 1).unwrap();
        let names = Names::of(&topology);
        let labels: Vec<_> = topology.regions().iter().map(|region| names.cluster(region)).collect();
        assert_eq!(labels, ["eu-west", "eu-west-2", "aws-eu", "n"]);
        assert_eq!(names.host("{server}.{cluster}.x", &topology.all_servers()[2]), "aws-eu-1.aws-eu.x");
    }

    #[test]
    fn servers_of_the_preset_accounts_are_called_as_in_supercluster() {
        let topology = Preset::named("accounts").unwrap().topology().unwrap();
        let names = Names::of(&topology);
        let hosts =
            topology.all_servers().iter().map(|server| names.host("{server}.{cluster}.example.net", server));
        assert_eq!(hosts.collect::<Vec<_>>()[..2], ["nc1.c1.example.net", "nc2.c1.example.net"]);
    }
}
