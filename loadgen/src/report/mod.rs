//! The report of a run: data for `report.json` ([`model`]), tables for a terminal ([`text`]), bounds and verdict ([`checks`]).
//!
//! Owns the schema of the report and every bound. Must not know how anything was measured.

pub mod checks;
pub mod model;
pub mod summary;
pub mod text;
