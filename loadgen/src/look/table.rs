//! Values in the form that the tables show.

use comfy_table::{Cell, CellAlignment, Table};

/// Bytes with the unit that keeps the number below 1024.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut scaled = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if scaled < 1024.0 {
            break;
        }
        (scaled, unit) = (scaled / 1024.0, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{scaled:.1} {unit}") }
}

/// A value that some servers do not give.
pub(super) fn optional<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), text)
}

/// `1 server`, `2 servers`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Adds a row of some texts and then numbers, which stand on the right.
pub(crate) fn add(table: &mut Table, texts: usize, cells: Vec<String>) {
    table.add_row(cells.into_iter().enumerate().map(|(column, cell)| {
        let alignment = if column < texts { CellAlignment::Left } else { CellAlignment::Right };
        Cell::new(cell).set_alignment(alignment)
    }));
}

/// A table below its title.
pub(crate) fn titled(title: &str, table: &Table) -> String {
    format!("{title}\n{table}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_a_unit() {
        let texts = [0, 1023, 1024, 23_343_104, 1 << 40, u64::MAX].map(bytes);
        assert_eq!(texts, ["0 B", "1023 B", "1.0 KiB", "22.3 MiB", "1.0 TiB", "16384.0 PiB"]);
        assert_eq!((count(1, "server"), count(0, "server")), ("1 server".into(), "0 servers".into()));
    }
}
