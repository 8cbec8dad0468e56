//! A client sends new traffic on only one link.

use std::collections::BTreeSet;

use super::{Checker, per_client};
use crate::core::{Action, Call, ConnId, Event, Handover, Notice, NoticeKind};
use crate::sim::{Seen, World};

#[derive(Debug)]
pub(crate) struct OneActive(Vec<Client>);

#[derive(Debug, Default)]
struct Client {
    /// Links with subscriptions that were not closed.
    activated: BTreeSet<ConnId>,
    /// Waiting for the barrier of a planned move.
    activating: Option<ConnId>,
    suspected: BTreeSet<ConnId>,
    /// Where new traffic goes.
    current: Option<ConnId>,
}

impl OneActive {
    pub(crate) fn new(world: &World) -> Self {
        Self(per_client(world))
    }
}

impl Checker for OneActive {
    fn rule(&self) -> &'static str {
        "at most one active link"
    }

    fn see(&mut self, seen: &Seen, world: &World) -> Result<(), String> {
        match seen {
            Seen::Called { client, call: Call::Event(event) } => self.0[*client].told(event),
            Seen::Decided { client, action, .. } => self.0[*client].decided(action),
            Seen::CallOver { client } => return self.0[*client].check(*client),
            Seen::Tick => {
                let mut clients = self.0.iter().enumerate();
                return clients.try_for_each(|(client, state)| state.check_view(client, world));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Client {
    fn told(&mut self, event: &Event) {
        match event {
            Event::Activated { conn } if self.activating == Some(*conn) => {
                self.activating = None;
                self.current = Some(*conn);
                self.activated.insert(*conn);
            }
            Event::Closed { conn, .. } => self.gone(*conn),
            _ => {}
        }
    }

    fn decided(&mut self, action: &Action) {
        match action {
            Action::Activate { conn, handover: Handover::AfterBarrier } => {
                self.activated.remove(conn);
                self.activating = Some(*conn);
            }
            Action::Activate { conn, .. } => {
                self.current = Some(*conn);
                self.activated.insert(*conn);
                // Traffic goes elsewhere: a barrier that comes back now moves nothing.
                self.activating = None;
            }
            Action::Close { conn, .. } => self.gone(*conn),
            Action::Notify(Notice { kind: NoticeKind::Suspected(place), .. }) => {
                self.suspected.insert(place.conn);
            }
            Action::Notify(Notice { kind: NoticeKind::Cleared(place), .. }) => {
                self.suspected.remove(&place.conn);
            }
            // What was left stays so until it answers.
            Action::Notify(Notice { kind: NoticeKind::Stalled, .. }) => {
                self.suspected.retain(|conn| Some(*conn) != self.current);
            }
            _ => {}
        }
    }

    fn gone(&mut self, conn: ConnId) {
        self.activated.remove(&conn);
        self.suspected.remove(&conn);
        self.activating = self.activating.filter(|activating| *activating != conn);
    }

    fn check(&self, client: usize) -> Result<(), String> {
        let trusted: Vec<_> = self.activated.difference(&self.suspected).collect();
        if trusted.len() > 1 {
            return Err(format!("client {client} has {trusted:?}"));
        }
        Ok(())
    }

    fn check_view(&self, client: usize, world: &World) -> Result<(), String> {
        let active = world.snapshot(client).active.map(|place| place.conn);
        if active.is_some_and(|active| !self.activated.contains(&active)) {
            return Err(format!("client {client} uses {active:?}, which was never activated"));
        }
        Ok(())
    }
}
