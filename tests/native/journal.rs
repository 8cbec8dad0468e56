//! What a client said about itself.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use nats_geo::GeoClient;
use nats_geo::core::{MoveCause, Notice, NoticeKind, ServerRef};

use crate::world::wait_for;

/// All notices of a client since the journal was begun.
pub(crate) struct Journal(Arc<Mutex<Vec<Notice>>>);

impl Journal {
    pub(crate) fn of(client: &GeoClient) -> Self {
        let notes = Arc::default();
        let journal = Self(Arc::clone(&notes));
        let mut notices = client.notices();
        tokio::spawn(async move {
            while let Some(notice) = notices.next().await {
                let notice = notice.expect("the journal has a gap");
                notes.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
            }
        });
        journal
    }

    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn notes(&self) -> Vec<NoticeKind> {
        self.notices().into_iter().map(|notice| notice.kind).collect()
    }

    /// Where traffic went, and why.
    pub(crate) fn moves(&self) -> Vec<(ServerRef, MoveCause)> {
        let moves = self.notes().into_iter().filter_map(|note| match note {
            NoticeKind::Moved { to, cause, .. } => Some((to, cause)),
            _ => None,
        });
        moves.collect()
    }

    /// The first move: where traffic goes now, and why.
    pub(crate) async fn first_move(&self) -> (ServerRef, MoveCause) {
        wait_for("a move", async || self.moves().into_iter().next()).await
    }

    /// For messages of failed tests.
    pub(crate) fn text(&self) -> String {
        self.notes().iter().map(|note| format!("\n    {note}")).collect()
    }

    pub(crate) async fn wait_for(&self, what: &str, is_it: impl Fn(&NoticeKind) -> bool) {
        wait_for(what, async || self.notes().iter().any(&is_it).then_some(())).await;
    }
}
