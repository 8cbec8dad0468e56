//! This module carries out the decisions of the selector. Slow actions run as separate tasks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::Instrument as _;

use super::{Done, Driver, handover};
use crate::core::{
    Action, Cause, ConnId, EndpointId, Event, Handover, Notice, NoticeKind, OpenError, PingId, ProbeId,
};
use crate::native::hub::lock;
use crate::native::observe::Move;
use crate::native::observe::events::{self, span};
use crate::native::{home, link, prober};

impl Driver {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Probe { probe, endpoint, timeout } => self.probe(probe, endpoint, timeout),
            Action::Open { conn, endpoint, timeout } => self.open(conn, endpoint, timeout),
            Action::Ping { conn, ping } => self.ping(conn, ping),
            Action::Activate { conn, handover } => self.activate(conn, handover),
            Action::Close { conn, overlap, drain } if overlap.is_zero() && drain.is_zero() => self.kill(conn),
            Action::Close { conn, overlap, drain } => self.retire(conn, overlap, drain),
            Action::Notify(notice) => self.announce(notice),
        }
    }

    /// Tells whoever listens.
    pub(super) fn announce(&mut self, notice: Notice) {
        events::emit(&notice);
        self.health_checks_noticed(&notice.kind);
        if matches!(notice.kind, NoticeKind::CredentialsRefused { .. }) {
            self.progress.credentials_refused();
        }
        if let Some(entry) = home::found_by(&notice.kind).and_then(|conn| self.links.get(&conn)) {
            let cluster = entry.link.client().try_server_info().and_then(|info| info.cluster);
            let nearest = lock(&self.selector).home_clusters();
            if let Some(cluster) = cluster {
                self.hub.home.is_at(cluster, &nearest);
            }
            self.hub.home.is_among(nearest);
        }
        let complete = lock(&self.observed.history).noticed(&notice);
        // Nobody may be listening.
        let _ = self.notices.send(notice);
        self.move_complete(complete);
    }

    pub(super) fn move_complete(&self, it: Option<Move>) {
        let Some(it) = it else { return };
        events::move_completed(&it);
        #[cfg(feature = "metrics")]
        self.exporter.moved(&it);
    }

    fn probe(&mut self, probe: ProbeId, endpoint: EndpointId, limit: Duration) {
        let Some(target) = self.endpoints.target(endpoint) else { return };
        let (sessions, observed) = (Arc::clone(&self.settings.sessions), Arc::clone(&self.observed));
        observed.probes.fetch_add(1, Ordering::Relaxed);
        let span = span!(PROBE_SPAN, address = %target.address);
        let probing = async move {
            let result = prober::probe(&target, &sessions, limit, &observed.probe_bytes).await;
            Done::Probed { probe, endpoint, result }
        };
        self.tasks.spawn(probing.instrument(span));
    }

    fn open(&mut self, conn: ConnId, endpoint: EndpointId, limit: Duration) {
        let Some(target) = self.endpoints.target(endpoint) else {
            return self.tell(Event::OpenFailed { conn, error: OpenError::Other("no longer known".into()) });
        };
        let (settings, reporter) = (self.settings.clone(), self.reporter.clone());
        let span = span!(DIAL_SPAN, %conn, address = %target.address);
        let dialling = async move {
            let result = link::open(conn, &target, &settings, limit, reporter).await;
            Done::Opened { conn, endpoint, result }
        };
        self.dials.insert(conn, self.tasks.spawn(dialling.instrument(span)));
    }

    fn ping(&mut self, conn: ConnId, ping: PingId) {
        let Some(entry) = self.links.get_mut(&conn) else { return };
        entry.pings += 1;
        self.observed.pings.fetch_add(1, Ordering::Relaxed);
        entry.traffic = entry.link.traffic();
        let link = Arc::clone(&entry.link);
        self.tasks.spawn(async move { Done::Pong { conn, ping, result: link.round_trip().await } });
    }

    fn activate(&mut self, conn: ConnId, handover: Handover) {
        let Some(entry) = self.links.get(&conn) else {
            return self.tell(Event::ActivateFailed { conn });
        };
        let (hub, link) = (Arc::clone(&self.hub), Arc::clone(&entry.link));
        hub.aim_at(conn);
        lock(&self.observed.history).activating(conn, self.clock.now());
        let span = span!(ACTIVATE_SPAN, %conn, ?handover);
        let checks = self.health_checks_before(conn, handover);
        let activating = async move {
            if let Some((checks, place)) = checks
                && let Err(why) = checks.pass(&link, place).await
            {
                return Done::Unhealthy { conn, why };
            }
            Done::Activated { conn, result: handover::activate(hub, link, handover).await }
        };
        self.tasks.spawn(activating.instrument(span));
    }

    fn retire(&mut self, conn: ConnId, overlap: Duration, drain: Duration) {
        let Some(entry) = self.links.get(&conn) else { return self.kill(conn) };
        let (hub, link) = (Arc::clone(&self.hub), Arc::clone(&entry.link));
        let span = span!(RETIRE_SPAN, %conn);
        let retiring = async move {
            handover::retire(hub, link, overlap, drain).await;
            Done::Retired { conn }
        };
        self.tasks.spawn(retiring.instrument(span));
    }

    /// Ends a link, or the attempt to open one, at once.
    pub(super) fn kill(&mut self, conn: ConnId) {
        if let Some(dial) = self.dials.remove(&conn) {
            dial.abort();
        }
        if let Some(entry) = self.links.remove(&conn) {
            entry.link.kill();
            self.hub.detach(conn);
        }
        self.tell(Event::Closed { conn, cause: Cause::Requested });
    }
}
