//! Subjects, headers and names of the back channel.

use std::fmt::Display;

/// The name of every agent in NATS's Services API.
pub(super) const SERVICE: &str = "loadgen-agent";

/// The stream of the results.
pub(super) const STREAM: &str = "LOADGEN_PARTS";

/// The bucket with the lease of the controller.
pub(super) const BUCKET: &str = "LOADGEN";

/// The object store with files for agents.
pub(super) const FILES: &str = "LOADGEN_FILES";

/// Version of the orders. Another one is another language.
pub(crate) const VERSION: &str = concat!("1/", env!("CARGO_PKG_VERSION"));

pub(crate) const VERSION_HEADER: &str = "Loadgen-Version";
pub(crate) const RUN_HEADER: &str = "Loadgen-Run";
pub(crate) const NUMBER_HEADER: &str = "Loadgen-Number";

/// The subject on which the controller tells everybody of its run.
pub(crate) const STATE: &str = "loadgen.state";

/// The subject of orders to the agent with this id.
pub(crate) fn orders_of(id: &str) -> String {
    format!("loadgen.agent.{id}.orders")
}

/// The subject of orders to it to fetch a file.
pub(crate) fn files_of(id: &str) -> String {
    format!("loadgen.agent.{id}.files")
}

/// The subject of its signs of life.
pub(crate) fn pulse_of(id: &str) -> String {
    format!("loadgen.pulse.{id}")
}

/// The subject of requests for the controller's time in a run.
pub(crate) fn clock_of(run: &str) -> String {
    format!("loadgen.run.{run}.clock")
}

/// The subject of an agent's results in a run.
pub(crate) fn parts_of(run: &str, agent: impl Display) -> String {
    format!("loadgen.parts.{run}.{agent}")
}
