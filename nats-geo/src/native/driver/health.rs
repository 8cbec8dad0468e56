//! This module runs health checks. They run once before a link gets traffic in an orderly move, and periodically while
//! the link has traffic.

use std::sync::Arc;

use super::{Done, Driver};
use crate::core::{ConnId, Event, Handover, NoticeKind, ServerRef};
use crate::native::health::{Asked, HealthChecks, Verdict};

impl Driver {
    /// Returns the health checks that must pass before this link is activated, and where it leads.
    pub(super) fn health_checks_before(
        &mut self,
        conn: ConnId,
        handover: Handover,
    ) -> Option<(HealthChecks, ServerRef)> {
        // There is time for it, unless a lame duck has to be left.
        let live = self.hub.live_now().and_then(|link| self.links.get(&link.conn));
        let may_wait = handover == Handover::AfterBarrier && live.is_some_and(|entry| !entry.lame_duck);
        let entry = self.links.get_mut(&conn)?;
        let place = entry.place.clone().filter(|_| may_wait && !self.health_checks.is_empty());
        entry.asked = if place.is_some() { Asked::AllPassed } else { Asked::Nobody };
        Some((self.health_checks.clone(), place?))
    }

    /// Learns from a notice where links lead, and which one is live.
    pub(super) fn health_checks_noticed(&mut self, kind: &NoticeKind) {
        if self.health_checks.is_empty() {
            return;
        }
        match kind {
            NoticeKind::Opened(place) | NoticeKind::StandbyReady(place) => {
                if let Some(entry) = self.links.get_mut(&place.conn) {
                    entry.place = Some(place.clone());
                }
            }
            NoticeKind::Connected(place) | NoticeKind::Moved { to: place, .. } => self.watch_live(place.conn),
            _ => {}
        }
    }

    /// Reports that a health check failed on the live link. The checks continue: there may be no better link.
    pub(super) fn condemned(&mut self, conn: ConnId, verdict: Verdict) {
        let Verdict { number, why } = verdict;
        self.tell(Event::Unhealthy { conn, why });
        if let Some(entry) = self.links.get_mut(&conn) {
            entry.asked = Asked::Failed(number);
            self.watch_live(conn);
        }
    }

    fn watch_live(&mut self, conn: ConnId) {
        let Some(entry) = self.links.get_mut(&conn) else { return };
        let Some(place) = entry.place.clone() else { return };
        let (checks, link, asked) = (self.health_checks.clone(), Arc::clone(&entry.link), entry.asked);
        let watch = self.tasks.spawn(async move {
            match checks.watch(&link, place, asked).await {
                Some(verdict) => Done::Condemned { conn, verdict },
                None => Done::Other,
            }
        });
        // A link that fell silent, was left and came back had one before.
        if let Some(before) = entry.watch.replace(watch) {
            before.abort();
        }
    }
}
