//! A client closes a link with pending requests only after the drain, unless the link is silent or has failed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Checker, per_client};
use crate::core::{Action, Call, Config, ConnId, Event, Handover, Notice, NoticeKind, PingId, Time};
use crate::sim::{Seen, World};

#[derive(Debug)]
pub(crate) struct Drain(Vec<Client>);

#[derive(Debug, Default)]
struct Client {
    /// Links that new traffic went to at some time.
    carrying: BTreeSet<ConnId>,
    /// PINGs that wait for an answer, and since when.
    waiting: BTreeMap<PingId, (ConnId, Time)>,
    failed: Option<ConnId>,
    /// The next close is announced to come before its successor is open.
    may_break: Option<ConnId>,
}

impl Drain {
    pub(crate) fn new(world: &World) -> Self {
        Self(per_client(world))
    }
}

impl Checker for Drain {
    fn rule(&self) -> &'static str {
        "no link that carries requests is closed before its drain"
    }

    fn see(&mut self, seen: &Seen, world: &World) -> Result<(), String> {
        match seen {
            Seen::Called { client, call: Call::Event(event) } => self.0[*client].told(event),
            Seen::Decided { client, at, action } => {
                let config = world.config(*client);
                return self.0[*client]
                    .decided(action, *at, config)
                    .map_err(|what| format!("client {client} {what}"));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Client {
    fn told(&mut self, event: &Event) {
        self.failed = None;
        match event {
            Event::Activated { conn } => _ = self.carrying.insert(*conn),
            Event::ActivateFailed { conn } => self.failed = Some(*conn),
            Event::Closed { conn, .. } => self.gone(*conn),
            Event::Pong { ping, .. } => _ = self.waiting.remove(ping),
            _ => {}
        }
    }

    fn decided(&mut self, action: &Action, at: Time, config: &Config) -> Result<(), String> {
        match action {
            Action::Activate { conn, handover: Handover::Pipelined } => _ = self.carrying.insert(*conn),
            Action::Ping { conn, ping } => _ = self.waiting.insert(*ping, (*conn, at)),
            Action::Notify(Notice { kind: NoticeKind::BreakBeforeMake(place), .. }) => {
                self.may_break = Some(place.conn);
            }
            Action::Close { conn, overlap, drain } => {
                let (handover, dead_min) = (&config.handover, config.watch.dead_min);
                let is_silent = |(on, since): &(ConnId, Time)| on == conn && at.since(*since) >= dead_min;
                let is_excused = self.failed == Some(*conn) || self.waiting.values().any(is_silent);
                let may_break = self.may_break == Some(*conn);
                let overlap_min = if may_break { Duration::ZERO } else { handover.overlap_min };
                let is_orderly = *overlap >= overlap_min && *drain >= handover.drain;
                if self.carrying.contains(conn) && !is_excused && !is_orderly {
                    return Err(format!(
                        "closes {conn} with an overlap of {overlap:?}, a drain of {drain:?}"
                    ));
                }
                self.gone(*conn);
            }
            _ => {}
        }
        Ok(())
    }

    fn gone(&mut self, conn: ConnId) {
        self.carrying.remove(&conn);
        self.waiting.retain(|_, (on, _)| *on != conn);
    }
}
