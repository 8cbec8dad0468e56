//! The snapshot of the state, and small functions that every part of the selector uses.

use std::time::Duration;

use super::super::connect::Lane;
use super::super::rank::{Context, Ranking, RegionOrder};
use super::super::watch::Watch;
use super::super::{
    Action, ConnId, EndpointId, Notice, NoticeKind, RankedServer, Region, ServerRef, Snapshot, Time,
};
use super::due::ACTIONS_MAX;
use super::{Link, LinkState, Selector};

impl Selector {
    /// Returns the state at `now`: the active server, and the ranking with the reason for each rank.
    pub fn snapshot(&self, now: Time) -> Snapshot {
        let now = now.max(self.now);
        let ranking = self.ranking_at(now);
        let suspect = self
            .active
            .and_then(|active| self.links.get(&active))
            .is_some_and(|link| link.watch.is_suspect());
        let server = |(region, ranked): (&Region, &super::super::rank::Ranked)| {
            let record = self.roster.get(ranked.endpoint)?;
            Some(RankedServer {
                address: record.address().to_owned(),
                server: record.server_name().map(Into::into),
                region: region.clone(),
                base_rtt: ranked.base,
                shared: record.is_shared(),
                reason: ranked.reason.clone(),
            })
        };
        Snapshot {
            at: now,
            active: self.active.and_then(|active| self.place(active)),
            standby: self.standby_conn().and_then(|standby| self.place(standby)),
            suspect,
            ranking: ranking.servers().filter_map(server).collect(),
        }
    }

    /// Returns the ranking at `now` as endpoints, best first, each server once. The result has the order of
    /// [`snapshot`](Self::snapshot), without names and reasons.
    pub fn ranked_endpoints(&self, now: Time) -> Vec<EndpointId> {
        let now = now.max(self.now);
        let ranking = self.ranking_at(now);
        ranking.servers().map(|(_, server)| server.endpoint).collect()
    }

    pub(super) fn ranking(&self) -> Ranking {
        self.ranking_at(self.now)
    }

    /// Of the ranking only the order of the regions.
    pub(super) fn region_order(&self) -> RegionOrder {
        RegionOrder::of(&self.roster, &self.rank_context(self.now))
    }

    fn ranking_at(&self, now: Time) -> Ranking {
        Ranking::of(&self.roster, &self.rank_context(now))
    }

    fn rank_context(&self, now: Time) -> Context<'_> {
        let Self { damping, unhealthy, refusing, config, client, .. } = self;
        let active = self.active.and_then(|active| self.links.get(&active));
        let live = active.filter(|link| !link.watch.is_suspect());
        let live = live.and_then(|link| self.roster.get(link.endpoint)?.fingerprint());
        Context { damping, unhealthy, refusing, live, config, client: *client, now }
    }

    pub(super) fn place(&self, conn: ConnId) -> Option<ServerRef> {
        let Link { endpoint, peer, .. } = self.links.get(&conn)?;
        let record = self.roster.get(*endpoint)?;
        let server = peer.as_ref().map(|peer| peer.server.as_str()).or_else(|| record.server_name());
        Some(ServerRef {
            conn,
            endpoint: *endpoint,
            address: record.address().to_owned(),
            server: server.filter(|name| !name.is_empty()).map(Into::into),
            region: self.region_of(conn)?.clone(),
        })
    }

    /// As its label says, else its server, else what is known of its endpoint.
    pub(super) fn region_of(&self, conn: ConnId) -> Option<&Region> {
        let Link { endpoint, peer, .. } = self.links.get(&conn)?;
        let record = self.roster.get(*endpoint)?;
        let said = peer.as_ref().filter(|_| !record.has_label()).map(|peer| &peer.region);
        Some(said.unwrap_or_else(|| self.roster.region_of(record)))
    }

    pub(super) fn set_active(&mut self, conn: ConnId) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.state = LinkState::Active;
        }
        self.active = Some(conn);
        self.review_is_stale();
        self.active_since = self.now;
        self.stranded = false;
        self.give_back_room();
    }

    /// The room that a start or a race took.
    fn give_back_room(&mut self) {
        self.roster.shrink_to_fit();
        self.prober.shrink_to_fit();
        self.links.shrink_to_fit();
    }

    pub(super) fn open(&mut self, endpoint: EndpointId, state: fn(Time) -> LinkState) -> ConnId {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        let timeout = self.config.dial.timeout;
        // The driver reports a time-out itself; this one is for a driver that does not.
        let state = state(self.now + timeout.saturating_mul(2));
        let watch = Watch::new(None, self.now);
        self.links.insert(conn, Link { endpoint, peer: None, state, watch, lame_duck: false });
        self.push(Action::Open { conn, endpoint, timeout });
        conn
    }

    /// Ends a link at once.
    pub(super) fn close(&mut self, conn: ConnId) {
        self.push(Action::Close { conn, overlap: Duration::ZERO, drain: Duration::ZERO });
    }

    /// Ends a link that carries no traffic.
    pub(super) fn drop_link(&mut self, conn: ConnId) {
        if self.links.remove(&conn).is_some() {
            self.close(conn);
        }
    }

    /// Begins a race, without those that are no longer on offer: a link to such a one may be what is being left.
    pub(super) fn begin_race(&mut self, lanes: Vec<Lane>) {
        self.dialer.race(lanes);
        let roster = &self.roster;
        self.dialer.skip(|candidate| !roster.is_offered(candidate));
    }

    /// Ends the race and the dials that are in flight.
    pub(super) fn stop_race(&mut self) {
        for conn in self.dialer.stop() {
            self.drop_link(conn);
        }
    }

    pub(super) fn push(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Notices are the only actions that may be dropped, when nobody takes them.
    pub(super) fn notify(&mut self, kind: NoticeKind) {
        if self.actions.len() < ACTIONS_MAX {
            self.push(Action::Notify(Notice { at: self.now, kind }));
        }
    }

    pub(super) fn notify_place(&mut self, conn: ConnId, kind: impl FnOnce(ServerRef) -> NoticeKind) {
        if let Some(place) = self.place(conn) {
            self.notify(kind(place));
        }
    }
}
