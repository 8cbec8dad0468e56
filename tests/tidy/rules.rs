//! What can be wrong with one file.

use super::files::File;

/// More than fits into one head at a time.
const LINES_MAX: usize = 400;

/// Marks of unfinished work. Written in two parts, so that this file does not break its own rule.
const UNFINISHED: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[", "ignore"),
];

/// Where a mark of [`UNFINISHED`] means something else.
const NOT_UNFINISHED: [(&str, &str); 1] = [
    // The test binary starts itself again as the process whose sudden end is tested; only then may it run.
    ("loadgen/tests/cluster.rs", concat!("#[", "ignore = \"not a test: ")),
];

/// The only address that a lock file may name: which registry, not where a package was downloaded from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) fn short(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    let too_long = is_rust(file) && lines > LINES_MAX;
    Vec::from_iter(too_long.then(|| format!("{}: {lines} lines, at most {LINES_MAX}: split it", file.path)))
}

pub(crate) fn documented(file: &File) -> Vec<String> {
    let silent = is_rust(file) && !file.text.starts_with("//! ");
    Vec::from_iter(silent.then(|| format!("{}:1: begin with a `//!` line that says what it is", file.path)))
}

pub(crate) fn finished(file: &File) -> Vec<String> {
    if !is_source(file) {
        return Vec::new();
    }
    let excused =
        |line: &str| NOT_UNFINISHED.iter().any(|(path, mark)| file.path == *path && line.contains(mark));
    let marks = |line: &str| UNFINISHED.into_iter().find(|mark| has_word(line, mark));
    file.lines()
        .filter(|(_, line)| !excused(line))
        .filter_map(|(place, line)| Some(format!("{place}: `{}`: finish it", marks(line)?)))
        .collect()
}

pub(crate) fn no_download_address(file: &File) -> Vec<String> {
    let name = file.name();
    let is_lock = name.ends_with(".lock") || name.contains("-lock.") || name == "npm-shrinkwrap.json";
    let names_address = |line: &str| {
        // npm copies the links to a package's sponsors; nothing is downloaded from there.
        let is_funding = line.trim_start().starts_with("\"url\":");
        line.replace(REGISTRY, "").contains("://") && !is_funding
    };
    let complain = |place| format!("{place}: a download address: other machines have other mirrors");
    file.lines()
        .filter(|(_, line)| is_lock && names_address(line))
        .map(|(place, _)| complain(place))
        .collect()
}

/// Whether `word` stands in `line` and no longer word contains it there.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let ends_a_word = word.ends_with(is_part);
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next().filter(|_| ends_a_word);
        ![before, after].into_iter().flatten().any(is_part)
    })
}

fn is_rust(file: &File) -> bool {
    file.path.ends_with(".rs")
}

/// Prose may speak of unfinished things; what runs may not be one.
fn is_source(file: &File) -> bool {
    const EXTENSIONS: [&str; 9] = ["rs", "toml", "yml", "yaml", "ts", "js", "html", "css", "sh"];
    match file.name().rsplit_once('.') {
        Some((_, extension)) => EXTENSIONS.contains(&extension),
        None => file.name() == "Makefile" || file.path.starts_with(".ci/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_refused() {
        assert!(short(&File::new("a.rs", &"\n".repeat(LINES_MAX))).is_empty());
        assert_eq!(short(&File::new("a.rs", &"\n".repeat(LINES_MAX + 1))).len(), 1);
        assert!(short(&File::new("Cargo.lock", &"\n".repeat(LINES_MAX + 1))).is_empty());
    }

    #[test]
    fn a_silent_module_is_refused() {
        assert!(documented(&File::new("a.rs", "//! Says what it is.\n")).is_empty());
        for text in ["", "use std::fmt;\n//! Too late.\n", "// Not a doc line.\n", "//!\n"] {
            assert_eq!(documented(&File::new("a.rs", text)).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn every_mark_of_unfinished_work_is_refused() {
        for mark in UNFINISHED {
            for path in ["a.rs", ".ci/run", "Makefile", "web/a.ts"] {
                assert_eq!(
                    finished(&File::new(path, &format!("fine\n{mark} x\n"))).len(),
                    1,
                    "{mark} in {path}"
                );
            }
            assert!(finished(&File::new("README.md", mark)).is_empty());
        }
        assert!(finished(&File::new("a.sh", "mktemp -d a.XXXXXX")).is_empty());
    }

    #[test]
    fn an_excuse_is_for_one_line_of_one_file() {
        let (path, mark) = NOT_UNFINISHED[0];
        assert!(finished(&File::new(path, mark)).is_empty());
        assert_eq!(finished(&File::new("a.rs", mark)).len(), 1);
        assert_eq!(finished(&File::new(path, UNFINISHED[5])).len(), 1);
    }

    #[test]
    fn a_download_address_in_a_lock_file_is_refused() {
        let cargo = format!("source = \"{REGISTRY}\"");
        assert!(no_download_address(&File::new("Cargo.lock", &cargo)).is_empty());
        let npm = "\"resolved\": \"https://mirror.example/a.tgz\",";
        for path in ["web/package-lock.json", "npm-shrinkwrap.json", "fuzz/Cargo.lock", "pnpm-lock.yaml"] {
            assert_eq!(no_download_address(&File::new(path, npm)).len(), 1, "{path}");
        }
        assert!(no_download_address(&File::new("web/package.json", npm)).is_empty());
        let sponsor = "  \"url\": \"https://opencollective.com/a\"";
        assert!(no_download_address(&File::new("package-lock.json", sponsor)).is_empty());
    }

    #[test]
    fn words_end_where_they_end() {
        assert!(has_word("use std::sync::Arc;", "Arc") && has_word("Arc<u8>", "Arc"));
        assert!(!has_word("Archive", "Arc") && !has_word("an_Arc", "Arc"));
        assert!(has_word("a.fail!()", "fail!("));
    }
}
