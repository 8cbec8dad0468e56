//! Clusters, servers, ports, leaf nodes and domains.

use std::collections::BTreeMap;

use super::super::model;
use super::super::problem::ProblemKind;
use super::super::spec::{ClusterSpec, DEBIAN, ServerSpec, Spec};
use super::{Problems, check_names, names_of};

/// 16 clusters of 9 servers are what one machine carries; more is a typing error.
const MOST_CLUSTERS: usize = 16;
const MOST_SERVERS: u16 = 9;

pub(super) fn check(spec: &Spec, found: &mut Problems) {
    let clusters = &spec.clusters;
    match clusters.len() {
        0 => found.push("", ProblemKind::NoCluster),
        count if count > MOST_CLUSTERS => found.push("cluster", ProblemKind::ClusterCount(count)),
        _ => {}
    }
    let named = clusters
        .iter()
        .enumerate()
        .map(|(at, cluster)| (format!("cluster[{at}].name"), cluster.name.as_str()));
    check_names(found, "cluster", named);
    for (at, cluster) in clusters.iter().enumerate() {
        check_size(at, cluster, found);
        check_joins(spec, at, cluster, found);
        check_version(&format!("cluster[{at}].version"), cluster.version.as_deref(), found);
        for (number, server) in cluster.server_list.iter().enumerate() {
            check_server(&format!("cluster[{at}].server[{number}]"), server, found);
        }
    }
    // Servers of a cluster whose name is taken have taken names, too: one problem is enough.
    let is_first = |at: usize, name: &str| clusters[..at].iter().all(|earlier| earlier.name != name);
    let named = clusters.iter().enumerate().filter(|(at, cluster)| is_first(*at, &cluster.name));
    let servers: Vec<_> = named.flat_map(|(at, cluster)| keyed_servers(at, cluster)).collect();
    check_names(found, "server", servers.iter().map(|(key, name)| (key.clone(), name.as_str())));
    check_ports(clusters, found);
    check_domains(spec, found);
}

fn keyed_servers(at: usize, cluster: &ClusterSpec) -> Vec<(String, String)> {
    // A wrong size is its own problem; a million names would not help.
    if cluster.size() > MOST_SERVERS {
        return Vec::new();
    }
    let key = |number: usize| match cluster.server_list.get(number) {
        Some(_) => format!("cluster[{at}].server[{number}].name"),
        None => format!("cluster[{at}].name"),
    };
    // The cluster's own name is checked already.
    let names = model::servers_of(cluster).into_iter().enumerate();
    names
        .filter(|_| super::is_name(&cluster.name))
        .map(|(number, server)| (key(number), server.name.to_string()))
        .collect()
}

fn check_size(at: usize, cluster: &ClusterSpec, found: &mut Problems) {
    let listed = cluster.server_list.len();
    if let Some(count) = cluster.servers
        && listed > 0
        && usize::from(count) != listed
    {
        found.push(format!("cluster[{at}].servers"), ProblemKind::CountAndList { count, listed });
    }
    if !(1..=MOST_SERVERS).contains(&cluster.size()) {
        found.push(format!("cluster[{at}].servers"), ProblemKind::ServerCount(cluster.size()));
    }
    if let Some(minimum) = cluster.minimum
        && !(1..=cluster.size()).contains(&minimum)
    {
        let size = cluster.size();
        found.push(format!("cluster[{at}].minimum"), ProblemKind::Minimum { minimum, size });
    }
}

fn check_joins(spec: &Spec, at: usize, cluster: &ClusterSpec, found: &mut Problems) {
    let others = || names_of(&spec.clusters).filter(|name| *name != cluster.name);
    for (number, gateway) in cluster.gateways.iter().flatten().enumerate() {
        found.known(format!("cluster[{at}].gateways[{number}]"), "cluster", gateway, others());
    }
    let accounts = || spec.accounts.iter().map(|account| account.name.as_str());
    for (number, account) in cluster.leaf_accounts.iter().flatten().enumerate() {
        found.known(format!("cluster[{at}].leaf_accounts[{number}]"), "account", account, accounts());
    }
    let Some(hub) = &cluster.leaf_of else { return };
    let key = format!("cluster[{at}].leaf_of");
    if cluster.gateways.is_some() {
        found.push(format!("cluster[{at}].gateways"), ProblemKind::LeafWithGateways);
    }
    if *hub == cluster.name {
        found.push(key, ProblemKind::LeafOfItself);
        return;
    }
    if !found.known(&key, "cluster", hub, others()) {
        return;
    }
    if spec.clusters.iter().any(|other| other.name == *hub && other.leaf_of.is_some()) {
        found.push(key, ProblemKind::LeafOfLeaf(hub.clone()));
    }
}

fn check_version(key: &str, version: Option<&str>, found: &mut Problems) {
    let Some(version) = version else { return };
    let is_number = |part: &str| part.parse::<u32>().is_ok();
    let is_version = version.split('.').count() == 3 && version.split('.').all(is_number);
    if !is_version && !version.contains('/') && version != DEBIAN {
        found.push(key, ProblemKind::Version(version.to_owned()));
    }
}

fn check_server(key: &str, server: &ServerSpec, found: &mut Problems) {
    check_version(&format!("{key}.version"), server.version.as_deref(), found);
    if let Some(announce) = &server.announce {
        let port = announce
            .rsplit_once(':')
            .and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>().ok())?);
        if port.is_none_or(|port| port == 0) {
            let problem = ProblemKind::Address(
                announce.clone(),
                "an address and a port, as in `nats.example.net:4222`",
            );
            found.push(format!("{key}.announce"), problem);
        }
    }
    if let Some(bind) = &server.bind
        && bind.parse::<std::net::IpAddr>().is_err()
    {
        let problem = ProblemKind::Address(bind.clone(), "an IP address, as in `127.0.0.1`");
        found.push(format!("{key}.bind"), problem);
    }
}

fn check_ports(clusters: &[ClusterSpec], found: &mut Problems) {
    let mut taken: BTreeMap<(u16, &str), String> = BTreeMap::new();
    for (at, cluster) in clusters.iter().enumerate() {
        for (number, server) in cluster.server_list.iter().enumerate() {
            for (name, port) in server.ports.given() {
                let key = format!("cluster[{at}].server[{number}].ports.{name}");
                if port == 0 {
                    found.push(&key, ProblemKind::PortZero);
                    continue;
                }
                let bind = server.bind.as_deref().unwrap_or_default();
                if let Some(other) = taken.insert((port, bind), key.clone()) {
                    found.push(key, ProblemKind::PortTwice { port, other });
                }
            }
        }
    }
}

/// One JetStream has one domain, two have two.
fn check_domains(spec: &Spec, found: &mut Problems) {
    let runs_jetstream = |cluster: &ClusterSpec| cluster.jetstream.unwrap_or(spec.jetstream.enabled);
    let mut joined: Option<&ClusterSpec> = None;
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    for (at, cluster) in spec.clusters.iter().enumerate() {
        let key = format!("cluster[{at}].domain");
        if let Some(domain) = &cluster.domain
            && (domain.is_empty()
                || !domain.chars().all(|letter| letter.is_alphanumeric() || "-_".contains(letter)))
        {
            found.push(&key, ProblemKind::Domain(domain.clone()));
        }
        if !runs_jetstream(cluster) {
            continue;
        }
        if cluster.leaf_of.is_some() {
            if cluster.domain.is_none() {
                found.push(
                    format!("cluster[{at}].leaf_of"),
                    ProblemKind::LeafWithoutDomain(cluster.name.clone()),
                );
            }
        } else if let Some(first) = joined {
            if first.domain != cluster.domain {
                let domain = |cluster: &ClusterSpec| cluster.domain.clone().unwrap_or_default();
                let (a, b) = (domain(first), domain(cluster));
                found.push(&key, ProblemKind::DomainDiffers(first.name.clone(), a, cluster.name.clone(), b));
            }
            continue;
        } else {
            joined = Some(cluster);
            let has_leaves = spec.clusters.iter().any(|leaf| leaf.leaf_of.is_some() && runs_jetstream(leaf));
            if has_leaves && cluster.domain.is_none() {
                found.push(format!("cluster[{at}].name"), ProblemKind::HubWithoutDomain("hub".to_owned()));
            }
        }
        if let Some(domain) = &cluster.domain
            && let Some(other) = taken.insert(domain, &cluster.name)
        {
            found.push(key, ProblemKind::DomainTwice(domain.clone(), other.to_owned()));
        }
    }
}
