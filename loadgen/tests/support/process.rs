//! A process that a test starts, watches and ends.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use loadgen::clock;

/// A process of which everything that it prints is kept. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    printed: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let printed = Arc::new(Mutex::new(String::new()));
        keep(child.stdout.take().unwrap(), Arc::clone(&printed));
        keep(child.stderr.take().unwrap(), Arc::clone(&printed));
        Self { child, printed }
    }

    pub(crate) fn printed(&self) -> String {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has printed a text.
    pub(crate) async fn wait_for(&mut self, text: &str) {
        self.wait_until(&format!("`{text}`"), |printed| printed.contains(text)).await;
    }

    pub(crate) async fn wait_until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        let deadline = clock::now() + LIMIT;
        while !is_so(&self.printed()) {
            assert!(
                clock::now() < deadline,
                "{what} was not printed within {LIMIT:?}, but {}",
                self.printed()
            );
            let ended = self.child.try_wait().unwrap();
            tokio::time::sleep(LOOK_AGAIN).await;
            assert!(ended.is_none() || is_so(&self.printed()), "it ended without {what}: {}", self.printed());
        }
    }

    /// Waits for its end, and returns the exit code.
    pub(crate) async fn end(&mut self) -> i32 {
        let deadline = clock::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(clock::now() < deadline, "it did not end within {LIMIT:?}: {}", self.printed());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn keep(output: impl Read + Send + 'static, printed: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
            printed.push_str(&line);
            printed.push('\n');
        }
    });
}

/// Longer than a run of a short scenario takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);
