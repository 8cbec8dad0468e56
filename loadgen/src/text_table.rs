//! Tables for a terminal.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{Cell, CellAlignment, Table};

/// An empty table.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header);
    table
}

/// Adds a row. Numbers stand on the right.
pub(crate) fn add(table: &mut Table, cells: Vec<String>) {
    let align = |cell: String| {
        let is_number = cell.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let alignment = if is_number { CellAlignment::Right } else { CellAlignment::Left };
        Cell::new(cell).set_alignment(alignment)
    };
    table.add_row(cells.into_iter().map(align));
}
