//! Whether ARCHITECTURE.md shows what is there: a map with a blank spot or a dead end misleads.

use std::collections::BTreeSet;

/// The folder that the map shows file by file.
const IN_DETAIL: &str = "nats-geo/src/core/";

/// Top-level folders (but hidden ones: they configure tools), and files and folders of [`IN_DETAIL`], that the map does not name.
pub(crate) fn missing(map: &str, paths: &[&str]) -> Vec<String> {
    let named = code_spans(map);
    let top = paths.iter().filter_map(|path| first_part(path)).filter(|folder| !folder.starts_with('.'));
    let top: BTreeSet<_> = top.map(|folder| (folder, folder)).collect();
    let core = paths.iter().filter_map(|path| path.strip_prefix(IN_DETAIL));
    let core: BTreeSet<_> =
        core.map(|path| first_part(path).unwrap_or(path)).map(|part| (IN_DETAIL, part)).collect();
    let is_named = |part: &str| {
        // A folder may be named by itself or by what is below it.
        named.iter().any(|name| *name == part || (part.ends_with('/') && name.starts_with(part)))
    };
    let blank = top.union(&core).filter(|(_, part)| !is_named(part));
    blank.map(|(folder, part)| format!("ARCHITECTURE.md: `{part}` ({folder}) is not on the map")).collect()
}

/// Paths on the map that lead to nothing.
pub(crate) fn dead(map: &str, paths: &[&str]) -> Vec<String> {
    let top: BTreeSet<_> = paths.iter().filter_map(|path| first_part(path)).collect();
    let is_path =
        |name: &&str| first_part(name).is_some_and(|folder| top.contains(folder)) && !name.contains(' ');
    let leads = |name: &str| {
        let below = format!("{}/", name.trim_end_matches('/'));
        paths.iter().any(|path| *path == name || path.starts_with(&below))
    };
    let dead = code_spans(map).into_iter().filter(is_path).filter(|name| !leads(name));
    dead.map(|name| format!("ARCHITECTURE.md: `{name}` does not exist")).collect()
}

/// The first folder of a path, with its `/`.
fn first_part(path: &str) -> Option<&str> {
    path.find('/').map(|end| &path[..=end])
}

/// What stands between single backticks.
fn code_spans(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("```"));
    lines.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 4] =
        ["README.md", "loadgen/src/main.rs", "nats-geo/src/core/rank.rs", "nats-geo/src/core/config/mod.rs"];
    const MAP: &str =
        "* `loadgen/` breaks it\n* `nats-geo/src/core/`: `rank.rs` the order, `config/` constants\n";

    #[test]
    fn a_complete_map_is_accepted() {
        assert!(missing(MAP, &PATHS).is_empty());
        assert!(dead(MAP, &PATHS).is_empty());
    }

    #[test]
    fn blank_spots_are_found() {
        for part in ["`loadgen/`", "`rank.rs`", "`config/`", "`nats-geo/src/core/`"] {
            let blank = missing(&MAP.replace(part, "it"), &PATHS);
            assert_eq!(blank.len(), 1, "{part}: {blank:?}");
        }
    }

    #[test]
    fn dead_ends_are_found() {
        for name in ["loadgen/src/gone.rs", "nats-geo/src/cor", "loadgen/web/"] {
            assert_eq!(dead(&format!("{MAP} `{name}`"), &PATHS).len(), 1, "{name}");
        }
        assert!(dead("`loadgen --regions lon` `loadgen/src` `text/event-stream`", &PATHS).is_empty());
    }
}
