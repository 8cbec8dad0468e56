//! What users are told unasked, as JSON: `type`, `at_ms`, `text` and what else the type has.

use std::time::Duration;

use nats_geo::core::{EndpointId, MoveCause, Notice, NoticeKind, Place, ServerIdentity, Time};
use nats_geo::wire::Complaint;

use super::json::Object;
use super::link::SocketId;
use super::view::place;
use super::{Code, Effect, Engine, Phase};

impl Engine {
    pub(super) fn notify(&mut self, notice: &Notice) {
        let text = notice.kind.to_string();
        let (name, at) = named(&notice.kind);
        let object = Object::new()
            .text("type", name)
            .millis("at_ms", notice.at.since_start())
            .text("text", &text)
            .maybe(at, |object, at| object.object("place", place(at)));
        match &notice.kind {
            NoticeKind::Moved { from, to, cause, overlap } => {
                let object = object
                    .object("from", place(from))
                    .object("to", place(to))
                    .text("cause", cause_name(*cause))
                    .bool("planned", cause.is_planned())
                    .bool("overlap", *overlap);
                self.push_notice(object);
                if from.region != to.region {
                    let object = self.notice("region", &text);
                    self.push_notice(
                        object.text("from", from.region.as_str()).text("to", to.region.as_str()),
                    );
                }
            }
            NoticeKind::Damped { region, until } => {
                let object = object.text("region", region.as_str());
                self.push_notice(object.millis("until_ms", until.since_start()));
            }
            NoticeKind::CredentialsRefused { .. } => {
                self.push_notice(object);
                // While no link has been live yet, nothing is lost with the client.
                if matches!(self.phase, Phase::Connecting { .. }) && !self.options.retry_initial_connect {
                    let (code, why) = self.last_failure.clone().unwrap_or((Code::Authorization, text));
                    self.close_with(Some(code), Some(why));
                }
            }
            _ => self.push_notice(object),
        }
    }

    pub(super) fn notify_probe(&mut self, endpoint: EndpointId, rtt: Duration, identity: &ServerIdentity) {
        let url = self.endpoints.shown(endpoint);
        let object = self
            .notice("probe", "a server was measured")
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
        let object = self.notice("error", text).number("code", code.number().into()).bool("live", live);
        self.push_notice(
            object.maybe(text.split('"').nth(1), |object, subject| object.text("subject", subject)),
        );
    }

    /// A subscription has ended, because servers refuse it.
    pub(super) fn notify_refused(&mut self, sid: u32, subject: &str, code: Code, text: &str) {
        let object = self.notice("error", text).number("code", code.number().into()).text("subject", subject);
        self.push_notice(object.number("sid", sid.into()));
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
            let object = self.notice("discarded", self.losses.why).number("messages", messages);
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

/// The type of a notice, and where, if that is one place.
const fn named(kind: &NoticeKind) -> (&'static str, Option<&Place>) {
    match kind {
        NoticeKind::Connected(place) => ("connect", Some(place)),
        NoticeKind::Dialing(place) => ("dialing", Some(place)),
        NoticeKind::Opened(place) => ("open", Some(place)),
        NoticeKind::OpenFailed { place, .. } => ("openFailed", Some(place)),
        NoticeKind::Suspected(place) => ("suspected", Some(place)),
        NoticeKind::Cleared(place) => ("cleared", Some(place)),
        NoticeKind::Lost { place, .. } => ("disconnect", Some(place)),
        NoticeKind::LameDuck(place) => ("ldm", Some(place)),
        NoticeKind::StandbyReady(place) => ("standby", Some(place)),
        NoticeKind::BreakBeforeMake(place) => ("breakBeforeMake", Some(place)),
        NoticeKind::Moved { .. } => ("reconnect", None),
        NoticeKind::Damped { .. } => ("damped", None),
        NoticeKind::OtherCluster { .. } => ("otherCluster", None),
        NoticeKind::LabelContradicted { .. } => ("labelContradicted", None),
        NoticeKind::CredentialsRefused { .. } => ("credentialsRefused", None),
        NoticeKind::Offline => ("offline", None),
        NoticeKind::Stalled => ("resumed", None),
        _ => ("other", None),
    }
}

const fn cause_name(cause: MoveCause) -> &'static str {
    match cause {
        MoveCause::Suspicion => "suspicion",
        MoveCause::ServerLost => "serverLost",
        MoveCause::RegionLost => "regionLost",
        MoveCause::Recovered => "recovered",
        MoveCause::LameDuck => "lameDuck",
        MoveCause::FailBack => "failBack",
        MoveCause::Faster => "faster",
        MoveCause::Requested => "requested",
        _ => "other",
    }
}
