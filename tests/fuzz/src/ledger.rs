//! What a selector may ask of a driver, whatever the driver says: ids are new, and what they name exists.

use std::collections::{BTreeMap, BTreeSet};

use nats_geo::core::{Action, ConnId, EndpointId, Event, PingId, ProbeId};

/// What is offered, unanswered and open.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    offered: BTreeSet<EndpointId>,
    pub(crate) probes: BTreeMap<ProbeId, EndpointId>,
    pub(crate) dials: BTreeMap<ConnId, EndpointId>,
    pub(crate) links: BTreeSet<ConnId>,
    pub(crate) activating: BTreeSet<ConnId>,
    pub(crate) pings: BTreeMap<PingId, ConnId>,
    /// And whether it is to end at once.
    pub(crate) closing: BTreeMap<ConnId, bool>,
    used_probes: BTreeSet<ProbeId>,
    used_conns: BTreeSet<ConnId>,
    used_pings: BTreeSet<PingId>,
}

impl Ledger {
    /// Notes what the selector is told.
    pub(crate) fn told(&mut self, event: &Event) {
        match event {
            Event::Discovered(endpoint) => _ = self.offered.insert(endpoint.id),
            Event::Withdrawn(endpoint) => _ = self.offered.remove(endpoint),
            Event::Probed { probe, .. } => _ = self.probes.remove(probe),
            Event::Opened { conn, .. } if self.dials.remove(conn).is_some() => _ = self.links.insert(*conn),
            Event::OpenFailed { conn, .. } if self.dials.contains_key(conn) => self.gone(*conn),
            Event::Closed { conn, .. } => self.gone(*conn),
            Event::Activated { conn } | Event::ActivateFailed { conn } => _ = self.activating.remove(conn),
            Event::Pong { ping, .. } => _ = self.pings.remove(ping),
            _ => {}
        }
    }

    /// Notes what the selector asks for.
    ///
    /// # Panics
    /// It may not ask for that.
    pub(crate) fn decided(&mut self, action: &Action) {
        match action {
            Action::Probe { probe, endpoint, timeout } => {
                assert!(self.used_probes.insert(*probe), "{probe:?} is used twice");
                assert!(self.offered.contains(endpoint), "{action:?}, which is not on offer");
                assert!(!timeout.is_zero(), "{action:?} has no time");
                self.probes.insert(*probe, *endpoint);
            }
            Action::Open { conn, endpoint, timeout } => {
                assert!(self.used_conns.insert(*conn), "{conn:?} is used twice");
                assert!(self.offered.contains(endpoint), "{action:?}, which is not on offer");
                assert!(!timeout.is_zero(), "{action:?} has no time");
                self.dials.insert(*conn, *endpoint);
            }
            Action::Ping { conn, ping } => {
                assert!(self.used_pings.insert(*ping), "{ping:?} is used twice");
                assert!(self.links.contains(conn), "{action:?}, which is not open");
                self.pings.insert(*ping, *conn);
            }
            Action::Activate { conn, .. } => {
                assert!(self.links.contains(conn), "{action:?}, which is not open");
                self.activating.insert(*conn);
            }
            Action::Close { conn, drain, .. } => {
                let exists = self.links.contains(conn) || self.dials.contains_key(conn);
                assert!(exists, "{action:?}, which is neither open nor dialled");
                // One that does not end in order is ended at once.
                let before = self.closing.insert(*conn, drain.is_zero());
                assert!(before.is_none_or(|at_once| !at_once && drain.is_zero()), "{action:?} again");
            }
            _ => {}
        }
    }

    fn gone(&mut self, conn: ConnId) {
        self.dials.remove(&conn);
        self.links.remove(&conn);
        self.activating.remove(&conn);
        self.closing.remove(&conn);
    }
}
