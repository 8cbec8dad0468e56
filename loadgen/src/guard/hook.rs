//! Hook programs: started with facts in their environment, ended at a time limit or by the operator.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::act::{Stop, stopped};
use super::audit::Outcome;
use super::rules::Hook;

/// Time between SIGTERM and SIGKILL, in which a hook may undo what it began.
const GRACE: Duration = Duration::from_secs(2);

/// Runs a hook to its end. Its output goes to the standard error of guard.
pub(super) async fn run(
    hook: &Hook,
    facts: Vec<(&'static str, String)>,
    stop: &mut Stop,
) -> (Outcome, String) {
    let mut command = Command::new(&hook.program);
    command.args(&hook.args).envs(facts).stdin(Stdio::null()).stdout(io::stderr()).kill_on_drop(true);
    // A group of its own, so that its children end with it, and so that Ctrl-C reaches guard only.
    command.process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return (Outcome::Failed, format!("cannot start `{}`: {error}", hook.program)),
    };
    tokio::select! {
        biased;
        () = stopped(stop) => (Outcome::Stopped, end(&mut child).await),
        waited = tokio::time::timeout(hook.limit, child.wait()) => match waited {
            Ok(Ok(status)) => judge(status),
            Ok(Err(error)) => (Outcome::Failed, format!("cannot wait for `{}`: {error}", hook.program)),
            Err(_) => (Outcome::TimedOut, end(&mut child).await),
        }
    }
}

fn judge(status: ExitStatus) -> (Outcome, String) {
    let outcome = if status.success() { Outcome::Done } else { Outcome::Failed };
    (outcome, status.to_string())
}

/// Ends a hook and its children.
async fn end(child: &mut Child) -> String {
    let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw) else {
        return "the program had ended already".to_owned();
    };
    let mut text = signal(group, Signal::SIGTERM);
    let waited = tokio::time::timeout(GRACE, child.wait()).await;
    // Children that ignored SIGTERM keep the group alive, so its number belongs to no other process.
    let killed = signal(group, Signal::SIGKILL);
    if waited.is_err() {
        text = match child.wait().await {
            Ok(_) => killed,
            Err(error) => format!("cannot wait for the end of the program: {error}"),
        };
    }
    text
}

fn signal(group: Pid, signal: Signal) -> String {
    match killpg(group, signal) {
        Ok(()) | Err(Errno::ESRCH) => format!("ended by {signal}"),
        Err(error) => format!("{signal} failed: {error}"),
    }
}
