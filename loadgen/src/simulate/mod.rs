//! `loadgen simulate`: simulates the loss of a region for a fleet that is too large for one machine.
//!
//! [`plan`] checks the options, [`run`] plays every kind of client in the same herd, [`row`] has the results as data,
//! and [`table`] and [`plot`] show them.

pub mod plan;
pub mod plot;
pub mod row;
pub mod table;

use nats_geo::sim::herd::HerdError;

use crate::out_folder::{self, UnwritableError};
use crate::progress::Progress;
use plan::SimulatePlan;
use row::{Row, Simulation};

/// Plays every kind of client that the plan names, one after the other on one core, and writes `simulate.json` and
/// `simulate.svg`.
///
/// # Errors
/// The herd makes no sense, or a file cannot be written.
pub fn run(plan: &SimulatePlan) -> Result<Simulation, SimulateError> {
    let mut rows = Vec::new();
    for kind in &plan.kinds {
        let progress = Progress::new(plan.herd.clients.into());
        progress.doing(&format!("{kind}: {} clients", plan.herd.clients));
        let started = crate::clock::now();
        let report = plan.herd.run(&plan.software(*kind), &mut |settled| progress.at(settled.into()))?;
        let took = crate::clock::now() - started;
        progress.finish();
        rows.push(Row::new(*kind, &report, &plan.herd, took));
    }
    let simulation = Simulation::new(plan, rows);
    out_folder::write(&plan.out, "simulate.json", &simulation.to_json())?;
    out_folder::write(&plan.out, "simulate.svg", &plot::render(&simulation)?)?;
    Ok(simulation)
}

/// Why a simulation did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The herd makes no sense.
    #[error(transparent)]
    Herd(#[from] HerdError),
    /// The plot could not be drawn.
    #[error("cannot draw simulate.svg: {0}")]
    Plot(String),
    /// A result could not be written.
    #[error(transparent)]
    Unwritable(#[from] UnwritableError),
}
