//! Notices for applications, as JSON: `type`, `at_ms`, `text`, and the other fields of the type.
//!
//! The types are the names of [`nats_geo::core::vocabulary`]. If nats-core has another name for the event, a second
//! notice with this name follows, for code that was written for nats-core.

use std::time::Duration;

use nats_geo::core::{EndpointId, Notice, NoticeKind, ServerIdentity, ServerRef, Time, vocabulary};
use nats_geo::wire::Complaint;

use super::json::Object;
use super::link::SocketId;
use super::view::place;
use super::{Code, Effect, Engine, Phase};

impl Engine {
    pub(super) fn notify(&mut self, notice: &Notice) {
        let kind = &notice.kind;
        let text = kind.to_string();
        self.push_notice(described(kind.camel_name(), notice, &text));
        let is_for_nats_core = match kind {
            NoticeKind::Lost { place, .. } => self.active.take_if(|active| *active == place.conn).is_some(),
            _ => true,
        };
        if let Some(name) = kind.nats_core_type().filter(|_| is_for_nats_core) {
            self.push_notice(described(name, notice, &text));
        }
        match kind {
            NoticeKind::Connected(to) | NoticeKind::Moved { to, .. } => self.active = Some(to.conn),
            // While no link has been live yet, nothing is lost with the client.
            NoticeKind::CredentialsRefused { .. }
                if matches!(self.phase, Phase::Connecting { .. }) && !self.options.retry_initial_connect =>
            {
                let (code, why) = self.last_failure.clone().unwrap_or((Code::Authorization, text));
                self.close_with(Some(code), Some(why));
            }
            _ => {}
        }
    }

    pub(super) fn notify_probe(&mut self, endpoint: EndpointId, rtt: Duration, identity: &ServerIdentity) {
        let url = self.endpoints.shown(endpoint);
        let object = self
            .notice(const { vocabulary::PROBE.camel_name }, const { vocabulary::PROBE.text_example })
            .text("url", &url)
            .text("server", &identity.server_name)
            .maybe(identity.cluster.as_deref(), |object, cluster| object.text("cluster", cluster))
            .millis("rtt_ms", rtt);
        self.push_notice(object);
    }

    /// `-ERR` on a link that is live.
    pub(super) fn notify_error(&mut self, socket: SocketId, text: &str) {
        let code = match Complaint::of(text) {
            Complaint::Permissions => Code::PermissionViolation,
            Complaint::Credentials => Code::Authorization,
            _ if text.starts_with("Slow Consumer") => Code::SlowConsumer,
            _ => Code::Protocol,
        };
        let live = self.live == Some(socket);
        let object = self.notice(ERROR, text).number("code", code.number().into()).bool("live", live);
        self.push_notice(
            object.maybe(text.split('"').nth(1), |object, subject| object.text("subject", subject)),
        );
    }

    /// A subscription has ended, because servers refuse it. Only its own reader gets these.
    pub(super) fn notify_refused(&mut self, sid: u32, subject: &str, code: Code, text: &str) {
        for name in [const { vocabulary::SUBSCRIPTION_REFUSED.camel_name }, ERROR] {
            let object =
                self.notice(name, text).number("code", code.number().into()).text("subject", subject);
            self.push_notice(object.number("sid", sid.into()));
        }
    }

    /// A server does not permit to publish there. nats-core's own notice follows: [`notify_error`](Self::notify_error).
    pub(super) fn notify_publish_refused(&mut self, subject: &str, text: &str) {
        let object = self.notice(const { vocabulary::PUBLISH_REFUSED.camel_name }, text);
        self.push_notice(object.text("subject", subject));
    }

    /// Publishes are lost, and we know it. They are noticed at once, and then together from time to time.
    pub(super) fn discarded(&mut self, messages: u64, why: &'static str) {
        if messages == 0 {
            return;
        }
        self.counters.discarded += messages;
        self.losses.unnoticed += messages;
        self.losses.why = why;
        if self.losses.noticed_at.is_none_or(|at| self.now.since(at) >= LOSSES_TOGETHER) {
            self.notice_losses();
        }
    }

    /// Notices the losses that have not been noticed yet.
    pub(super) fn notice_losses(&mut self) {
        let messages = std::mem::take(&mut self.losses.unnoticed);
        if messages > 0 {
            self.losses.noticed_at = Some(self.now);
            let object = self.notice(const { vocabulary::DISCARDED.camel_name }, self.losses.why);
            let object = object.number("messages", messages);
            self.push_notice(object);
        }
    }

    fn notice(&self, kind: &str, text: &str) -> Object {
        Object::new().text("type", kind).millis("at_ms", self.now.since_start()).text("text", text)
    }

    /// When nobody takes effects, notices are what may be dropped.
    fn push_notice(&mut self, object: Object) {
        if self.effects.len() < EFFECTS_MAX {
            self.effects.push_back(Effect::Notice(object.finish()));
        }
    }
}

/// Publishes that were lost.
#[derive(Debug, Default)]
pub(super) struct Losses {
    unnoticed: u64,
    why: &'static str,
    noticed_at: Option<Time>,
}

/// Who publishes all the time loses all the time while nothing is live.
const LOSSES_TOGETHER: Duration = Duration::from_secs(1);

/// While this much waits for the driver, nothing more is noticed.
const EFFECTS_MAX: usize = 4_096;

/// nats-core's name for whatever goes wrong.
const ERROR: &str = "error";

/// A notice under a name: its own, or nats-core's.
fn described(name: &str, notice: &Notice, text: &str) -> Object {
    let object = Object::new().text("type", name).millis("at_ms", notice.at.since_start()).text("text", text);
    match &notice.kind {
        NoticeKind::Moved { from, to, cause, overlap } => object
            .object("from", place(from))
            .object("to", place(to))
            .text("cause", cause.camel_name())
            .bool("planned", cause.is_planned())
            .bool("overlap", *overlap),
        NoticeKind::Damped { region, until } => {
            object.text("region", region.as_str()).millis("until_ms", until.since_start())
        }
        kind => object.maybe(place_of(kind), |object, at| object.object("place", place(at))),
    }
}

/// Where it happened, if that is one server.
const fn place_of(kind: &NoticeKind) -> Option<&ServerRef> {
    match kind {
        NoticeKind::Connected(place)
        | NoticeKind::Dialing(place)
        | NoticeKind::Opened(place)
        | NoticeKind::OpenFailed { place, .. }
        | NoticeKind::Suspected(place)
        | NoticeKind::Cleared(place)
        | NoticeKind::Lost { place, .. }
        | NoticeKind::LameDuck(place)
        | NoticeKind::StandbyReady(place)
        | NoticeKind::BreakBeforeMake(place) => Some(place),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nats_geo::core::vocabulary::{CAUSES, Client, EVENTS};

    /// The names in a union of strings of the type declarations.
    fn union(name: &str) -> BTreeSet<&'static str> {
        let declarations = include_str!("../../js/types/status.d.ts");
        let (_, rest) = declarations.split_once(&format!("export type {name} =")).unwrap();
        rest.split(';').next().unwrap().split('"').skip(1).step_by(2).collect()
    }

    #[test]
    fn the_type_declarations_have_the_names_of_the_vocabulary() {
        let ours = EVENTS.iter().filter(|event| event.client != Client::Native);
        let names: BTreeSet<_> = ours.clone().map(|event| event.camel_name).collect();
        assert_eq!(union("StatusType"), names);
        let of_nats_core: BTreeSet<_> = ours.filter_map(|event| event.nats_core_type).collect();
        assert!(of_nats_core.is_subset(&union("NatsCoreStatusType")), "{of_nats_core:?}");
        let causes: BTreeSet<_> = CAUSES.iter().map(|cause| cause.camel_name).collect();
        assert_eq!(union("MoveCause"), causes);
    }
}
