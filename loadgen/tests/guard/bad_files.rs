//! Rule files that are refused before guard connects.

use loadgen::guard::from_toml;

const AT_LEAST: usize = 36;

#[test]
fn bad_files_are_refused_with_line_key_and_remedy() {
    crate::support::check("tests/guard/bad_files.txt", AT_LEAST, |file| {
        from_toml(file, "bad.toml").err().map(|error| error.to_string())
    });
}
