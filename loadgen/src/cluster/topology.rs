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
    #[error("{0} regions: name 2 to 16, as in `--regions lon,ams,dal`")]
    RegionCount(usize),
    /// nats-server would refuse the name.
    #[error(
        "region name `{}`: nats-server takes 1 to 255 characters without white space and control characters",
        .0.escape_debug()
    )]
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
        if !(2..=16).contains(&regions.len()) {
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

    /// Returns the name of its files, without their endings: its own name, if any file system takes it, else its number in
    /// the super-cluster and the plain part of its name.
    pub(super) fn file_stem(&self, number: usize) -> String {
        const LONGEST: usize = 40;
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let name = self.to_string();
        if name.len() <= LONGEST && name.chars().all(is_plain) {
            return name;
        }
        let plain =
            name.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect::<String>();
        format!("{number}.{}", &plain[plain.len().saturating_sub(LONGEST)..])
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.region, self.number)
    }
}

/// The rule of nats-server for names of clusters and gateways, which both are the region's, and of servers.
fn is_region_name(name: &str) -> bool {
    const LONGEST: usize = 255;
    let is_taken = |letter: char| !letter.is_whitespace() && !letter.is_control();
    (1..=LONGEST).contains(&name.len()) && name.chars().all(is_taken)
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
        let files: Vec<_> =
            topology.servers().enumerate().map(|(number, server)| server.file_stem(number)).collect();
        assert_eq!(files, ["us-east-1-1", "eu_west-1", "Ams-1", "3.z_rich-1", "4.a_b_c_d_e-1", "5.___-1"]);
        let long = "x".repeat(255);
        let of_long = Topology::new(["a", &long], 1).unwrap().servers().last().unwrap().file_stem(1);
        assert_eq!(of_long.len(), 42);
        assert!(Topology::new((0..16).map(|number| format!("region-{number}")), 1).is_ok());
        assert!(Topology::new((0..17).map(|number| format!("region-{number}")), 1).is_err());
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let error =
            |regions: &[&str], servers| Topology::new(regions.to_vec(), servers).unwrap_err().to_string();
        assert!(error(&["lon"], 3).contains("1 regions"));
        assert!(error(&["lon", "a ms"], 3).contains("`a ms`"));
        assert!(error(&["lon", "a\u{7}"], 3).contains("`a\\u{7}`"));
        assert!(error(&["lon", ""], 3).contains("``"));
        assert!(error(&["lon", "ams", "lon"], 3).contains("`lon` is named twice"));
        assert!(error(&["lon", "ams"], 0).contains("0 servers"));
    }
}
