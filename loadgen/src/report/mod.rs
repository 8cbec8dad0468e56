//! What was measured, as data ([`model`]), as tables ([`text`]), and held against its bounds ([`checks`]).

pub mod checks;
pub mod model;
pub mod summary;
pub mod text;
