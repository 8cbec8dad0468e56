//! This module watches a link until the link has ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_nats::{Event, ServerError};
use tokio::sync::mpsc;

use super::{Report, Reports, State};
use crate::core::{Cause, ConnId};
use crate::native::clock;
use crate::native::observe::events::event;
use crate::wire::{Complaint, Denied};

/// Reports what async-nats says about a link, and at last how it ended.
///
/// `events` ends when async-nats' task for the connection has ended: the only sign that cannot get lost (its
/// own queue of events drops what does not fit).
pub(super) async fn watch(
    conn: ConnId,
    state: Arc<State>,
    mut events: mpsc::Receiver<Event>,
    reports: Reports,
) {
    let mut last_error = None;
    loop {
        let event = tokio::select! {
            biased;
            event = events.recv() => event,
            () = state.ended() => return bury(conn, &state, events, &reports, last_error).await,
        };
        let report = match event {
            None => break,
            Some(Event::LameDuckMode) => Report::LameDuck,
            Some(Event::SlowConsumer(_)) => Report::Overflow,
            Some(Event::ServerError(error)) => match refused(conn, &state, &error) {
                Refused::Reported(report) => report,
                Refused::Done => continue,
                Refused::MayBeTheEnd => {
                    last_error = Some((error, clock::now()));
                    continue;
                }
            },
            Some(_) => continue,
        };
        report_to(&reports, conn, report).await;
    }
    state.end();
    let cause = cause(&last_error);
    if cause == Cause::Eof {
        state.guard.ended_without_reason(&state.server_id);
    }
    report_to(&reports, conn, ended(&state, cause, taken(&state), &last_error)).await;
}

/// An error of the server, and when it came.
type LastError = Option<(ServerError, Instant)>;

fn ended(state: &State, cause: Cause, taken: u64, last_error: &LastError) -> Report {
    Report::Ended {
        cause,
        settled: state.unconfirmed().settle(taken),
        complaint: recent(last_error).map(|error| match error {
            ServerError::Other(text) => text.clone(),
            other => other.to_string(),
        }),
        unconfirmed: state.installs().unconfirmed(),
        longest_names: state.longest_names.load(Ordering::Relaxed),
    }
}

/// The consequence of an error of the server.
enum Refused {
    Reported(Report),
    Done,
    /// The server may close the connection now.
    MayBeTheEnd,
}

fn refused(conn: ConnId, state: &State, error: &ServerError) -> Refused {
    let ServerError::Other(text) = error else { return Refused::MayBeTheEnd };
    let complaint = Complaint::of(text);
    if !matches!(complaint, Complaint::Permissions | Complaint::Subscriptions) {
        return Refused::MayBeTheEnd;
    }
    event!(REFUSED, %conn, %text, "the server refused an operation");
    if complaint == Complaint::Subscriptions {
        state.over_limit.fetch_add(1, Ordering::Relaxed);
        return Refused::Reported(Report::OverLimit { text: text.clone() });
    }
    match Denied::parse(text) {
        Some(denied) if !state.replies.denied(&denied, text) => {
            Refused::Reported(Report::Denied { denied, text: text.clone() })
        }
        _ => Refused::Done,
    }
}

/// The link was killed: settles its publishes as soon as the client's task has ended. A task whose write
/// buffer is full does not look at its channel any more; what is in there may still be written when a
/// blackhole heals, so after a while it counts as written.
async fn bury(
    conn: ConnId,
    state: &State,
    mut events: mpsc::Receiver<Event>,
    reports: &Reports,
    mut last_error: LastError,
) {
    let last_words = async {
        while let Some(event) = events.recv().await {
            // The server ended the link, and the driver noticed that first.
            if let Event::ServerError(error) = event {
                last_error = Some((error, clock::now()));
            }
        }
    };
    let gone = tokio::time::timeout(BURIAL_LIMIT, last_words).await;
    let taken = if gone.is_ok() { taken(state) } else { u64::MAX };
    report_to(reports, conn, ended(state, Cause::Requested, taken, &last_error)).await;
    // The callback must not find its channel closed while the task lives.
    while events.recv().await.is_some() {}
}

async fn report_to(reports: &Reports, conn: ConnId, report: Report) {
    // Nobody listens any more when the whole client has ended.
    let _ = reports.send((conn, report)).await;
}

/// How many messages async-nats has taken out of the command channel.
fn taken(state: &State) -> u64 {
    state.statistics.out_messages.load(Ordering::Relaxed)
}

/// A task that is not stuck ends within a millisecond of the last clone of its client.
const BURIAL_LIMIT: Duration = Duration::from_secs(1);

/// An error that came longer ago than this is not why the connection ended: most `-ERR` leave it open.
const BLAME_LIMIT: Duration = Duration::from_secs(1);

fn recent(last_error: &LastError) -> Option<&ServerError> {
    last_error.as_ref().filter(|(_, at)| clock::since(*at) < BLAME_LIMIT).map(|(error, _)| error)
}

fn cause(last_error: &LastError) -> Cause {
    match recent(last_error) {
        Some(ServerError::AuthorizationViolation) => Cause::Auth("authorization violation".into()),
        Some(ServerError::Other(text)) if Complaint::of(text) == Complaint::Credentials => {
            Cause::Auth(text.clone())
        }
        Some(ServerError::Other(text)) => Cause::ServerError(text.clone()),
        Some(ServerError::SlowConsumer(_)) => Cause::ServerError("slow consumer".into()),
        None => Cause::Eof,
    }
}
