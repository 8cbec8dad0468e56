//! The super-cluster of `loadgen up` on this machine: its state for every reader, and orders of operators.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::Notify;

use super::access::Role;
use super::feed::Feed;
use crate::clock;
use crate::ctl::client::{self, CtlError};
use crate::scenario::spec::FaultSpec;
use crate::up::control::Command;
use crate::up::world::World;

/// The super-cluster that operators give orders to.
#[derive(Debug)]
pub(super) struct Operation {
    /// `None`: the only one that is up.
    deployment: Option<String>,
    feed: Arc<Feed>,
    done: Mutex<VecDeque<Done>>,
    ordered: Notify,
}

/// An order of an operator, and its result.
#[derive(Clone, Debug, Serialize)]
struct Done {
    /// RFC 3339.
    at: String,
    order: String,
    /// `None`: it was carried out.
    error: Option<String>,
}

/// The data of an event `up`.
#[derive(Debug, Serialize)]
struct Seen {
    /// RFC 3339.
    at: String,
    every_s: u64,
    #[serde(flatten)]
    world: World,
    /// The last orders, the newest first.
    orders: Vec<Done>,
}

impl Operation {
    pub(super) fn new(deployment: Option<String>, feed: Arc<Feed>) -> Self {
        Self { deployment, feed, done: Mutex::default(), ordered: Notify::new() }
    }

    /// Sends events `up` and `trouble`: each second, and after each order. Never ends.
    pub(super) async fn follow(&self) {
        loop {
            if !self.feed.is_shown() {
                self.feed.wait_for_page().await;
                continue;
            }
            match client::order(self.deployment.as_deref(), Command::Snapshot).await {
                Ok(world) => {
                    let at = clock::rfc3339(clock::wall());
                    self.feed
                        .send("up", &Seen { at, every_s: EVERY.as_secs(), world, orders: self.orders() });
                }
                Err(error) => self.feed.send_trouble(&error),
            }
            // Either way it is time to look again.
            let _ = tokio::time::timeout(EVERY, self.ordered.notified()).await;
        }
    }

    fn orders(&self) -> Vec<Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    /// Carries an order out, and records it.
    async fn carry_out(&self, command: Command) -> Result<(), CtlError> {
        let order = command.to_string();
        let done = client::order(self.deployment.as_deref(), command).await.map(drop);
        let error = done.as_ref().err().map(ToString::to_string);
        let at = clock::rfc3339(clock::wall());
        eprintln!("{at} an operator ordered `{order}`: {}", error.as_deref().unwrap_or("done"));
        let mut all = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_back(Done { at, order, error });
        while all.len() > REMEMBERED {
            all.pop_front();
        }
        drop(all);
        self.ordered.notify_one();
        done
    }
}

/// Answers `POST /api/orders`.
pub(super) async fn order(
    State(operation): State<Arc<Operation>>,
    Extension(role): Extension<Role>,
    command: Result<Json<Command>, JsonRejection>,
) -> Response {
    if role != Role::Operate {
        return (StatusCode::FORBIDDEN, NO_OPERATOR).into_response();
    }
    let command = match command {
        Ok(Json(command)) => command,
        Err(rejection) => return (rejection.status(), rejection.body_text()).into_response(),
    };
    if let Err(reason) = check(&command) {
        return (StatusCode::BAD_REQUEST, reason).into_response();
    }
    match operation.carry_out(command).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::CONFLICT, error.to_string()).into_response(),
    }
}

/// Refuses orders that would give a browser more than the super-cluster: its passwords, or any program of this machine.
fn check(command: &Command) -> Result<(), &'static str> {
    match command {
        Command::Access | Command::Status | Command::Snapshot | Command::Check => Err(NO_ORDER),
        Command::Inject { fault, .. } => {
            let spec = format!("{fault}@0s").parse::<FaultSpec>();
            let names_program = |spec: FaultSpec| spec.options.version.is_some_and(|it| it.contains('/'));
            // `loadgen up` says what is wrong with a text that is no fault.
            if spec.is_ok_and(names_program) { Err(PROGRAM) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

const NO_OPERATOR: &str = "only operators give orders: start `loadgen dashboard --operate`, and open the second address that it prints";
const NO_ORDER: &str = "`access`, `status` and `check` are no orders here: use `loadgen ctl`";
const PROGRAM: &str = "`version` is a path here: write a version, such as `2.14.6`, or use `loadgen ctl inject` in a terminal of this machine";

/// A person who breaks something looks at it meanwhile.
const EVERY: Duration = Duration::from_secs(1);

/// More orders than fit on a page.
const REMEMBERED: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_no_passwords_and_starts_no_programs() {
        let inject = |fault: &str| Command::Inject { fault: fault.to_owned(), lasts_ms: None };
        assert_eq!(check(&Command::Access), Err(NO_ORDER));
        assert_eq!(check(&inject("restart:lon-1,version=/tmp/evil")), Err(PROGRAM));
        assert_eq!(check(&inject("restart:lon-1, version = ../evil")), Err(PROGRAM));
        for fault in ["restart:lon-1,version=2.14.6", "silence:lon", "no fault"] {
            assert_eq!(check(&inject(fault)), Ok(()), "{fault}");
        }
        assert_eq!(check(&Command::Kill { target: "lon".to_owned() }), Ok(()));
    }
}
