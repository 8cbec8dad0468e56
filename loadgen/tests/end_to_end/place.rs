//! The folder in which tests call the built command, and the processes and files that must be gone afterwards.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// Several times what a small run takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
/// One super-cluster at a time: two would compete for the machine.
pub(crate) static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A folder of its own for one call of the command: where it works, and where its temporary files go.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What came of a call.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command
            .args(args)
            .current_dir(&self.folder)
            .env("TMPDIR", self.path("tmp"))
            .env_remove("RUST_LOG")
            .env_remove("XDG_RUNTIME_DIR");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Done {
        let output = timeout(LIMIT, self.command(args).output()).await.expect("it does not end").unwrap();
        Done {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Processes that name this place in their arguments, as servers and their guard do.
    pub(crate) async fn processes(&self) -> Vec<String> {
        let listed = Command::new("ps").args(["-ww", "-A", "-o", "pid=,stat=,args="]).output().await.unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let place = self.path("tmp").display().to_string();
        listed.lines().filter(|line| line.contains(&place)).map(str::to_owned).collect()
    }

    pub(crate) async fn assert_nothing_is_left(&self) {
        assert_eq!(self.processes().await, Vec::<String>::new(), "processes");
        let left: Vec<_> =
            std::fs::read_dir(self.path("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "temporary files");
    }
}
