//! Files that loadgen refuses before anything starts, with the whole text of each error.
//!
//! A table has a name, the file, `=>`, and the error. `BAD_FILES=write` renews the errors, so that a person can check
//! them.

use std::fmt::Write as _;
use std::path::Path;

struct Case {
    name: String,
    file: String,
    error: String,
}

fn cases(text: &str) -> Vec<Case> {
    let case = |block: &str| {
        let (name, rest) = block.split_once('\n').unwrap();
        let (file, error) = rest.split_once("=>\n").unwrap_or((rest, ""));
        Case { name: name.to_owned(), file: file.to_owned(), error: error.trim_end().to_owned() }
    };
    text.split("--- ").skip(1).map(case).collect()
}

/// Holds the errors of the table at `path` (below the crate) against those that `error_of` returns. `at_least` notices a
/// table that was cut.
pub(crate) fn check(path: &str, at_least: usize, error_of: impl Fn(&str) -> Option<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let cases = cases(&std::fs::read_to_string(&path).unwrap());
    assert!(cases.len() >= at_least, "{} cases", cases.len());
    let error_of = |case: &Case| error_of(&case.file).unwrap_or_else(|| "it is accepted".to_owned());
    if std::env::var_os("BAD_FILES").is_some_and(|value| value == "write") {
        let mut text = String::new();
        for case in &cases {
            writeln!(text, "--- {}\n{}=>\n{}\n", case.name, case.file, error_of(case)).unwrap();
        }
        std::fs::write(&path, text.trim_end().to_owned() + "\n").unwrap();
        return;
    }
    for case in &cases {
        assert_eq!(error_of(case), case.error, "{}", case.name);
        assert!(case.error.starts_with("bad.toml:"), "{}", case.name);
    }
}
