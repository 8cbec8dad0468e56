//! Tests that the client emits notices as the vocabulary says: name, level, fields and text.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span;
use tracing::subscriber::with_default;

use super::*;
use crate::core::vocabulary::{Client, EVENTS, EventInfo};
use crate::core::{Cause, ConnId, EndpointId, MoveCause, OpenError, Region, Time};
use crate::native::observe::{Peer, Phases};

/// An event as a subscriber of `tracing` sees it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Seen {
    name: String,
    level: String,
    fields: BTreeSet<String>,
    message: String,
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Seen>>>);

impl tracing::Subscriber for Collector {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let metadata = event.metadata();
        let mut seen = Seen {
            name: metadata.name().to_owned(),
            level: metadata.level().to_string().to_lowercase(),
            fields: metadata.fields().iter().map(|field| field.name().to_owned()).collect(),
            message: String::new(),
        };
        event.record(&mut seen);
        self.0.lock().unwrap().push(seen);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The one event that is emitted meanwhile.
fn seen(emit: impl FnOnce()) -> Seen {
    let collector = Collector::default();
    with_default(collector.clone(), emit);
    let seen = collector.0.lock().unwrap().clone();
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen[0].clone()
}

/// An event as the vocabulary describes it.
fn promised(info: &EventInfo, is_notice: bool) -> Seen {
    let always = if is_notice { ["message", "at"].as_slice() } else { &["message"] };
    Seen {
        name: info.tracing_name.to_owned(),
        level: info.level.name().to_owned(),
        fields: info.fields.iter().chain(always).map(|field| (*field).to_owned()).collect(),
        message: info.text_example.to_owned(),
    }
}

#[test]
fn each_notice_is_emitted_as_its_row_says() {
    let samples = samples();
    for kind in &samples {
        let notice = Notice { at: Time::ZERO, kind: kind.clone() };
        assert_eq!(seen(|| emit(&notice)), promised(kind.info(), true));
        assert_eq!((kind.name(), kind.camel_name()), (kind.info().name, kind.info().camel_name));
    }
    let listed: Vec<_> =
        EVENTS.iter().filter(|event| event.variant.is_some()).map(|event| event.name).collect();
    assert_eq!(
        samples.iter().map(NoticeKind::name).collect::<Vec<_>>(),
        listed,
        "a sample of each, in the same order"
    );
}

#[test]
fn the_end_of_a_move_is_emitted_as_its_row_says() {
    let (from, to) = (Peer::from(&place("lon", "lon-1")), Peer::from(&place("ams", "ams-3")));
    let it = Move { at: Time::ZERO, from, to, cause: MoveCause::RegionLost, phases: Phases::default() };
    assert_eq!(seen(|| move_completed(&it)), promised(&vocabulary::MOVE_COMPLETED, false));
}

/// Notices are emitted by [`emit`], whose `match` is exhaustive. The others are emitted where they happen.
#[test]
fn each_event_that_is_no_notice_is_emitted_somewhere() {
    let mut sources = String::new();
    read_all(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/native")), &mut sources);
    let sources: String = sources.split_whitespace().collect();
    for event in EVENTS.iter().filter(|it| it.variant.is_none() && it.client != Client::Browser) {
        let call = format!("event!({},", event.name.to_uppercase());
        assert!(
            sources.contains(&call),
            "no source has `{call}`: emit the event, or take it out of the table"
        );
    }
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn place(region: &str, server: &str) -> ServerRef {
    ServerRef {
        conn: ConnId(1),
        endpoint: EndpointId(1),
        address: format!("{server}:4222"),
        server: Some(server.to_owned()),
        region: Region::new(region),
    }
}

/// A notice of each kind, in the order of the table, with the text of its example.
fn samples() -> Vec<NoticeKind> {
    let lon = || place("lon", "lon-1");
    let ams = || place("ams", "ams-3");
    vec![
        NoticeKind::Connected(lon()),
        NoticeKind::Dialing(lon()),
        NoticeKind::Opened(lon()),
        NoticeKind::OpenFailed { place: lon(), error: OpenError::Refused },
        NoticeKind::Suspected(lon()),
        NoticeKind::Cleared(lon()),
        NoticeKind::Lost { place: lon(), cause: Some(Cause::Eof) },
        NoticeKind::LameDuck(lon()),
        NoticeKind::Unhealthy { place: lon(), why: "JetStream: no answer in time".into() },
        NoticeKind::NoHealthyAlternative(lon()),
        NoticeKind::Moved { from: lon(), to: ams(), cause: MoveCause::RegionLost, overlap: false },
        NoticeKind::StandbyReady(ams()),
        NoticeKind::Damped { region: Region::new("lon"), until: Time::ZERO + Duration::from_secs(95) },
        NoticeKind::OtherCluster {
            address: "10.0.0.1:4222".into(),
            expected: "lon".into(),
            found: "ams".into(),
        },
        NoticeKind::LabelContradicted {
            address: "10.0.0.1:4222".into(),
            label: Region::new("lon"),
            cluster: Region::new("ams"),
        },
        NoticeKind::CredentialsRefused { regions: vec![Region::new("lon"), Region::new("ams")] },
        NoticeKind::Offline,
        NoticeKind::BreakBeforeMake(lon()),
        NoticeKind::Stalled,
        NoticeKind::SubscriptionRefused {
            subject: "orders.>".into(),
            why: "the server denies `orders.>`".into(),
        },
        NoticeKind::PublishRefused {
            subject: "orders.new".into(),
            why: "Permissions Violation for Publish to \"orders.new\"".into(),
        },
        NoticeKind::SlowConsumer { subject: "ticks.>".into() },
        NoticeKind::StreamReset { stream: "ORDERS".into(), last_sequence: 42 },
        NoticeKind::UnreadableMessage {
            subject: "orders.new".into(),
            why: "its headers cannot be read".into(),
            is_left_out: true,
        },
        NoticeKind::ResolverFailed {
            name: "nats.example.org".into(),
            why: "no answer in time".into(),
            kept: 3,
        },
        NoticeKind::ResolverRecovered { name: "nats.example.org".into() },
    ]
}
