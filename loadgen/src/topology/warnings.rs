//! Warnings about topologies that are valid, but whose behaviour may surprise the operator.

use super::model::Topology;

/// A choice that works until something breaks.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Warning {
    /// No majority without either.
    #[error(
        "JetStream stops when `{0}` or `{1}` is lost: neither has a majority of the {2} JetStream servers alone (nats-server issue 4502); add a third cluster"
    )]
    NoMajority(String, String, u16),
    /// No majority without one.
    #[error(
        "JetStream stops when `{0}` is lost: this cluster has {1} of the {2} JetStream servers; \
         give each cluster fewer than half of the servers"
    )]
    HalfInOne(String, u16, u16),
    /// Messages between two clusters have no way.
    #[error(
        "`{0}` and `{1}` have no gateway between them: a message passes only one gateway, so the two clusters do not reach each other"
    )]
    NotJoined(String, String),
}

impl Topology {
    /// The problem.
    pub fn warnings(&self) -> Vec<Warning> {
        let hubs: Vec<_> = self.hubs().collect();
        let mut warnings = Vec::new();
        let sizes: Vec<(String, u16)> = hubs
            .iter()
            .filter(|cluster| self.has_jetstream(&cluster.name))
            .map(|cluster| (cluster.name.clone(), cluster.size()))
            .collect();
        let all: u16 = sizes.iter().map(|(_, size)| size).sum();
        let halves: Vec<_> = sizes.iter().filter(|(_, size)| size * 2 >= all).collect();
        match halves[..] {
            [(a, _), (b, _)] => warnings.push(Warning::NoMajority(a.clone(), b.clone(), all)),
            [(name, size)] if sizes.len() > 1 => warnings.push(Warning::HalfInOne(name.clone(), *size, all)),
            _ => {}
        }
        for (at, one) in hubs.iter().enumerate() {
            for other in &hubs[at + 1..] {
                if !self.gateways_of(&one.name).contains(&other.name.as_str()) {
                    warnings.push(Warning::NotJoined(one.name.clone(), other.name.clone()));
                }
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::super::presets::Preset;

    #[test]
    fn a_majority_must_survive_any_cluster() {
        let warnings = |preset: &str| Preset::named(preset).unwrap().topology().unwrap().warnings();
        let texts = |preset: &str| warnings(preset).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts("super-cluster"), Vec::<String>::new());
        assert_eq!(texts("single-region"), Vec::<String>::new());
        assert_eq!(texts("hub-spoke"), Vec::<String>::new());
        assert!(texts("two-regions")[0].contains("issue 4502"), "{:?}", texts("two-regions"));
        assert!(texts("uneven")[0].contains("5 of the 9"), "{:?}", texts("uneven"));
    }

    #[test]
    fn clusters_without_a_gateway_between_them_are_named() {
        let text = "[[cluster]]\nname = \"lon\"\n[[cluster]]\nname = \"ams\"\ngateways = [\"lon\"]\n\
                    [[cluster]]\nname = \"dal\"\ngateways = [\"lon\"]\n";
        let topology = crate::topology::from_toml(text, "test", |_| Err("none".into())).unwrap();
        let warnings: Vec<_> = topology.warnings().iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("`ams` and `dal` have no gateway between them"), "{warnings:?}");
    }
}
