//! Tests with random events in random order: nothing panics, all buffers are bounded, and all operations end.

use std::time::Duration;

use proptest::prelude::*;

use super::super::*;
use super::{INFO, Script, options};

/// Something that happens to an engine.
#[derive(Clone, Debug)]
enum Step {
    Later(u64),
    Opened(u32),
    Closed(u32),
    Failed(u32),
    Said(u32, Vec<u8>),
    Publish(Vec<u8>),
    Request(u32, u64),
    Cancel(u32),
    Subscribe(u32, Option<u64>),
    Unsubscribe(u32, Option<u64>),
    DrainSubscription(u32, u32),
    Flush(u32),
    Online(bool),
    Reconnect,
    Resumed,
    Drain(u32),
}

fn said() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => Just(INFO.to_vec()),
        6 => Just(b"PONG\r\n".to_vec()),
        1 => Just(b"PONG\r\nPONG\r\nPING\r\n+OK\r\n".to_vec()),
        1 => Just(b"INFO {\"ldm\":true,\"connect_urls\":[\"b:2\",\"c:3\"]}\r\n".to_vec()),
        1 => Just(b"-ERR 'Permissions Violation for Publish to \"a\"'\r\n".to_vec()),
        1 => Just(b"-ERR 'Authorization Violation'\r\n".to_vec()),
        3 => (1_u64..5).prop_map(|sid| format!("MSG a {sid} 2\r\nhi\r\n").into_bytes()),
        2 => (1_u32..9).prop_map(|op| format!("MSG _INBOX.x.1.{op} 4294967296 2\r\nhi\r\n").into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let socket = || 1_u32..12;
    prop_oneof![
        4 => prop_oneof![Just(1), 0..300_u64, Just(3_000), Just(90_000)].prop_map(Step::Later),
        4 => socket().prop_map(Step::Opened),
        1 => socket().prop_map(Step::Closed),
        1 => socket().prop_map(Step::Failed),
        12 => (socket(), said()).prop_map(|(socket, bytes)| Step::Said(socket, bytes)),
        2 => proptest::collection::vec(any::<u8>(), 0..2_000).prop_map(Step::Publish),
        2 => (1_u32..9, 0_u64..400).prop_map(|(op, ms)| Step::Request(op, ms)),
        1 => (1_u32..9).prop_map(Step::Cancel),
        2 => (0_u32..5, prop::option::of(0_u64..4)).prop_map(|(sid, max)| Step::Subscribe(sid, max)),
        1 => (0_u32..5, prop::option::of(0_u64..4)).prop_map(|(sid, max)| Step::Unsubscribe(sid, max)),
        1 => (0_u32..5, 20_u32..30).prop_map(|(sid, op)| Step::DrainSubscription(sid, op)),
        1 => (30_u32..40).prop_map(Step::Flush),
        1 => any::<bool>().prop_map(Step::Online),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Resumed),
        1 => (50_u32..52).prop_map(Step::Drain),
    ]
}

fn take(script: &mut Script, step: Step) {
    let (engine, now) = (&mut script.engine, script.now);
    let closed = || SocketEnd::Closed(1_006, String::new());
    match step {
        Step::Later(ms) => return script.later(ms),
        Step::Opened(socket) => engine.socket_opened(SocketId(socket), now),
        Step::Closed(socket) => engine.socket_closed(SocketId(socket), closed(), now),
        Step::Failed(socket) => engine.socket_failed(SocketId(socket), now),
        Step::Said(socket, bytes) => engine.socket_received(SocketId(socket), &bytes, now),
        Step::Publish(payload) => _ = engine.publish("a", None, None, &payload, now),
        Step::Request(op, ms) => _ = engine.request(op, "a", None, b"x", Duration::from_millis(ms), now),
        Step::Cancel(op) => engine.cancel_request(op, now),
        Step::Subscribe(sid, max) => _ = engine.subscribe(sid, "a", None, max, now),
        Step::Unsubscribe(sid, max) => engine.unsubscribe(sid, max, now),
        Step::DrainSubscription(sid, op) => engine.drain_subscription(sid, op, now),
        Step::Flush(op) => engine.flush(op, now),
        Step::Online(is_online) => engine.set_online(is_online, now),
        Step::Reconnect => engine.reconnect(now),
        Step::Resumed => engine.resumed(now),
        Step::Drain(op) => engine.drain(op, now),
    }
    script.drain();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_nothing_panics_and_every_operation_ends(
        steps in proptest::collection::vec(step(), 0..120),
        starts_live: bool,
        at_most_once: bool,
    ) {
        let mut script = if starts_live { Script::live() } else { Script::new(options()) };
        script.engine.options.at_most_once = at_most_once;
        let mut operations = 0;
        for step in steps {
            let ends = matches!(step, Step::Flush(_) | Step::Drain(_) | Step::DrainSubscription(..));
            operations += usize::from(ends);
            take(&mut script, step);
            prop_assert!(script.engine.links.len() <= 80, "{} sockets", script.engine.links.len());
            prop_assert!(script.engine.kept.queued_bytes() <= script.engine.options.kept_bytes_max);
            prop_assert!(script.engine.now <= script.now);
        }
        script.engine.close(script.now);
        script.drain();
        let ended = |effect: &&Effect| matches!(effect, Effect::Completed { op, .. } if *op >= 20);
        prop_assert_eq!(script.effects.iter().filter(ended).count(), operations, "each of them ends once");
        let opened = script.opened().len();
        let closes = script.effects.iter().filter(|effect| matches!(effect, Effect::CloseSocket { .. })).count();
        prop_assert_eq!(opened, closes, "no socket is left");
        prop_assert!(script.engine.is_closed() && script.engine.poll_timeout().is_none());
        prop_assert!(script.engine.requests.is_empty() && script.engine.links.is_empty());
    }
}
