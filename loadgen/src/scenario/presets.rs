//! Scenarios that come with loadgen, each a file that a user can copy and change.

/// A scenario that comes with loadgen.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Its file.
    pub text: &'static str,
}

/// All of them.
pub const PRESETS: [Preset; 19] = [
    Preset { name: "failover", text: include_str!("../../scenarios/failover.toml") },
    Preset { name: "region-outage", text: include_str!("../../scenarios/region-outage.toml") },
    Preset { name: "silent-region", text: include_str!("../../scenarios/silent-region.toml") },
    Preset { name: "partial-outage", text: include_str!("../../scenarios/partial-outage.toml") },
    Preset { name: "rolling-upgrade", text: include_str!("../../scenarios/rolling-upgrade.toml") },
    Preset { name: "client-upgrade", text: include_str!("../../scenarios/client-upgrade.toml") },
    Preset { name: "scale", text: include_str!("../../scenarios/scale.toml") },
    Preset { name: "split-brain", text: include_str!("../../scenarios/split-brain.toml") },
    Preset { name: "two-regions-down", text: include_str!("../../scenarios/two-regions-down.toml") },
    Preset { name: "thundering-herd", text: include_str!("../../scenarios/thundering-herd.toml") },
    Preset {
        name: "video-through-failover",
        text: include_str!("../../scenarios/video-through-failover.toml"),
    },
    Preset { name: "virtual-stream", text: include_str!("../../scenarios/virtual-stream.toml") },
    Preset { name: "lossy-network", text: include_str!("../../scenarios/lossy-network.toml") },
    Preset { name: "credentials-revoked", text: include_str!("../../scenarios/credentials-revoked.toml") },
    Preset { name: "full-region", text: include_str!("../../scenarios/full-region.toml") },
    Preset { name: "certificate-expiry", text: include_str!("../../scenarios/certificate-expiry.toml") },
    Preset { name: "leaf-cut", text: include_str!("../../scenarios/leaf-cut.toml") },
    Preset { name: "dns-outage", text: include_str!("../../scenarios/dns-outage.toml") },
    Preset { name: "soak", text: include_str!("../../scenarios/soak.toml") },
];

impl Preset {
    /// The preset of that name.
    pub fn named(name: &str) -> Option<Self> {
        PRESETS.into_iter().find(|preset| preset.name == name)
    }

    /// The first line of its file, which says what it shows.
    pub fn summary(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Inputs, from_toml};
    use crate::topology;

    #[test]
    fn every_scenario_is_right() {
        for preset in PRESETS {
            let topology = |source: crate::scenario::TopologySource<'_>| {
                let crate::scenario::TopologySource::Name(name) = source else { panic!("{source:?}") };
                Ok(topology::Preset::named(name).unwrap().topology().unwrap())
            };
            let file = format!("{}.toml", preset.name);
            let read = from_toml(preset.text, &file, &Inputs::default(), topology);
            let scenario = read.unwrap_or_else(|error| panic!("{error}")).remove(0).scenario;
            assert_eq!(scenario.name, preset.name);
            assert!(!scenario.thresholds.is_empty(), "{file} judges nothing");
            assert!(preset.summary().ends_with('.'), "{}", preset.summary());
        }
    }
}
