//! Topologies that come with loadgen, each a file that a user can copy and change.

use super::file::from_toml;
use super::model::Topology;
use super::problem::TopologyError;

/// A topology that comes with loadgen.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Its file.
    pub text: &'static str,
}

/// All of them.
pub const PRESETS: [Preset; 9] = [
    Preset { name: "super-cluster", text: include_str!("../../topologies/super-cluster.toml") },
    Preset { name: "single-region", text: include_str!("../../topologies/single-region.toml") },
    Preset { name: "two-regions", text: include_str!("../../topologies/two-regions.toml") },
    Preset { name: "uneven", text: include_str!("../../topologies/uneven.toml") },
    Preset { name: "virtual-stream", text: include_str!("../../topologies/virtual-stream.toml") },
    Preset { name: "hub-spoke", text: include_str!("../../topologies/hub-spoke.toml") },
    Preset { name: "operator", text: include_str!("../../topologies/operator.toml") },
    Preset { name: "tls", text: include_str!("../../topologies/tls.toml") },
    Preset { name: "accounts", text: include_str!("../../topologies/accounts.toml") },
];

impl Preset {
    /// The preset of that name.
    pub fn named(name: &str) -> Option<Self> {
        PRESETS.into_iter().find(|preset| preset.name == name)
    }

    /// Its topology.
    ///
    /// # Errors
    /// None: a test reads all of them.
    pub fn topology(&self) -> Result<Topology, TopologyError> {
        from_toml(self.text, &format!("{}.toml", self.name), |_csv| Err("presets have none".to_owned()))
    }

    /// The first line of its file, which says what it is.
    pub fn summary(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_right() {
        for preset in PRESETS {
            let topology = preset.topology().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(topology.name(), preset.name);
            assert!(preset.summary().ends_with('.'), "{}", preset.summary());
        }
    }
}
