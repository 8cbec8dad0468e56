//! Scenario files that are refused before anything starts.

use loadgen::scenario::{Inputs, TopologySource, from_toml};
use loadgen::topology::{self, Preset};

const AT_LEAST: usize = 40;

#[test]
fn bad_files_are_refused_with_line_key_and_remedy() {
    let topology = |source: TopologySource<'_>| match source {
        TopologySource::Name("super-cluster") => {
            Preset::named("super-cluster").unwrap().topology().map_err(|error| error.to_string())
        }
        TopologySource::Name(name) => Err(format!("cannot read topology `{name}`")),
        TopologySource::Inline(text) => topology::from_toml(text, "topology", |_| Err("none".to_owned()))
            .map_err(|error| error.to_string()),
    };
    crate::support::check("tests/scenarios/bad_files.txt", AT_LEAST, |file| {
        from_toml(file, "bad.toml", &Inputs::default(), topology).err().map(|error| error.to_string())
    });
}
