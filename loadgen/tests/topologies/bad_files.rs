//! Files that are refused before anything starts, each with every word of its error.
//!
//! `bad_files.txt` holds them: a name, the file, `=>`, the error. `BAD_FILES=write` renews the errors, for reading by eye.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use loadgen::topology::from_toml;

/// The issue asks for 40; fewer would mean that the file was cut.
const AT_LEAST: usize = 40;

struct Case {
    name: String,
    file: String,
    error: String,
}

fn table() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topologies/bad_files.txt")
}

fn cases(text: &str) -> Vec<Case> {
    let case = |block: &str| {
        let (name, rest) = block.split_once('\n').unwrap();
        let (file, error) = rest.split_once("=>\n").unwrap_or((rest, ""));
        Case { name: name.to_owned(), file: file.to_owned(), error: error.trim_end().to_owned() }
    };
    text.split("--- ").skip(1).map(case).collect()
}

fn error_of(case: &Case) -> String {
    match from_toml(&case.file, "bad.toml", |_csv| Ok("from,to,ms\nlon,mars\nlon,ams,fast\n".to_owned())) {
        Ok(_) => "it is accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn bad_files_are_refused_with_line_key_and_remedy() {
    let cases = cases(&std::fs::read_to_string(table()).unwrap());
    assert!(cases.len() >= AT_LEAST, "{} cases", cases.len());
    if std::env::var_os("BAD_FILES").is_some_and(|value| value == "write") {
        let mut text = String::new();
        for case in &cases {
            writeln!(text, "--- {}\n{}=>\n{}\n", case.name, case.file, error_of(case)).unwrap();
        }
        std::fs::write(table(), text.trim_end().to_owned() + "\n").unwrap();
        return;
    }
    for case in &cases {
        assert_eq!(error_of(case), case.error, "{}", case.name);
        assert!(case.error.starts_with("bad.toml:"), "{}", case.name);
    }
}
