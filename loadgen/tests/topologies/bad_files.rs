//! Topology files that are refused before anything starts.

use loadgen::topology::from_toml;

/// The issue asks for 40.
const AT_LEAST: usize = 40;

#[test]
fn bad_files_are_refused_with_line_key_and_remedy() {
    let csv = |_: &str| Ok("from,to,ms\nlon,mars\nlon,ams,fast\n".to_owned());
    crate::support::check("tests/topologies/bad_files.txt", AT_LEAST, |file| {
        from_toml(file, "bad.toml", csv).err().map(|error| error.to_string())
    });
}
