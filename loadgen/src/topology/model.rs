//! A topology that was checked: clusters, servers, and what they have in common.

use std::fmt;
use std::time::Duration;

use super::check;
use super::distances::{RttTable, UnknownPairError};
use super::problem::{Problem, TopologyError};
use super::spec::{AccountSpec, AuthKind, ClusterSpec, DEBIAN, PortsSpec, ServerSpec, Spec, UserSpec};
use super::taken_back::TakenBack;

/// A super-cluster that can be built. Only [`from_spec`](Self::from_spec) makes one, so its content has been checked.
#[derive(Clone, Debug)]
pub struct Topology {
    pub(super) spec: Spec,
    pub(super) taken_back: TakenBack,
    regions: Vec<String>,
    servers: Vec<Server>,
    rtt: RttTable,
}

/// One server of a [`Topology`].
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name.
    pub name: ServerName,
    /// Tags: `region:NAME`, and those of the file.
    pub tags: Vec<String>,
    /// nats-server: a version or a path; `None`: the one of the run.
    pub version: Option<String>,
    /// Container image; `None`: the one of the rendering.
    pub image: Option<String>,
    /// Ports that the file names.
    pub ports: PortsSpec,
    /// Address that it listens at, if the file names one.
    pub bind: Option<String>,
    /// Address that it advertises to clients, if the file names one.
    pub announce: Option<String>,
}

impl Server {
    /// The number of its version, if it is a release: a path and Debian's package exist on this machine only.
    pub fn release(&self) -> Option<&str> {
        let version = self.version.as_deref()?;
        (!version.contains('/') && version != DEBIAN).then(|| version.trim_start_matches('v'))
    }
}

impl Topology {
    /// Makes clusters of equal size with the default accounts, joined by gateways.
    ///
    /// # Errors
    /// A name or a number is not valid.
    pub fn new(
        regions: impl IntoIterator<Item = impl Into<String>>,
        servers_per_region: u16,
    ) -> Result<Self, TopologyError> {
        let cluster =
            |name: String| ClusterSpec { name, servers: Some(servers_per_region), ..ClusterSpec::default() };
        let clusters = regions.into_iter().map(|name| cluster(name.into())).collect();
        let checked = Self::from_spec(Spec { clusters, ..Spec::default() }, RttTable::default());
        // Nobody wrote a file, so there is no key to name.
        let without_key = |problem: Problem| Problem { key: String::new(), ..problem };
        checked.map_err(|problems| problems.into_iter().map(without_key).collect::<Vec<_>>().into())
    }

    /// Checks a specification and adds the defaults. `csv` holds the distances of `distances.csv`.
    ///
    /// # Errors
    /// Returns all problems of the specification.
    pub fn from_spec(mut spec: Spec, csv: RttTable) -> Result<Self, Vec<Problem>> {
        spec.add_usual_accounts();
        let rtt = check::run(&spec, csv)?;
        let regions = spec.clusters.iter().map(|cluster| cluster.name.clone()).collect();
        let servers = spec.clusters.iter().flat_map(servers_of).collect();
        Ok(Self { spec, taken_back: TakenBack::default(), regions, servers, rtt })
    }

    /// Returns the file's content, with the default accounts if it names none.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Returns the name of the deployment.
    pub fn name(&self) -> &str {
        self.spec.name.as_deref().unwrap_or("default")
    }

    /// Changes the name of the deployment.
    pub fn named(mut self, name: String) -> Self {
        self.spec.name = Some(name);
        self
    }

    /// Returns the clusters' names, in the user's order.
    pub fn regions(&self) -> &[String] {
        &self.regions
    }

    /// Returns the number of servers of the smallest cluster.
    pub fn servers_per_region(&self) -> u16 {
        let sizes = self.spec.clusters.iter().map(ClusterSpec::size);
        sizes.min().unwrap_or_default()
    }

    /// The servers' names, cluster by cluster.
    pub fn servers(&self) -> impl Iterator<Item = ServerName> + '_ {
        self.servers.iter().map(|server| server.name.clone())
    }

    /// The names of one cluster's servers.
    pub fn servers_of<'a>(&'a self, region: &'a str) -> impl Iterator<Item = ServerName> + 'a {
        self.servers().filter(move |server| server.region() == region)
    }

    /// The servers, cluster by cluster.
    pub fn all_servers(&self) -> &[Server] {
        &self.servers
    }

    /// One server.
    pub fn server(&self, name: &ServerName) -> Option<&Server> {
        self.servers.iter().find(|server| server.name == *name)
    }

    /// One cluster.
    pub fn cluster(&self, region: &str) -> Option<&ClusterSpec> {
        self.spec.clusters.iter().find(|cluster| cluster.name == region)
    }

    /// Clusters whose servers have gateways to those of `region`, and the other way round.
    pub fn gateways_of(&self, region: &str) -> Vec<&str> {
        let names = self.regions.iter().map(String::as_str);
        names.filter(|other| self.are_joined(region, other)).collect()
    }

    /// Clusters whose servers are leaf nodes of `region`.
    pub fn leaves_of(&self, region: &str) -> impl Iterator<Item = &str> {
        let leaves =
            self.spec.clusters.iter().filter(move |cluster| cluster.leaf_of.as_deref() == Some(region));
        leaves.map(|cluster| cluster.name.as_str())
    }

    /// Returns the clusters that are not leaf nodes.
    pub fn hubs(&self) -> impl Iterator<Item = &ClusterSpec> {
        self.spec.clusters.iter().filter(|cluster| cluster.leaf_of.is_none())
    }

    /// Returns whether the servers of `region` run JetStream.
    pub fn has_jetstream(&self, region: &str) -> bool {
        self.cluster(region).and_then(|cluster| cluster.jetstream).unwrap_or(self.spec.jetstream.enabled)
    }

    /// Groups of clusters whose JetStream servers elect one leader: those that gateways join, and each leaf-node cluster. A group
    /// of one server has no leader.
    pub fn meta_groups(&self) -> Vec<Vec<&str>> {
        let with_jetstream = |cluster: &&ClusterSpec| self.has_jetstream(&cluster.name);
        let joined: Vec<_> =
            self.hubs().filter(with_jetstream).map(|cluster| cluster.name.as_str()).collect();
        let leaves = self.spec.clusters.iter().filter(|cluster| cluster.leaf_of.is_some());
        let leaves = leaves.filter(with_jetstream).map(|cluster| vec![cluster.name.as_str()]);
        std::iter::once(joined).chain(leaves).filter(|group| self.servers_in(group) > 1).collect()
    }

    fn servers_in(&self, regions: &[&str]) -> usize {
        regions.iter().map(|region| self.servers_of(region).count()).sum()
    }

    /// Returns the system account; there is none if all clients share a token.
    pub fn system_account(&self) -> Option<&AccountSpec> {
        self.spec.accounts.iter().find(|account| account.system)
    }

    /// Accounts of applications.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountSpec> {
        self.spec.accounts.iter().filter(|account| !account.system)
    }

    /// Returns whether servers begin connections of clients with the TLS handshake.
    pub fn is_tls_first(&self) -> bool {
        self.spec.tls.as_ref().is_some_and(|tls| tls.handshake_first)
    }

    /// Returns the user of clients without a user name, if authentication is off.
    pub fn anonymous_user(&self) -> Option<&UserSpec> {
        let first = || self.accounts().find_map(|account| account.users.first());
        (self.spec.auth.kind == AuthKind::None).then(first).flatten()
    }

    /// Adds a user with the permissions of the first user of applications. A topology without such a user stays as it is.
    pub fn with_user(mut self, name: &str) -> Self {
        let mut accounts = self.spec.accounts.iter_mut().filter(|account| !account.system);
        if let Some(account) = accounts.find(|account| !account.users.is_empty())
            && !account.users.iter().any(|user| user.name == name)
        {
            let like = account.users[0].clone();
            account.users.push(UserSpec { name: name.to_owned(), password: None, ..like });
        }
        self
    }

    /// The user of applications with this name, and its account.
    pub fn application_user(&self, name: &str) -> Option<(&AccountSpec, &UserSpec)> {
        self.accounts().find_map(|account| {
            let user = account.users.iter().find(|user| user.name == name)?;
            Some((account, user))
        })
    }

    /// Accounts that the leaf nodes of a cluster connect.
    pub fn leaf_accounts(&self, cluster: &ClusterSpec) -> Vec<&AccountSpec> {
        let is_wanted = |account: &&AccountSpec| {
            cluster.leaf_accounts.as_ref().is_none_or(|names| names.contains(&account.name))
        };
        self.spec.accounts.iter().filter(is_wanted).collect()
    }

    /// Round-trip time between two clusters.
    ///
    /// # Errors
    /// The time is not known. This cannot happen with a topology from a file, because the check has found all distances.
    pub fn rtt(&self, from: &str, to: &str) -> Result<Duration, UnknownPairError> {
        self.rtt.rtt(from, to)
    }

    /// All distances.
    pub fn distances(&self) -> &RttTable {
        &self.rtt
    }

    fn are_joined(&self, one: &str, other: &str) -> bool {
        let (Some(a), Some(b)) = (self.cluster(one), self.cluster(other)) else { return false };
        let leads = |from: &ClusterSpec, to: &str| {
            from.gateways.as_ref().is_none_or(|names| names.iter().any(|name| name == to))
        };
        one != other && a.leaf_of.is_none() && b.leaf_of.is_none() && leads(a, other) && leads(b, one)
    }
}

impl Spec {
    /// Returns the accounts of a file without accounts: `SYS` for operators, `APP` for applications.
    fn add_usual_accounts(&mut self) {
        let user = |name: &str| UserSpec { name: name.to_owned(), ..UserSpec::default() };
        if self.auth.kind == AuthKind::Token {
            return;
        }
        if self.accounts.is_empty() {
            self.accounts.push(AccountSpec {
                name: "APP".to_owned(),
                jetstream: true,
                users: vec![user("app")],
                ..AccountSpec::default()
            });
        }
        if !self.accounts.iter().any(|account| account.system || account.name == "SYS") {
            self.accounts.push(AccountSpec {
                name: "SYS".to_owned(),
                system: true,
                users: vec![user("system")],
                ..AccountSpec::default()
            });
        }
    }
}

impl ClusterSpec {
    /// Number of its servers.
    pub fn size(&self) -> u16 {
        let listed = u16::try_from(self.server_list.len()).unwrap_or(u16::MAX);
        self.servers.unwrap_or(if listed == 0 { DEFAULT_SERVERS } else { listed })
    }
}

/// Three servers keep a quorum when one is gone.
const DEFAULT_SERVERS: u16 = 3;

/// The servers of a cluster, those that are only counted included.
pub(super) fn servers_of(cluster: &ClusterSpec) -> Vec<Server> {
    let plain = ServerSpec::default();
    let number_of = |number: u16| cluster.server_list.get(usize::from(number) - 1).unwrap_or(&plain);
    (1..=cluster.size())
        .map(|number| {
            let spec = number_of(number);
            let own = std::iter::once(format!("region:{}", cluster.name));
            Server {
                name: ServerName::new(&cluster.name, number, spec.name.as_deref()),
                tags: own.chain(cluster.tags.iter().chain(&spec.tags).cloned()).collect(),
                version: spec.version.clone().or_else(|| cluster.version.clone()),
                image: spec.image.clone().or_else(|| cluster.image.clone()),
                ports: spec.ports,
                bind: spec.bind.clone(),
                announce: spec.announce.clone(),
            }
        })
        .collect()
}

/// A server's name, such as `lon-1`: by default its cluster and its number there, from 1.
#[derive(
    Clone,
    Debug,
    Default,
    Eq,
    Ord,
    PartialEq,
    PartialOrd,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
pub struct ServerName {
    region: String,
    number: u16,
    name: String,
}

impl ServerName {
    pub(super) fn new(region: &str, number: u16, name: Option<&str>) -> Self {
        let name = name.map_or_else(|| format!("{region}-{number}"), str::to_owned);
        Self { region: region.to_owned(), number, name }
    }

    /// The cluster that the server belongs to.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Its number in its cluster, from 1.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

/// Returns the name of a file or folder for something that is called `name`: the name itself, if any file system takes it, else
/// `number` and the plain part of the name.
pub fn file_stem(name: &str, number: usize) -> String {
    const LONGEST: usize = 40;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if !name.is_empty() && name.len() <= LONGEST && name.chars().all(is_plain) {
        return name.to_owned();
    }
    let plain = name.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect::<String>();
    format!("{number}.{}", &plain[plain.len().saturating_sub(LONGEST)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_after_their_region() {
        let topology = Topology::new(["lon", "ams"], 2).unwrap();
        let names: Vec<_> = topology.servers().map(|server| server.to_string()).collect();
        assert_eq!(names, ["lon-1", "lon-2", "ams-1", "ams-2"]);
        assert_eq!(topology.servers_of("ams").count(), 2);
        assert_eq!(topology.servers_of("mars").count(), 0);
    }

    #[test]
    fn regions_are_named_as_in_the_field() {
        let regions = ["us-east-1", "eu_west", "Ams", "zürich", "a.b/c:d=e", "'\"\\"];
        let topology = Topology::new(regions, 1).unwrap();
        let servers = topology.servers().enumerate();
        let files: Vec<_> = servers.map(|(number, server)| file_stem(server.as_str(), number)).collect();
        assert_eq!(files, ["us-east-1-1", "eu_west-1", "Ams-1", "3.z_rich-1", "4.a_b_c_d_e-1", "5.___-1"]);
        let long = "x".repeat(250);
        let of_long = Topology::new(["a", &long], 1).unwrap().servers().last().unwrap();
        assert_eq!(file_stem(of_long.as_str(), 1).len(), 42);
        assert!(Topology::new((0..16).map(|number| format!("region-{number}")), 1).is_ok());
        assert!(Topology::new((0..17).map(|number| format!("region-{number}")), 1).is_err());
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let error =
            |regions: &[&str], servers| Topology::new(regions.to_vec(), servers).unwrap_err().to_string();
        assert!(error(&[], 3).contains("no cluster"));
        assert!(error(&["lon", "a ms"], 3).contains("`a ms`"));
        assert!(error(&["lon", "a\u{7}"], 3).contains("`a\\u{7}`"));
        assert!(error(&["lon", ""], 3).contains("``"));
        assert!(error(&["lon", "ams", "lon"], 3).contains("`lon` exists already"));
        assert!(error(&["lon", "ams"], 0).contains("0 servers"));
    }
}
