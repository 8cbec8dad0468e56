//! Watches a link until it has ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{Event, ServerError};
use tokio::sync::mpsc;
use tracing::Level;

use super::{Report, Reports, State};
use crate::core::{Cause, ConnId};
use crate::native::clock;
use crate::native::observe::events::TARGET;
use crate::wire::Complaint;

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
            () = state.ended() => return bury(conn, &state, events, &reports).await,
        };
        let report = match event {
            None => break,
            Some(Event::LameDuckMode) => Report::LameDuck,
            Some(Event::SlowConsumer(_)) => Report::Overflow,
            Some(Event::ServerError(ServerError::Other(text)))
                if Complaint::of(&text) == Complaint::Permissions =>
            {
                tracing::event!(
                    name: "nats_geo.refused", target: TARGET, Level::WARN, %conn, %text, "refused by the server"
                );
                state.replies.refused(&text);
                continue;
            }
            Some(Event::ServerError(error)) => {
                last_error = Some((error, clock::now()));
                continue;
            }
            Some(_) => continue,
        };
        report_to(&reports, conn, report).await;
    }
    state.end();
    let settled = state.unconfirmed().settle(taken(&state));
    report_to(&reports, conn, Report::Ended { cause: cause(last_error), settled }).await;
}

/// The link was killed: settles its publishes as soon as the client's task has ended. A task whose write
/// buffer is full does not look at its channel any more; what is in there may still be written when a
/// blackhole heals, so after a while it counts as written.
async fn bury(conn: ConnId, state: &State, mut events: mpsc::Receiver<Event>, reports: &Reports) {
    let gone = tokio::time::timeout(BURIAL_LIMIT, async { while events.recv().await.is_some() {} }).await;
    let taken = if gone.is_ok() { taken(state) } else { u64::MAX };
    let settled = state.unconfirmed().settle(taken);
    report_to(reports, conn, Report::Ended { cause: Cause::Requested, settled }).await;
    // The callback must not find its channel closed while the task lives.
    while events.recv().await.is_some() {}
}

async fn report_to(reports: &Reports, conn: ConnId, report: Report) {
    // Nobody listens any more when the whole client has ended.
    let _ = reports.send((conn, report)).await;
}

/// How many messages async-nats has taken out of the command channel.
fn taken(state: &State) -> u64 {
    state.statistics.out_messages.load(std::sync::atomic::Ordering::Relaxed)
}

/// A task that is not stuck ends within a millisecond of the last clone of its client.
const BURIAL_LIMIT: Duration = Duration::from_secs(1);

/// An error that came longer ago than this is not why the connection ended: most `-ERR` leave it open.
const BLAME_LIMIT: Duration = Duration::from_secs(1);

fn cause(last_error: Option<(ServerError, Instant)>) -> Cause {
    match last_error {
        Some((error, at)) if clock::since(at) < BLAME_LIMIT => match error {
            ServerError::AuthorizationViolation => Cause::Auth("authorization violation".into()),
            ServerError::Other(text) if Complaint::of(&text) == Complaint::Credentials => Cause::Auth(text),
            ServerError::Other(text) => Cause::ServerError(text),
            ServerError::SlowConsumer(_) => Cause::ServerError("slow consumer".into()),
        },
        _ => Cause::Eof,
    }
}
