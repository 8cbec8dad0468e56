//! The tracked files, as they are in the work tree.

use std::path::Path;
use std::process::Command;

/// A text file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// A made-up file, to see a rule fail.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Each line with its place, as compilers write it.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (String, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (format!("{}:{}", self.path, index + 1), line))
    }
}

/// Every tracked text file. Untracked ones are somebody's work in progress.
pub(crate) fn tracked() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(&root).output();
    let output = output.expect("git is installed");
    assert!(output.status.success(), "not a git checkout: {}", String::from_utf8_lossy(&output.stderr));
    let paths = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let files: Vec<_> = paths
        .split_terminator('\0')
        // What cannot be read as text is a picture, or was deleted and not yet committed.
        .filter_map(|path| Some(File::new(path, &std::fs::read_to_string(root.join(path)).ok()?)))
        .collect();
    assert!(files.len() > 10, "only {} files: the rules would check nothing", files.len());
    files
}
