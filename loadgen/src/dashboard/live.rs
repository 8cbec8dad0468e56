//! The super-cluster that is up, as server-sent events. It is looked at only while a page shows it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::{Notify, Semaphore, watch};

use super::plan::LivePlan;
use crate::clock;
use crate::look::LookError;
use crate::look::gather::System;
use crate::look::overview::Overview;

/// The last look, for all pages that show it.
#[derive(Debug)]
pub(super) struct Live {
    /// `None` while no page shows it: an old look would be taken for a new one.
    frames: watch::Sender<Option<Arc<Frame>>>,
    wanted: Notify,
    /// One for each page.
    seats: Arc<Semaphore>,
}

/// An event of the stream.
#[derive(Debug)]
struct Frame {
    /// `nats` or `trouble`.
    event: &'static str,
    json: String,
}

/// The data of an event `nats`.
#[derive(Debug, Serialize)]
struct Seen<'a> {
    /// The end of the look, RFC 3339.
    at: String,
    /// Pause until the next look, in seconds.
    every_s: u64,
    #[serde(flatten)]
    overview: &'a Overview,
}

/// The data of an event `trouble`.
#[derive(Debug, Serialize)]
struct Trouble {
    /// The end of the look, RFC 3339.
    at: String,
    /// The reason, and the remedy.
    reason: String,
}

impl Live {
    /// Nobody shows it yet.
    pub(super) fn new() -> Self {
        Self {
            frames: watch::Sender::new(None),
            wanted: Notify::new(),
            seats: Arc::new(Semaphore::new(PAGES_MAX)),
        }
    }

    /// Looks again and again while a page shows it. Never ends.
    pub(super) async fn follow(&self, plan: &LivePlan) {
        let mut system = None;
        loop {
            if self.frames.receiver_count() == 0 {
                // A connection that nobody needs would count as a client of the super-cluster.
                system = None;
                self.frames.send_replace(None);
                self.wanted.notified().await;
                continue;
            }
            let frame = match look(plan, &mut system).await {
                Ok(overview) => Frame::of(&overview, plan),
                Err(error) => {
                    // A super-cluster that starts again may have other addresses and credentials.
                    system = None;
                    Frame::trouble(&error)
                }
            };
            self.frames.send_replace(Some(Arc::new(frame)));
            tokio::time::sleep(plan.every).await;
        }
    }
}

async fn look(plan: &LivePlan, system: &mut Option<System>) -> Result<Overview, LookError> {
    let system = match system {
        Some(system) => system,
        None => system.insert(System::new(plan.login.open().await?, plan.timeout).await?),
    };
    Ok(Overview::look(system).await?)
}

impl Frame {
    fn of(overview: &Overview, plan: &LivePlan) -> Self {
        Self::new(
            "nats",
            &Seen { at: clock::rfc3339(clock::wall()), every_s: plan.every.as_secs(), overview },
        )
    }

    fn trouble(error: &LookError) -> Self {
        Self::new("trouble", &Trouble { at: clock::rfc3339(clock::wall()), reason: error.to_string() })
    }

    fn new(event: &'static str, data: &impl Serialize) -> Self {
        // Texts, numbers and lists: that cannot fail.
        Self { event, json: serde_json::to_string(data).unwrap_or_default() }
    }
}

/// Answers `GET /api/live/nats`.
pub(super) async fn nats(State(live): State<Arc<Live>>) -> Response {
    let Ok(seat) = live.seats.clone().try_acquire_owned() else {
        let text = format!("{PAGES_MAX} pages show the super-cluster already: close one of them");
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let mut frames = live.frames.subscribe();
    live.wanted.notify_one();
    // The look of another page is new enough.
    frames.mark_changed();
    let events = stream::unfold((frames, seat), async |(mut frames, seat)| {
        loop {
            frames.changed().await.ok()?;
            let frame = frames.borrow_and_update().clone();
            if let Some(frame) = frame {
                let event = Event::default().event(frame.event).data(&frame.json);
                return Some((Ok::<_, Infallible>(event), (frames, seat)));
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// Each page holds a connection; more come from a fault.
const PAGES_MAX: usize = 200;
