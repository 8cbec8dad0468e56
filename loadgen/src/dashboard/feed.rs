//! Server-sent events for all pages with the same content. loadgen makes them only while such a page is open.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::{Notify, Semaphore, watch};

use crate::clock;

/// The last event, for all pages that show it.
#[derive(Debug)]
pub(super) struct Feed {
    /// `None` while no page shows it: an old event would be taken for a new one.
    frames: watch::Sender<Option<Arc<Frame>>>,
    wanted: Notify,
    /// One for each page.
    seats: Arc<Semaphore>,
}

/// An event of the stream.
#[derive(Debug)]
struct Frame {
    event: &'static str,
    json: String,
}

/// The data of an event `trouble`.
#[derive(Debug, Serialize)]
struct Trouble {
    /// RFC 3339.
    at: String,
    /// The reason, and the remedy.
    reason: String,
}

impl Feed {
    /// Nobody shows it yet.
    pub(super) fn new() -> Self {
        Self {
            frames: watch::Sender::new(None),
            wanted: Notify::new(),
            seats: Arc::new(Semaphore::new(PAGES_MAX)),
        }
    }

    /// Whether a page shows it.
    pub(super) fn is_shown(&self) -> bool {
        self.frames.receiver_count() > 0
    }

    /// Forgets the last event, and waits until a page shows it.
    pub(super) async fn wait_for_page(&self) {
        self.frames.send_replace(None);
        self.wanted.notified().await;
    }

    /// Sends an event to all pages.
    pub(super) fn send(&self, event: &'static str, data: &impl Serialize) {
        // Texts, numbers and lists: that cannot fail.
        let json = serde_json::to_string(data).unwrap_or_default();
        self.frames.send_replace(Some(Arc::new(Frame { event, json })));
    }

    /// Says why there is nothing else to send.
    pub(super) fn send_trouble(&self, error: &dyn std::fmt::Display) {
        self.send("trouble", &Trouble { at: clock::rfc3339(clock::wall()), reason: error.to_string() });
    }
}

/// Answers a page: events until it is closed.
pub(super) async fn listen(State(feed): State<Arc<Feed>>) -> Response {
    let Ok(seat) = feed.seats.clone().try_acquire_owned() else {
        let text = format!("{PAGES_MAX} pages already show live data: close one of them");
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let mut frames = feed.frames.subscribe();
    feed.wanted.notify_one();
    // The event for another page is new enough.
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
