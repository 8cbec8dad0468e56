//! The browser's process: found, started with a profile of its own, and ended with it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::cluster::Guard;
use crate::secret::Secret;

/// A running browser. Dropping it ends the browser and removes its profile; if loadgen is killed, its guard does both.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    log: PathBuf,
    _guard: Guard,
    _profile: TempDir,
}

impl Program {
    /// Starts a browser without windows, which opens `page` with the token in the fragment of its address.
    pub(super) fn start(program: &Path, page: &str, token: &Secret) -> io::Result<Self> {
        let profile = tempfile::Builder::new().prefix("loadgen-browser-").tempdir()?;
        let guard = Guard::start(Some(profile.path()))?;
        // Every user of the machine can read the arguments of a process, so the token stands in a file of this user.
        let start = profile.path().join("start.html");
        let script = format!("<script>location.replace(\"{page}#token={}\")</script>", token.expose());
        File::create(&start)?.write_all(script.as_bytes())?;
        let log = profile.path().join("browser.log");
        let printed = File::create(&log)?;
        let mut command = Command::new(program);
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.path().join("profile").display()));
        if nix::unistd::Uid::effective().is_root() {
            // Chromium refuses to start as root with its sandbox. It opens only pages of loadgen.
            command.arg("--no-sandbox");
        }
        command.arg(format!("file://{}", start.display()));
        command.stdin(Stdio::null()).stdout(printed.try_clone()?).stderr(printed);
        guard.adopt(&mut command)?;
        Ok(Self { child: command.spawn()?, log, _guard: guard, _profile: profile })
    }

    pub(super) fn has_ended(&mut self) -> bool {
        // A process that nobody can ask about is none.
        self.child.try_wait().map_or(true, |status| status.is_some())
    }

    /// The last line that the browser printed, to explain why no page came.
    pub(super) fn last_line(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let line = text.lines().rev().find(|line| !line.trim().is_empty());
        line.map_or_else(|| "nothing".to_owned(), |line| format!("`{}`", line.trim()))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            tracing::error!(%error, "cannot end the browser: its guard will");
        }
    }
}

/// Returns the first browser on PATH.
pub(super) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let found = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    found.into_iter().find(|file| file.is_file())
}

/// Names of Chromium and of browsers that take the same options.
const NAMES: [&str; 5] =
    ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "microsoft-edge-stable"];

/// A client is a page that nobody looks at, so the browser must not slow down such pages. The other flags keep the browser from
/// connecting anywhere by itself.
const FLAGS: [&str; 14] = [
    "--headless=new",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
];
