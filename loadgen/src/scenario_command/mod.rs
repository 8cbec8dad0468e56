//! `loadgen run`, `loadgen scenarios` and `loadgen report`: scenarios from files to reports.
//!
//! This folder owns the options (`opts`), reading files (`load`), the control of agents (`control`), the number of
//! clients that the machine serves (`fit`), the plays of a run (`run`), the files of a report (`write`) and the run as
//! a bundle (`keep`). It must not know the effect of a fault, or how a figure is made.

mod control;
mod fit;
mod keep;
mod load;
pub mod opts;
mod run;
mod schemas;
mod write;

pub use control::ControlError;
pub use load::LoadError;
pub use run::{Plan, RunError, run};
pub use schemas::{event_schema, manifest_schema, report_schema, scenario_schema};
pub use write::{WriteError, again, compare};

use crate::scenario::{PRESETS, Preset};
use opts::ScenariosOpts;

/// A scenario that loadgen does not come with.
#[derive(Debug, thiserror::Error)]
#[error("there is no scenario `{name}`: choose one of {}", names())]
pub struct UnknownScenarioError {
    name: String,
}

/// Lists the scenarios that come with loadgen, or shows one.
///
/// # Errors
/// There is no such scenario.
pub fn scenarios(opts: &ScenariosOpts) -> Result<String, UnknownScenarioError> {
    if let Some(name) = &opts.show {
        let preset = Preset::named(name).ok_or_else(|| UnknownScenarioError { name: name.clone() })?;
        return Ok(preset.text.trim_end().to_owned());
    }
    let widest = PRESETS.iter().map(|preset| preset.name.len()).max().unwrap_or(0);
    let lines = PRESETS.map(|preset| format!("{:widest$}  {}", preset.name, preset.summary()));
    Ok(lines.join("\n"))
}

fn names() -> String {
    PRESETS.map(|preset| preset.name).join(", ")
}
