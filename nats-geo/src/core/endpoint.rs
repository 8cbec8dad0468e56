//! Endpoints: addresses to dial, the servers that answer there, and their regions.

use std::fmt;

use super::EndpointId;
use super::name::Name;

/// An address to dial. An endpoint is not a server, because several URLs can lead to one server. An endpoint is not a
/// region either.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Endpoint {
    /// Number that the driver gave the endpoint.
    pub id: EndpointId,
    /// `host:port`, for texts and for the hash that orders equally near servers.
    pub address: String,
    /// Region that the application's list of servers gives to the endpoint. This label overrides the cluster name that
    /// the server reports.
    pub label: Option<String>,
    /// Source from which the driver knows the endpoint.
    pub source: Source,
    /// Share of clients that choose this endpoint among equally near endpoints, relative to the weights of the other
    /// endpoints. Default 1; 0 counts as 1.
    pub weight: u32,
}

impl Endpoint {
    /// Creates a configured endpoint of weight 1, without a region label.
    pub fn new(id: EndpointId, address: impl Into<String>) -> Self {
        Self { id, address: address.into(), label: None, source: Source::Configured, weight: 1 }
    }

    /// Sets the application's name for the region of the endpoint.
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Marks the endpoint as learned from a server's `connect_urls`.
    pub fn gossiped(mut self) -> Self {
        self.source = Source::Gossiped;
        self
    }
}

/// Source from which the driver knows an endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Source {
    /// The application listed the endpoint.
    Configured,
    /// A server advertised the endpoint in `connect_urls`. The client uses it once the endpoint has answered a probe:
    /// servers often advertise private addresses that this client cannot reach.
    Gossiped,
}

/// The identity of a server, from its first INFO.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct ServerIdentity {
    /// `server_id`, which is unique for each process: endpoints with the same id are the same server.
    pub server_id: String,
    /// `server_name`, for texts.
    pub server_name: String,
    /// `cluster`: in a super-cluster, the name of the region.
    pub cluster: Option<String>,
    /// `version`, such as `2.15.1`.
    pub version: String,
}

impl ServerIdentity {
    /// Creates an identity with the two fields that decisions use: the id of the server and its cluster.
    pub fn new(server_id: impl Into<String>, cluster: Option<&str>) -> Self {
        Self { server_id: server_id.into(), cluster: cluster.map(Into::into), ..Self::default() }
    }
}

/// Servers that fail together and are equally far away: in a super-cluster, one cluster.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Region(Name);

impl Region {
    /// Creates a region from its name.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Name::new(name.as_ref()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// `INFO.cluster`, unless it is none: a cluster without a name says nothing about distance, and a generated name
    /// would change with every restart.
    pub(crate) fn named_by(identity: &ServerIdentity) -> Option<Self> {
        Cluster::of(identity.cluster.as_deref()).0
    }
}

/// An address that a server advertised in `connect_urls`, with the cluster of that server. The advertisement is wrong if
/// a server of another cluster answers at the address. For example, addresses of container networks are the same on every
/// host.
///
/// ```
/// use nats_geo::core::Advertisement;
///
/// let mut advertised = Advertisement::by(Some("lon"));
/// assert_eq!(advertised.contradiction(Some("lon")), None);
/// let names = advertised.contradiction(Some("ams"));
/// assert_eq!(names, Some(("cluster `lon`".into(), "cluster `ams`".into())));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Advertisement {
    cluster: Cluster,
    is_contradicted: bool,
}

impl Advertisement {
    /// Creates the advertisement of a server whose INFO names this cluster.
    #[must_use]
    pub fn by(cluster: Option<&str>) -> Self {
        Self { cluster: Cluster::of(cluster), is_contradicted: false }
    }

    /// Records that a server of `cluster` advertised the same address. If the last answer at the address came from
    /// another cluster than the advertised one, `cluster` becomes the advertised one.
    pub fn repeated_by(&mut self, cluster: Option<&str>) {
        if self.is_contradicted {
            self.cluster = Cluster::of(cluster);
        }
    }

    /// Compares `cluster`, the cluster of the server that answers at the address, with the advertised cluster. If they
    /// differ, returns the expected and the found cluster, and the client must not use the address.
    #[must_use]
    pub fn contradiction(&mut self, cluster: Option<&str>) -> Option<(String, String)> {
        let found = Cluster::of(cluster);
        self.is_contradicted = self.cluster != found;
        self.is_contradicted.then(|| (self.cluster.to_string(), found.to_string()))
    }
}

/// A cluster as its servers name it; a name that nats-server generated says as little as none.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Cluster(Option<Region>);

impl Cluster {
    fn of(cluster: Option<&str>) -> Self {
        Self(cluster.filter(|name| !name.is_empty() && !is_generated(name)).map(Region::new))
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => write!(f, "cluster `{name}`"),
            None => f.write_str("no named cluster"),
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// nats-server names a cluster without a name after a fresh NUID: 22 base-62 characters with a digit
/// among them.
fn is_generated(cluster: &str) -> bool {
    const NUID_LEN: usize = 22;
    cluster.len() == NUID_LEN
        && cluster.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && cluster.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_or_missing_cluster_name_is_no_region() {
        let named_by = |cluster| Region::named_by(&ServerIdentity::new("A", cluster));
        for cluster in [None, Some(""), Some("hkmWyZPbUSUr9JLS8jVyWn")] {
            assert_eq!(named_by(cluster), None);
        }
        assert_eq!(named_by(Some("us-east-production-one")), Some(Region::new("us-east-production-one")));
    }
}
