//! The state that an application can read: counters, INFO, ranking, and memory.

use nats_geo::core::{RankedServer, Reason, ServerRef, Snapshot, Time};
use nats_geo::wire::{Info, Msg};

use super::json::Object;
use super::{Engine, Phase};

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    in_msgs: u64,
    in_bytes: u64,
    pub(super) out_msgs: u64,
    pub(super) out_bytes: u64,
    pub(super) discarded: u64,
    pub(super) unconfirmed: u64,
    pub(super) resent: u64,
    /// Publishes that a server refused because the account may not send them.
    pub(super) denied: u64,
    pub(super) moves: u64,
}

impl Counters {
    /// Publishes that were lost, or may have been.
    pub(super) const fn lost(&self) -> u64 {
        self.discarded + self.unconfirmed
    }

    pub(super) fn received(&mut self, message: &Msg<'_>) {
        self.in_msgs += 1;
        self.in_bytes += (message.payload.len() + message.headers.map_or(0, <[u8]>::len)) as u64;
    }
}

impl Engine {
    /// Returns the counters since the start, as JSON.
    #[must_use]
    pub fn stats(&self) -> String {
        let Counters {
            in_msgs,
            in_bytes,
            out_msgs,
            out_bytes,
            discarded,
            unconfirmed,
            resent,
            denied,
            moves,
        } = self.counters;
        let counts = [
            ("in_msgs", in_msgs),
            ("in_bytes", in_bytes),
            ("out_msgs", out_msgs),
            ("out_bytes", out_bytes),
            ("discarded", discarded),
            ("unconfirmed", unconfirmed),
            ("resent", resent),
            ("denied", denied),
            // The first link is no move.
            ("moves", moves.saturating_sub(1)),
        ];
        counts.into_iter().fold(Object::new(), |object, (name, count)| object.number(name, count)).finish()
    }

    /// Returns the INFO of the server of the live link; `None` while the client is offline.
    #[must_use]
    pub fn info(&self) -> Option<&Info> {
        self.live.and_then(|live| self.links.get(&live)).map(|link| &*link.info)
    }

    /// Returns fields of [`info`](Self::info) as JSON.
    #[must_use]
    pub fn info_json(&self) -> Option<String> {
        let info = self.info()?;
        let object = Object::new()
            .text("server_id", &info.server_id)
            .text("server_name", &info.server_name)
            .text("version", &info.version)
            .maybe(info.cluster.as_deref(), |object, cluster| object.text("cluster", cluster))
            .number("proto", info.proto.into())
            .bool("headers", info.headers)
            .bool("jetstream", info.jetstream)
            .bool("auth_required", info.auth_required)
            .bool("ldm", info.lame_duck)
            .number("max_payload", info.max_payload as u64)
            .number("client_id", info.client_id)
            .text("client_ip", &info.client_ip);
        Some(object.finish())
    }

    /// Returns the distances that this client has measured, as JSON, for the next client of this browser.
    #[must_use]
    pub fn memory(&self) -> String {
        self.endpoints.memory().to_json()
    }

    /// Returns the state and the ranking as JSON: the regions, best first, with the reason for each rank.
    #[must_use]
    pub fn snapshot(&self, now: Time) -> String {
        let snapshot = self.selector.snapshot(now);
        let state = match self.phase {
            Phase::New => "new",
            Phase::Connecting { .. } => "connecting",
            Phase::Running if self.live.is_none() => "offline",
            Phase::Running => "live",
            Phase::Draining(_) => "draining",
            Phase::Closed => "closed",
        };
        Object::new()
            .millis("at_ms", snapshot.at.since_start())
            .text("state", state)
            .bool("suspect", snapshot.suspect)
            .maybe(snapshot.active.as_ref(), |object, at| object.object("live", place(at)))
            .maybe(snapshot.standby.as_ref(), |object, at| object.object("standby", place(at)))
            .objects("regions", regions(&snapshot))
            .finish()
    }
}

/// Regions in the order of their best servers.
fn regions(snapshot: &Snapshot) -> Vec<Object> {
    let mut names: Vec<&str> = Vec::new();
    for server in &snapshot.ranking {
        if !names.contains(&server.region.as_str()) {
            names.push(server.region.as_str());
        }
    }
    let region = |name: &str| {
        let servers: Vec<_> =
            snapshot.ranking.iter().filter(|server| server.region.as_str() == name).collect();
        let nearest = servers.iter().filter_map(|server| server.base_rtt).min();
        Object::new()
            .text("name", name)
            .maybe(nearest, |object, rtt| object.millis("rtt_ms", rtt))
            .maybe(servers.first(), |object, first| reason(object, &first.reason))
            .objects("servers", servers.iter().map(|it| server(it)))
    };
    names.into_iter().map(region).collect()
}

fn server(server: &RankedServer) -> Object {
    let object = Object::new()
        .text("address", &server.address)
        .maybe(server.server.as_deref(), |object, name| object.text("name", name))
        .maybe(server.base_rtt, |object, rtt| object.millis("rtt_ms", rtt));
    reason(object, &server.reason)
}

fn reason(object: Object, reason: &Reason) -> Object {
    match reason {
        Reason::Nearest => object.text("reason", "nearest"),
        Reason::Tied { behind } => object.text("reason", "tied").millis("behind_ms", *behind),
        Reason::Farther { behind } => object.text("reason", "farther").millis("behind_ms", *behind),
        Reason::Damped { until } => object.text("reason", "damped").millis("until_ms", until.since_start()),
        Reason::Connected => object.text("reason", "connected"),
        Reason::CredentialsRefused { .. } => object.text("reason", "credentialsRefused"),
        Reason::Unhealthy => object.text("reason", "unhealthy"),
        Reason::LameDuck => object.text("reason", "lameDuck"),
        _ => object.text("reason", "unmeasured"),
    }
}

/// A link and where it leads.
pub(super) fn place(place: &ServerRef) -> Object {
    Object::new()
        .text("region", place.region.as_str())
        .text("address", &place.address)
        .maybe(place.server.as_deref(), |object, name| object.text("server", name))
}
