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
pub const PRESETS: [Preset; 1] =
    [Preset { name: "region-outage", text: include_str!("../../scenarios/region-outage.toml") }];

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
