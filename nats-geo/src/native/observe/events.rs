//! This module sends notices as `tracing` events. Names and levels come from [`crate::core::vocabulary`].

use std::time::Duration;

use super::Move;
use crate::core::{Notice, NoticeKind, ServerRef, vocabulary};

/// The target of all spans and events of the native client.
pub(crate) const TARGET: &str = "nats_geo";

/// Emits a `tracing` event under the name and the level of its row in the vocabulary.
macro_rules! event {
    ($row:ident, $($fields:tt)*) => {
        tracing::event!(
            name: $crate::core::vocabulary::$row.tracing_name,
            target: $crate::native::observe::events::TARGET,
            $crate::native::observe::events::level($crate::core::vocabulary::$row.level),
            $($fields)*
        )
    };
}
pub(crate) use event;

/// Returns a `tracing` span with the name and the level of its row in the vocabulary.
macro_rules! span {
    ($row:ident, $($fields:tt)*) => {
        tracing::span!(
            target: $crate::native::observe::events::TARGET,
            $crate::native::observe::events::level($crate::core::vocabulary::$row.level),
            $crate::core::vocabulary::$row.name,
            $($fields)*
        )
    };
}
pub(crate) use span;

pub(crate) const fn level(level: vocabulary::Level) -> tracing::Level {
    match level {
        vocabulary::Level::Debug => tracing::Level::DEBUG,
        vocabulary::Level::Info => tracing::Level::INFO,
        vocabulary::Level::Warn => tracing::Level::WARN,
        vocabulary::Level::Error => tracing::Level::ERROR,
    }
}

/// Emits a notice about a server.
macro_rules! at_place {
    ($row:ident, $notice:expr, $place:expr $(, $field:ident = $value:expr)*) => {{
        let ServerRef { conn, region, server, address, .. } = $place;
        event!(
            $row, at = %$notice.at, %conn, %region, server = server.as_deref(), %address, $($field = $value,)*
            "{}", $notice.kind
        );
    }};
}

/// Emits a notice for the subscribers of `tracing`.
pub(crate) fn emit(notice: &Notice) {
    let Notice { at, kind } = notice;
    match kind {
        NoticeKind::Connected(place) => at_place!(CONNECTED, notice, place),
        NoticeKind::Dialing(place) => at_place!(DIALING, notice, place),
        NoticeKind::Opened(place) => at_place!(OPENED, notice, place),
        NoticeKind::OpenFailed { place, error } => {
            at_place!(OPEN_FAILED, notice, place, error = tracing::field::display(error));
        }
        NoticeKind::Suspected(place) => at_place!(SUSPECTED, notice, place),
        NoticeKind::Cleared(place) => at_place!(CLEARED, notice, place),
        NoticeKind::Lost { place, .. } => at_place!(LOST, notice, place),
        NoticeKind::LameDuck(place) => at_place!(LAME_DUCK, notice, place),
        NoticeKind::Unhealthy { place, why } => at_place!(UNHEALTHY, notice, place, why = why),
        NoticeKind::NoHealthyAlternative(place) => at_place!(NO_HEALTHY_ALTERNATIVE, notice, place),
        NoticeKind::Moved { from, to, cause, overlap } => at_place!(
            MOVED,
            notice,
            to,
            from_region = tracing::field::display(&from.region),
            from_address = tracing::field::display(&from.address),
            cause = cause.name(),
            overlap = *overlap
        ),
        NoticeKind::StandbyReady(place) => at_place!(STANDBY_READY, notice, place),
        NoticeKind::Damped { region, until } => event!(DAMPED, %at, %region, %until, "{kind}"),
        NoticeKind::OtherCluster { address, .. } => event!(OTHER_CLUSTER, %at, address, "{kind}"),
        NoticeKind::LabelContradicted { address, .. } => event!(LABEL_CONTRADICTED, %at, address, "{kind}"),
        NoticeKind::CredentialsRefused { .. } => event!(CREDENTIALS_REFUSED, %at, "{kind}"),
        NoticeKind::Offline => event!(OFFLINE, %at, "{kind}"),
        NoticeKind::BreakBeforeMake(place) => at_place!(BREAK_BEFORE_MAKE, notice, place),
        NoticeKind::Stalled => event!(STALLED, %at, "{kind}"),
        NoticeKind::SubscriptionRefused { subject, why } => {
            event!(SUBSCRIPTION_REFUSED, %at, subject, why, "{kind}");
        }
        NoticeKind::PublishRefused { subject, why } => event!(PUBLISH_REFUSED, %at, subject, why, "{kind}"),
        NoticeKind::SlowConsumer { subject } => event!(SLOW_CONSUMER, %at, subject, "{kind}"),
        NoticeKind::StreamReset { stream, last_sequence } => {
            event!(STREAM_RESET, %at, stream, last_sequence, "{kind}");
        }
        NoticeKind::UnreadableMessage { subject, why, is_left_out } => {
            event!(UNREADABLE_MESSAGE, %at, subject, why, is_left_out, "{kind}");
        }
        NoticeKind::ResolverFailed { name, why, .. } => {
            event!(RESOLVER_FAILED, %at, name, error = why, "{kind}");
        }
        NoticeKind::ResolverRecovered { name } => event!(RESOLVER_RECOVERED, %at, name, "{kind}"),
    }
}

/// Emits that a move is complete.
pub(crate) fn move_completed(it: &Move) {
    let Move { to, cause, phases, .. } = it;
    let millis = |phase: Option<Duration>| phase.map(|phase| phase.as_secs_f64() * 1e3);
    event!(
        MOVE_COMPLETED, region = %to.region, server = to.server.as_deref(), address = %to.address, cause = cause.name(),
        detect_ms = millis(phases.detect), select_ms = millis(phases.select),
        connect_ms = millis(phases.connect), resume_ms = millis(phases.resume),
        "{} has all subscriptions", to.region
    );
}

#[cfg(test)]
mod tests;
