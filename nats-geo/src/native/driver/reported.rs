//! This module handles the reports of links.

use std::sync::Arc;

use super::{Done, Driver};
use crate::core::{Cause, ConnId, Event};
use crate::native::link::Report;

impl Driver {
    pub(super) fn reported(&mut self, conn: ConnId, report: Report) {
        match report {
            Report::LameDuck => {
                if let Some(entry) = self.links.get_mut(&conn) {
                    entry.lame_duck = true;
                }
                self.tell(Event::LameDuck(conn));
            }
            Report::Overflow => self.hub.discarded(1),
            Report::Denied { denied, text } => {
                self.hub.denied(conn, &denied, &text);
                self.may_have_missed_some(conn);
            }
            Report::Scrubbed(scrubbed) => self.hub.scrubbed(&scrubbed),
            Report::OverLimit { text } => self.over_limit(conn, text),
            Report::Ended { cause, settled, complaint, unconfirmed, longest_names } => {
                if cause != Cause::Requested || complaint.is_some() {
                    self.hub.link_ended(&unconfirmed, complaint.as_deref(), longest_names);
                }
                self.hub.settle(conn, settled);
                // A killed link was taken away and acknowledged when it was killed.
                if self.links.remove(&conn).is_some() {
                    self.hub.detach(conn);
                    self.tell(Event::Closed { conn, cause });
                }
                self.retransmit();
            }
        }
    }

    /// async-nats drops errors that come too fast. So many of them have come that others may be lost: the server is asked
    /// again about the subscriptions that were installed lately.
    fn may_have_missed_some(&mut self, conn: ConnId) {
        let Some(entry) = self.links.get_mut(&conn) else { return };
        entry.denials += 1;
        if entry.denials < DENIALS_MAX {
            return;
        }
        entry.denials = 0;
        let (hub, link) = (Arc::clone(&self.hub), Arc::clone(&entry.link));
        self.tasks.spawn(async move {
            hub.ask_again(&link).await;
            Done::Other
        });
    }

    fn over_limit(&mut self, conn: ConnId, text: String) {
        let Some(entry) = self.links.get(&conn) else { return };
        let (hub, link) = (Arc::clone(&self.hub), Arc::clone(&entry.link));
        self.tasks.spawn(async move {
            hub.over_limit(&link, text).await;
            Done::Other
        });
    }

    /// What a dead link had not written goes to the live one. If there is none, the next one takes it along.
    fn retransmit(&mut self) {
        if let Some(link) = self.hub.live_now() {
            let hub = Arc::clone(&self.hub);
            self.tasks.spawn(async move {
                // If it ends, the rest is kept for the next one.
                let _ = hub.retransmit(&link).await;
                Done::Other
            });
        }
    }
}

/// Fewer than the 128 events that async-nats keeps: it has dropped none before so many have come.
const DENIALS_MAX: usize = 100;
