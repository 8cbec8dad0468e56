//! Regions, their servers, and the names of both.

use std::fmt;

/// Which servers there are: regions, and how many servers each has.
#[derive(Clone, Debug)]
pub struct Topology {
    regions: Vec<String>,
    servers_per_region: u16,
}

/// Why a [`Topology`] was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// Failover needs somewhere to go, and a machine has limits.
    #[error("{0} regions: name 2 to 8, as in `--regions lon,ams,dal`")]
    RegionCount(usize),
    /// The name would not survive as part of a server name, a file name or a `--rtt` pair.
    #[error("region name `{0}`: use 1 to 12 lower-case letters and digits, a letter first")]
    RegionName(String),
    /// Twice the same name.
    #[error("region `{0}` is named twice")]
    Duplicate(String),
    /// Out of range.
    #[error("{0} servers per region: choose 1 to 9")]
    ServerCount(u16),
}

impl Topology {
    /// Checks and keeps what the user asked for.
    pub fn new(
        regions: impl IntoIterator<Item = impl Into<String>>,
        servers_per_region: u16,
    ) -> Result<Self, TopologyError> {
        let regions: Vec<String> = regions.into_iter().map(Into::into).collect();
        if !(2..=8).contains(&regions.len()) {
            return Err(TopologyError::RegionCount(regions.len()));
        }
        if !(1..=9).contains(&servers_per_region) {
            return Err(TopologyError::ServerCount(servers_per_region));
        }
        for (position, region) in regions.iter().enumerate() {
            if !is_region_name(region) {
                return Err(TopologyError::RegionName(region.clone()));
            }
            if regions[..position].contains(region) {
                return Err(TopologyError::Duplicate(region.clone()));
            }
        }
        Ok(Self { regions, servers_per_region })
    }

    /// The regions, in the user's order.
    pub fn regions(&self) -> &[String] {
        &self.regions
    }

    /// How many servers each region has.
    pub fn servers_per_region(&self) -> u16 {
        self.servers_per_region
    }

    /// Every server, region by region.
    pub fn servers(&self) -> impl Iterator<Item = ServerName> + '_ {
        self.regions.iter().flat_map(|region| self.servers_of(region))
    }

    /// The servers of one region.
    pub fn servers_of(&self, region: &str) -> impl Iterator<Item = ServerName> + use<'_> {
        let region = self.regions.iter().find(|known| *known == region);
        region.into_iter().flat_map(|region| {
            (1..=self.servers_per_region).map(|number| ServerName { region: region.clone(), number })
        })
    }
}

/// A server's name, such as `lon-1`: its region and its number there, from 1.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ServerName {
    region: String,
    number: u16,
}

impl ServerName {
    /// The region that the server stands in.
    pub fn region(&self) -> &str {
        &self.region
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.region, self.number)
    }
}

fn is_region_name(name: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= 12
        && name.chars().all(allowed)
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
    fn what_cannot_work_is_refused_by_name() {
        let error =
            |regions: &[&str], servers| Topology::new(regions.to_vec(), servers).unwrap_err().to_string();
        assert!(error(&["lon"], 3).contains("1 regions"));
        assert!(error(&["lon", "Ams"], 3).contains("`Ams`"));
        assert!(error(&["lon", ""], 3).contains("``"));
        assert!(error(&["lon", "ams", "lon"], 3).contains("`lon` is named twice"));
        assert!(error(&["lon", "ams"], 0).contains("0 servers"));
    }
}
