//! What came of a scenario: figures, thresholds, verdict, and the reports in all their forms.
//!
//! Owns the figures (`failovers`, `figures`), the judgement (`judge`), the model of `report.json` (`model`, `build`), its
//! sentences (`sentences`), its renderings (`text`, `html`, `markdown`, `junit`, `csv`), and differences of runs
//! (`compare`). Must not know servers or clocks: it sees recordings.

mod build;
mod compare;
mod csv;
mod failovers;
mod figures;
mod html;
mod judge;
mod junit;
mod markdown;
pub mod model;
mod sentences;
#[cfg(test)]
mod tests;
mod text;

pub use build::{Environment, Played, build};
pub use compare::compare;
pub use csv::{to_csv, to_ndjson};
pub use html::to_html;
pub use junit::to_junit;
pub use markdown::to_markdown;
pub use model::Report;
pub use text::{to_details, to_text};
