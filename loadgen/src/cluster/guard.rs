//! A guard that ends all servers when this process ends, even after SIGKILL.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Ends every child of the run when this process is gone, however it goes.
///
/// `Drop` covers a normal end, an error and a panic, but not SIGKILL, an abort or an unhandled Ctrl-C. So a shell
/// leads a process group in which all servers are started, and reads from a pipe of which this process holds the only
/// other end. When the kernel closes that end, for whatever reason, the shell kills its whole group, itself included.
/// No list of pids exists that could be stale, and no server is outside the group for even a moment. Being in another
/// group, the servers do not get the terminal's Ctrl-C either, so it is this process that decides how they end.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
    /// Removes the run's folder after the end of `shell`: a server that still lived would write into it meanwhile.
    cleaner: Option<Child>,
}

/// The shell ignores SIGHUP. When this process ends while a server of the group is stopped, the kernel sends SIGHUP to the
/// whole group, because nobody is left who could let that server go on.
const KILL_GROUP: &str = r#"trap "" HUP; read -r _; kill -9 0"#;

/// A system call that a killed server was in may still create a file, so a failure is followed by another attempt. SIGHUP is ignored
/// for the same reason as above.
const REMOVE_FOLDER: &str = r#"trap "" HUP; read -r _; rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }"#;

impl Guard {
    /// Starts the shell. In the end `folder` is removed too, if there is one to remove.
    pub(crate) fn start(folder: Option<&Path>) -> io::Result<Self> {
        let mut cleaner = match folder {
            Some(folder) => Some(shell(REMOVE_FOLDER, "loadgen-cleaner").arg(folder).spawn()?),
            None => None,
        };
        // The cleaner reads until the guard ends, because the guard alone holds the other end of the pipe.
        let end = cleaner.as_mut().and_then(|cleaner| cleaner.stdin.take());
        let end = end.map_or_else(Stdio::null, Stdio::from);
        let shell = shell(KILL_GROUP, "loadgen-guard").args(folder).stdout(end).spawn()?;
        Ok(Self { shell, cleaner })
    }

    /// Makes `command` start inside the group.
    pub(crate) fn adopt(&self, command: &mut Command) -> io::Result<()> {
        let group = i32::try_from(self.shell.id()).map_err(io::Error::other)?;
        command.process_group(group);
        Ok(())
    }
}

/// A shell in a process group of its own.
fn shell(script: &str, name: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, name]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0);
    command
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        for shell in std::iter::once(&mut self.shell).chain(&mut self.cleaner) {
            if let Err(error) = shell.wait() {
                tracing::error!(%error, "cannot wait for the guard of the servers");
            }
        }
    }
}
