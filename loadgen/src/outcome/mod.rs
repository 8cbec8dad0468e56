//! The outcome of a scenario: figures, thresholds, verdict, and the reports in all their forms.
//!
//! This folder owns the figures (`failovers`, `figures`, `traffic`, `stores`), the judgement (`judge`), the model of
//! `report.json` (`model`, `build`, `traffic_rows`), its sentences (`sentences`), its renderings (`text`, `html`,
//! `markdown`, `junit`, `csv`, `histograms`), and differences of runs (`compare`, `aligned`). It must not know servers
//! or clocks: it reads recordings.

mod aligned;
mod build;
mod compare;
mod csv;
mod failovers;
mod figures;
mod histograms;
mod html;
mod judge;
mod junit;
mod markdown;
pub mod model;
mod sentences;
mod stores;
#[cfg(test)]
mod tests;
mod text;
mod traffic;
mod traffic_rows;

pub use build::{Environment, Played, build};
pub use compare::compare;
pub use csv::{to_csv, to_ndjson};
pub use histograms::to_hlogs;
pub use html::to_html;
pub use junit::to_junit;
pub use markdown::to_markdown;
pub use model::{NatsServerRow, Report, RunRow, Verdict};
pub use text::{to_details, to_text};
