//! Notices as `tracing` events. Their names are documented in the module above.

use std::time::Duration;

use tracing::Level;

use super::Move;
use crate::core::{Notice, NoticeKind, Place};

/// Of all spans and events of the native client.
pub(crate) const TARGET: &str = "nats_geo";

/// An event about a place.
macro_rules! at_place {
    ($level:ident, $name:literal, $notice:expr, $place:expr $(, $field:ident = $value:expr)*) => {{
        let Place { conn, region, server, address, .. } = $place;
        tracing::event!(
            name: $name, target: TARGET, Level::$level,
            at = %$notice.at, %conn, %region, server = server.as_deref(), %address, $($field = $value,)*
            "{}", $notice.kind
        );
    }};
}

/// Tells it to whoever collects.
pub(crate) fn emit(notice: &Notice) {
    let Notice { at, kind } = notice;
    match kind {
        NoticeKind::Connected(place) => at_place!(INFO, "nats_geo.connected", notice, place),
        NoticeKind::Dialing(place) => at_place!(DEBUG, "nats_geo.dialing", notice, place),
        NoticeKind::Opened(place) => at_place!(DEBUG, "nats_geo.opened", notice, place),
        NoticeKind::OpenFailed { place, error } => {
            at_place!(WARN, "nats_geo.open_failed", notice, place, error = display(error));
        }
        NoticeKind::Suspected(place) => at_place!(WARN, "nats_geo.suspected", notice, place),
        NoticeKind::Cleared(place) => at_place!(INFO, "nats_geo.cleared", notice, place),
        NoticeKind::Lost { place, .. } => at_place!(WARN, "nats_geo.lost", notice, place),
        NoticeKind::LameDuck(place) => at_place!(INFO, "nats_geo.lame_duck", notice, place),
        NoticeKind::Useless { place, why } => {
            at_place!(WARN, "nats_geo.useless", notice, place, why = why);
        }
        NoticeKind::NothingBetter(place) => at_place!(WARN, "nats_geo.nothing_better", notice, place),
        NoticeKind::Moved { from, to, cause, overlap } => at_place!(
            INFO,
            "nats_geo.moved",
            notice,
            to,
            from_region = display(&from.region),
            from_address = display(&from.address),
            cause = cause.name(),
            overlap = *overlap
        ),
        NoticeKind::StandbyReady(place) => at_place!(INFO, "nats_geo.standby_ready", notice, place),
        NoticeKind::Damped { region, until } => tracing::event!(
            name: "nats_geo.damped", target: TARGET, Level::WARN, %at, %region, %until, "{kind}"
        ),
        NoticeKind::OtherCluster { address, .. } => tracing::event!(
            name: "nats_geo.other_cluster", target: TARGET, Level::WARN, %at, address, "{kind}"
        ),
        NoticeKind::LabelContradicted { address, .. } => tracing::event!(
            name: "nats_geo.label_contradicted", target: TARGET, Level::WARN, %at, address, "{kind}"
        ),
        NoticeKind::CredentialsRefused { .. } => {
            tracing::event!(name: "nats_geo.credentials_refused", target: TARGET, Level::WARN, %at, "{kind}");
        }
        NoticeKind::Offline => {
            tracing::event!(name: "nats_geo.offline", target: TARGET, Level::WARN, %at, "{kind}");
        }
        NoticeKind::BreakBeforeMake(place) => {
            at_place!(WARN, "nats_geo.break_before_make", notice, place);
        }
        NoticeKind::Resumed => {
            tracing::event!(name: "nats_geo.stalled", target: TARGET, Level::INFO, %at, "{kind}");
        }
        NoticeKind::SubscriptionRefused { subject, why } => tracing::event!(
            name: "nats_geo.subscription_refused", target: TARGET, Level::WARN, %at, subject, why, "{kind}"
        ),
        NoticeKind::PublishRefused { subject, why } => tracing::event!(
            name: "nats_geo.publish_refused", target: TARGET, Level::WARN, %at, subject, why, "{kind}"
        ),
        NoticeKind::SlowConsumer { subject } => tracing::event!(
            name: "nats_geo.slow_consumer", target: TARGET, Level::WARN, %at, subject, "{kind}"
        ),
        NoticeKind::StreamBeganAgain { stream, last_sequence } => tracing::event!(
            name: "nats_geo.stream_began_again", target: TARGET, Level::WARN, %at, stream, last_sequence, "{kind}"
        ),
        NoticeKind::Unreadable { subject, why, is_left_out } => tracing::event!(
            name: "nats_geo.unreadable", target: TARGET, Level::WARN, %at, subject, why, is_left_out, "{kind}"
        ),
        NoticeKind::ResolverFailed { name, why, .. } => tracing::event!(
            name: "nats_geo.resolver_failed", target: TARGET, Level::WARN, %at, name, error = why, "{kind}"
        ),
        NoticeKind::ResolverRecovered { name } => tracing::event!(
            name: "nats_geo.resolver_recovered", target: TARGET, Level::INFO, %at, name, "{kind}"
        ),
    }
}

/// A move is complete.
pub(crate) fn resumed_on(it: &Move) {
    let Move { to, cause, phases, .. } = it;
    let millis = |phase: Option<Duration>| phase.map(|phase| phase.as_secs_f64() * 1e3);
    tracing::event!(
        name: "nats_geo.resumed_on", target: TARGET, Level::INFO,
        region = %to.region, server = to.server.as_deref(), address = %to.address, cause = cause.name(),
        detect_ms = millis(phases.detect), select_ms = millis(phases.select),
        connect_ms = millis(phases.connect), resume_ms = millis(phases.resume),
        "{} has all subscriptions", to.region
    );
}

#[cfg(test)]
mod tests {
    /// What the table in the documentation names, and what the code emits.
    #[test]
    fn every_name_is_documented_and_every_documented_name_is_emitted() {
        let sources = [
            include_str!("events.rs"),
            include_str!("decision_log.rs"),
            include_str!("../driver/mod.rs"),
            include_str!("../driver/handover.rs"),
            include_str!("../driver/perform.rs"),
            include_str!("../dns/lookup.rs"),
            include_str!("../jetstream/publish.rs"),
            include_str!("../link/watch_end.rs"),
            include_str!("../options/start.rs"),
            include_str!("../service/discovery.rs"),
            #[cfg(feature = "metrics")]
            include_str!("export.rs"),
        ];
        let quoted = |text: &'static str, quote: char| {
            let parts = text.split(quote).skip(1).step_by(2);
            parts.filter(|part| is_name(part)).collect::<Vec<_>>()
        };
        let documented: Vec<_> =
            include_str!("mod.rs").lines().filter(|line| line.starts_with("//! |")).collect();
        let documented: Vec<_> = documented.into_iter().flat_map(|line| quoted(line, '`')).collect();
        let emitted: Vec<_> =
            sources.into_iter().flat_map(|text| text.lines()).flat_map(|line| quoted(line, '"')).collect();
        assert!(emitted.len() > 25, "{emitted:?}");
        for name in &emitted {
            assert!(documented.contains(name), "{name} is not in the table");
        }
        for name in documented.iter().filter(|name| cfg!(feature = "metrics") || name.contains('.')) {
            assert!(emitted.contains(name), "{name} is in the table, but nobody emits it");
        }
    }

    fn is_name(text: &str) -> bool {
        let rest = text.strip_prefix("nats_geo.").or_else(|| text.strip_prefix("nats_geo_"));
        rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    }
}
