//! `--config`: options from a file. Options of the command line override them.

use std::path::Path;

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::cli::{FaultKind, Opts, Preset};
use crate::plan::PlanError;

/// Adds the options of `--config`, if given, below those of the command line.
///
/// # Errors
/// The file cannot be read or understood.
pub fn with_config_file(opts: Opts, given: &ArgMatches) -> Result<Opts, PlanError> {
    let Some(path) = opts.config.clone() else { return Ok(opts) };
    let file = read_config(&path)?;
    Ok(file.below(opts, given))
}

/// The options that a `--config` file may hold.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ConfigFile {
    regions: Option<Vec<String>>,
    servers_per_region: Option<u16>,
    clients: Option<u16>,
    faults: Option<Vec<FaultKind>>,
    fault_regions: Option<Vec<String>>,
    rounds: Option<u16>,
    preset: Option<Preset>,
    warm_standby: Option<bool>,
    rate: Option<u16>,
    seed: Option<u64>,
}

impl ConfigFile {
    fn below(self, mut opts: Opts, given: &ArgMatches) -> Opts {
        let is_free = |name: &str| given.value_source(name) != Some(ValueSource::CommandLine);
        let mut take = |name: &str, apply: &mut dyn FnMut(&mut Opts)| {
            if is_free(name) {
                apply(&mut opts);
            }
        };
        take("regions", &mut |opts| opts.regions = self.regions.clone().unwrap_or_default());
        take("servers_per_region", &mut |opts| {
            set(&mut opts.cluster.servers_per_region, self.servers_per_region)
        });
        take("clients", &mut |opts| opts.clients = self.clients);
        take("faults", &mut |opts| set(&mut opts.faults, self.faults.clone()));
        take("fault_regions", &mut |opts| set(&mut opts.fault_regions, self.fault_regions.clone()));
        take("rounds", &mut |opts| set(&mut opts.rounds, self.rounds));
        take("preset", &mut |opts| set(&mut opts.preset, self.preset));
        take("warm_standby", &mut |opts| set(&mut opts.warm_standby, self.warm_standby));
        take("rate", &mut |opts| opts.rate = self.rate);
        take("seed", &mut |opts| opts.seed = self.seed);
        opts
    }
}

fn set<T>(option: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *option = value;
    }
}

fn read_config(path: &Path) -> Result<ConfigFile, PlanError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| PlanError::ConfigFile { path: path.to_owned(), error })?;
    serde_json::from_str(&text).map_err(|error| PlanError::ConfigSyntax { path: path.to_owned(), error })
}
