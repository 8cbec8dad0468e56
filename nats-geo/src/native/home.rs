//! The home region of a client.

use std::sync::Mutex;

use super::hub::lock;
use crate::core::{ConnId, MoveCause, NoticeKind};

/// The cluster of the nearest region that is known, also while it is down.
#[derive(Debug, Default)]
pub(crate) struct Home(Mutex<Option<String>>);

impl Home {
    /// `None` before there is one, and where servers name no cluster.
    pub(crate) fn cluster(&self) -> Option<String> {
        lock(&self.0).clone()
    }

    /// These clusters are as near as the nearest; see [`Selector::home_clusters`](crate::core::Selector::home_clusters).
    /// Home stays where it is if it is among them.
    pub(crate) fn is_among(&self, nearest: Vec<String>) {
        let mut home = lock(&self.0);
        if home.as_ref().is_none_or(|home| !nearest.contains(home)) {
            *home = nearest.into_iter().next().or_else(|| home.take());
        }
    }

    /// The client chose this cluster freely: of those that are as near, it is home.
    pub(crate) fn is_at(&self, cluster: String, nearest: &[String]) {
        if nearest.is_empty() || nearest.contains(&cluster) {
            *lock(&self.0) = Some(cluster);
        }
    }
}

/// The link that leads home, if that is what the notice says: a failure makes no place home.
pub(crate) const fn found_by(notice: &NoticeKind) -> Option<ConnId> {
    match notice {
        NoticeKind::Connected(place) => Some(place.conn),
        NoticeKind::Moved {
            to,
            cause: MoveCause::FailBack | MoveCause::Faster | MoveCause::Requested,
            ..
        } => Some(to.conn),
        _ => None,
    }
}
