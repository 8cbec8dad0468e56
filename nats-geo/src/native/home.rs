//! Which region is home: where this client goes when nothing forces it.

use std::sync::Mutex;

use super::hub::lock;
use super::link::Link;
use crate::core::{ConnId, MoveCause, NoticeKind};

/// The cluster of the region that was the nearest last, also while it is lost.
#[derive(Debug, Default)]
pub(crate) struct Home(Mutex<Option<String>>);

impl Home {
    /// `None` before there is one, and where servers name no cluster.
    pub(crate) fn cluster(&self) -> Option<String> {
        lock(&self.0).clone()
    }

    /// The server of this link is at home.
    pub(crate) fn is_at(&self, link: &Link) {
        *lock(&self.0) = link.client().try_server_info().and_then(|info| info.cluster);
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
