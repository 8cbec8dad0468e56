//! A promise that no server outlives this process, however it ends.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Ends every child of the run when this process is gone, however it goes.
///
/// `Drop` covers a normal end, an error and a panic, but not SIGKILL, an abort or an unhandled Ctrl-C. So a shell
/// leads a process group in which all servers are started, and reads from a pipe of which this process holds the only
/// other end. When the kernel closes that end, for whatever reason, the shell kills its whole group, itself included.
/// Because nothing comes after that, it removes the run's folder before.
/// No list of pids exists that could be stale, and no server is outside the group for even a moment. Being in another
/// group, the servers do not get the terminal's Ctrl-C either, so it is this process that decides how they end.
#[derive(Debug)]
pub(super) struct Guard {
    shell: Child,
}

impl Guard {
    /// Starts the shell. In the end it also removes `folder`, if there is one to remove.
    pub(super) fn start(folder: Option<&Path>) -> io::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", r#"read -r _; [ -z "$1" ] || rm -rf -- "$1"; kill -9 0"#, "loadgen-guard"])
            .args(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { shell })
    }

    /// Makes `command` start inside the group.
    pub(super) fn adopt(&self, command: &mut Command) -> io::Result<()> {
        let group = i32::try_from(self.shell.id()).map_err(io::Error::other)?;
        command.process_group(group);
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        if let Err(error) = self.shell.wait() {
            tracing::error!(%error, "cannot wait for the guard of the servers");
        }
    }
}
