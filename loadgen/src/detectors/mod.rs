//! `loadgen detectors`: compares how fast detectors notice a blackhole, and how often they declare a working link dead.
//!
//! [`plan`] has the options, [`run`] gives every detector the same traces, [`row`] has the results as data, and
//! [`table`] and [`plot`] show them.

pub mod plan;
pub mod plot;
pub mod row;
pub mod table;

use crate::out_folder::{self, UnwritableError};
use crate::progress::Progress;
use plan::DetectorsPlan;
use row::{Comparison, Row};

/// Plays every path with every interval, and writes `detectors.json` and `detectors.svg`.
///
/// # Errors
/// A file cannot be written.
pub fn run(plan: &DetectorsPlan) -> Result<Comparison, DetectorsError> {
    let progress = Progress::new(plan.studies.len() as u64);
    let mut rows = Vec::new();
    for study in &plan.studies {
        progress.doing(&format!("{:?} away, a PING every {:?}", 2 * study.path.one_way, study.ping_interval));
        rows.extend(study.run(&plan.detectors).into_iter().map(|outcome| Row::new(study, &outcome)));
        progress.step();
    }
    progress.finish();
    let comparison = Comparison { burst_ms: plan.burst_ms, days: plan.days, seed: plan.seed, rows };
    out_folder::write(&plan.out, "detectors.json", &comparison.to_json())?;
    out_folder::write(&plan.out, "detectors.svg", &plot::render(&comparison)?)?;
    Ok(comparison)
}

/// Why a comparison did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DetectorsError {
    /// The plot could not be drawn.
    #[error("cannot draw detectors.svg: {0}")]
    Plot(String),
    /// A result could not be written.
    #[error(transparent)]
    Unwritable(#[from] UnwritableError),
}
