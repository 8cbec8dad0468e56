//! Tests of the engine without a real server: a script or random choices simulate the server.
//!
//! This folder has the simulated server, and one file of tests for each part of the engine.

use std::time::Duration;

use nats_geo::core::Time;

use super::*;

mod backlog;
mod chance;
mod clocks;
mod draining;
mod first_choice;
mod hostile;
mod memory;
mod moving;
mod publishing;
mod refusing;
mod servers;

const INFO: &[u8] =
    br#"INFO {"server_id":"S","server_name":"one","cluster":"lon","max_payload":1000,"headers":true}
"#;

/// An engine, and what it has asked for.
struct Script {
    engine: Engine,
    now: Time,
    sent: std::collections::BTreeMap<SocketId, Vec<u8>>,
    effects: Vec<Effect>,
    frames: usize,
}

struct Pipe<'a>(&'a mut std::collections::BTreeMap<SocketId, Vec<u8>>);

impl Outlet for Pipe<'_> {
    fn buffered(&mut self, _: SocketId) -> usize {
        0
    }

    fn send(&mut self, socket: SocketId, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "an empty message");
        self.0.entry(socket).or_default().extend_from_slice(bytes);
    }
}

impl Script {
    fn new(options: Options) -> Self {
        Self::over(Engine::new(options, Time::ZERO).unwrap())
    }

    fn over(engine: Engine) -> Self {
        let mut script =
            Self { engine, now: Time::ZERO, sent: Default::default(), effects: Vec::new(), frames: 0 };
        script.engine.connect(Time::ZERO);
        script.drain();
        script
    }

    /// A script whose first link is live.
    fn live() -> Self {
        let mut script = Self::new(options());
        let probe = script.opened()[0];
        script.greet(probe);
        script.later(1);
        let link = *script.opened().last().unwrap();
        script.greet(link);
        script.say(link, b"PONG\r\n");
        assert!(script.effects.contains(&Effect::Opened), "{:?}", script.effects);
        script.effects.retain(is_of_sockets);
        script
    }

    /// INFO, and a PONG for as many PINGs as the handshake has.
    fn greet(&mut self, socket: SocketId) {
        self.engine.socket_opened(socket, self.now);
        self.say(socket, INFO);
        for _ in 0..4 {
            self.later(1);
            self.say(socket, b"PONG\r\n");
        }
    }

    fn say(&mut self, socket: SocketId, bytes: &[u8]) {
        self.engine.socket_received(socket, bytes, self.now);
        self.drain();
    }

    fn later(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.engine.handle_timeout(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        self.frames += self.engine.take_frames().len();
        while let Some(effect) = self.engine.poll_effect() {
            self.effects.push(effect);
        }
        self.engine.transmit(&mut Pipe(&mut self.sent), self.now);
    }

    fn opened(&self) -> Vec<SocketId> {
        let open = |effect: &Effect| match effect {
            Effect::OpenSocket { socket, .. } => Some(*socket),
            _ => None,
        };
        self.effects.iter().filter_map(open).collect()
    }

    /// The text that was sent on the live link since this was asked last.
    fn sent(&mut self) -> String {
        self.drain();
        let live = self.engine.live.unwrap();
        String::from_utf8(self.sent.remove(&live).unwrap_or_default()).unwrap()
    }

    fn failure(&self, op: u32) -> Option<Code> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Completed { op: done, code, .. } if *done == op => *code,
            _ => None,
        })
    }

    fn closed(&self) -> Option<Code> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Closed { code, .. } => *code,
            _ => None,
        })
    }
}

fn is_of_sockets(effect: &Effect) -> bool {
    matches!(effect, Effect::OpenSocket { .. } | Effect::CloseSocket { .. })
}

fn options() -> Options {
    Options::from_json(r#"{"servers":["ws://a:1"],"preset":"interactive","name":"n"}"#, 1, [2, 0]).unwrap()
}

#[test]
fn the_first_words_are_connect_and_ping() {
    let mut script = Script::new(options());
    let probe = script.opened()[0];
    script.engine.socket_opened(probe, script.now);
    script.drain();
    assert!(script.sent.is_empty(), "the server speaks first");
    script.say(probe, &INFO[..20]);
    assert!(script.sent.is_empty(), "half an INFO");
    script.say(probe, &INFO[20..]);
    let said = String::from_utf8(script.sent[&probe].clone()).unwrap();
    assert!(said.starts_with("CONNECT {") && said.ends_with("}\r\nPING\r\n"), "{said}");
    assert!(said.contains(r#""name":"n""#) && said.contains(r#""no_responders":true"#), "{said}");
}

#[test]
fn publishes_coalesce_and_a_ping_is_answered() {
    let mut script = Script::live();
    script.sent();
    for n in 0..3 {
        script.engine.publish("a", None, None, format!("{n}").as_bytes(), script.now).unwrap();
    }
    assert_eq!(script.sent(), "PUB a 1\r\n0\r\nPUB a 1\r\n1\r\nPUB a 1\r\n2\r\n");
    let live = script.engine.live.unwrap();
    script.say(live, b"PING\r\n");
    assert_eq!(script.sent(), "PONG\r\n");
}

#[test]
fn a_second_info_changes_what_is_accepted() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    script.say(live, b"INFO {\"max_payload\":2,\"connect_info\":true}\r\n");
    let refusal = script.engine.publish("a", None, None, b"123", script.now).unwrap_err();
    assert_eq!(refusal.code, Code::PayloadTooLarge);
    assert_eq!(refusal.text, "a message of 3 bytes is larger than the 2 that the server accepts: split it");
}

#[test]
fn a_request_has_its_own_inbox_on_each_link_and_fails_with_it() {
    let mut script = Script::live();
    script.sent();
    let live = script.engine.live.unwrap();
    script.engine.request(7, "q", None, b"x", Duration::from_secs(9), script.now).unwrap();
    script.engine.request(8, "q", None, b"x", Duration::from_secs(9), script.now).unwrap();
    let sent = script.sent();
    let inbox = format!("_INBOX.2000000000000000000000.{}", live.0);
    let expected =
        format!("SUB {inbox}.* 4294967296\r\nPUB q {inbox}.7 1\r\nx\r\nPUB q {inbox}.8 1\r\nx\r\n");
    assert_eq!(sent, expected);
    let twice = script.engine.request(7, "q", None, b"x", Duration::from_secs(9), script.now);
    assert_eq!(twice.unwrap_err().code, Code::InvalidArgument);
    script.say(live, format!("MSG {inbox}.7 4294967296 2\r\nok\r\n").as_bytes());
    assert!(script.frames > 0);
    script.engine.socket_closed(live, SocketEnd::Closed(1_006, String::new()), script.now);
    script.drain();
    assert_eq!((script.failure(7), script.failure(8)), (None, Some(Code::LinkLost)));
}

#[test]
fn publishes_that_were_not_confirmed_are_counted_as_unconfirmed_and_those_not_sent_are_kept() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    script.engine.publish("a", None, None, b"written", script.now).unwrap();
    script.drain();
    script.engine.publish("a", None, None, b"unwritten", script.now).unwrap();
    script.engine.socket_closed(live, SocketEnd::Closed(1_006, String::new()), script.now);
    assert_eq!((script.engine.counters.unconfirmed, script.engine.kept.messages()), (1, 1));
}

#[test]
fn a_policy_that_forbids_a_socket_is_named() {
    let mut options = options();
    options.connect_timeout = Duration::from_secs(1);
    let mut script = Script::new(options);
    for _ in 0..40 {
        for socket in script.opened() {
            script.engine.socket_failed(socket, script.now);
        }
        script.later(50);
    }
    let told = script.effects.iter().any(|effect| {
        matches!(effect, Effect::Closed { code: Some(Code::Connection), text: Some(text) } if text.contains("connect-src"))
    });
    assert!(told, "{:?}", script.effects);
}

#[test]
fn every_fatal_complaint_has_its_code() {
    for (complaint, code) in [
        ("'Authorization Violation'", Code::Authorization),
        ("'User Authentication Expired'", Code::Authorization),
        ("'maximum connections exceeded'", Code::Connection),
        // Of a server that had no time for the credentials: it has not refused them.
        ("'Authentication Timeout'", Code::Connection),
        ("'Parser Error'", Code::Connection),
    ] {
        let mut options = options();
        options.connect_timeout = Duration::from_secs(2);
        let mut script = Script::new(options);
        let mut seen = 0;
        for _ in 0..60 {
            for socket in script.opened().split_off(seen) {
                seen += 1;
                script.engine.socket_opened(socket, script.now);
                script.say(socket, INFO);
                script.say(socket, format!("-ERR {complaint}\r\n").as_bytes());
                script.engine.socket_closed(socket, SocketEnd::Closed(1_000, String::new()), script.now);
            }
            script.later(50);
        }
        assert_eq!(script.closed(), Some(code), "{complaint}");
    }
}

#[test]
fn losses_are_counted_one_by_one_and_noticed_together() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    script.engine.socket_closed(live, SocketEnd::Closed(1_006, String::new()), script.now);
    for _ in 0..80 {
        script.engine.publish("a", None, None, b"x", script.now).unwrap();
        script.later(100);
    }
    let is_loss = |effect: &&Effect| matches!(effect, Effect::Notice(json) if json.contains("\"discarded\""));
    let notices = script.effects.iter().filter(is_loss).count();
    assert!((2..=4).contains(&notices), "{notices} notices in 3 s");
    assert!(script.engine.counters.discarded >= 28, "{}", script.engine.counters.discarded);
}

#[test]
fn a_pong_that_nobody_can_have_asked_for_proves_nothing() {
    let mut script = Script::new(options());
    let probe = script.opened()[0];
    script.engine.socket_opened(probe, script.now);
    script.say(probe, &[INFO, b"PONG\r\nPONG\r\nPONG\r\nPONG\r\n"].concat());
    let is_sample = |effect: &Effect| matches!(effect, Effect::Notice(json) if json.contains("\"probe\""));
    assert!(!script.effects.iter().any(is_sample), "CONNECT has not even been sent: {:?}", script.effects);
    for _ in 0..4 {
        script.later(7);
        script.say(probe, b"PONG\r\n");
    }
    let sample = script.effects.iter().find(|effect| is_sample(effect)).unwrap();
    assert!(matches!(sample, Effect::Notice(json) if json.contains("\"rtt_ms\":7.000")), "{sample:?}");
}

#[test]
fn a_limit_counts_from_the_start_of_the_subscription_on_every_link() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    script.engine.subscribe(1, "a", None, None, script.now).unwrap();
    script.sent();
    let message = b"MSG a 1 2\r\nhi\r\n";
    script.say(live, &message.repeat(2));
    script.engine.unsubscribe(1, Some(5), script.now);
    assert_eq!(script.sent(), "UNSUB 1 5\r\n");
    script.engine.socket_closed(live, SocketEnd::Closed(1_006, String::new()), script.now);
    while script.opened().last() == Some(&live) {
        script.later(10);
    }
    let next = *script.opened().last().unwrap();
    script.engine.socket_opened(next, script.now);
    script.say(next, INFO);
    script.say(next, b"PONG\r\n");
    assert!(script.sent().contains("SUB a 1\r\nUNSUB 1 3\r\n"));
    script.say(next, message);
    script.engine.unsubscribe(1, Some(9), script.now);
    assert!(script.sent().contains("UNSUB 1 7\r\n"), "one came here, and six are left");
}

#[test]
fn only_refused_credentials_end_a_client_that_connects() {
    let mut script = Script::new(options());
    let probe = script.opened()[0];
    script.engine.socket_closed(probe, SocketEnd::Closed(1_006, String::new()), script.now);
    script.later(100);
    assert!(!script.engine.is_closed(), "{:?}", script.effects);
}

#[test]
fn an_end_is_blamed_on_a_complaint_only_right_after_it() {
    for (ms, is_blamed) in [(100, true), (1_500, false)] {
        let mut script = Script::live();
        let live = script.engine.live.unwrap();
        script.say(live, b"-ERR 'Slow Consumer Detected'\r\n");
        for _ in 0..ms / 50 {
            script.later(50);
            script.say(live, b"PONG\r\n");
        }
        script.engine.socket_closed(live, SocketEnd::Closed(1_001, String::new()), script.now);
        script.drain();
        let lost = script.effects.iter().find_map(|effect| match effect {
            Effect::Notice(json) if json.contains("\"disconnect\"") => Some(json),
            _ => None,
        });
        assert_eq!(lost.unwrap().contains("Slow Consumer"), is_blamed, "{lost:?}");
    }
}

#[test]
fn a_ping_behind_bytes_that_move_is_not_overdue_and_one_that_is_out_is() {
    use super::link::{Purpose, Step, Whom};
    use nats_geo::core::{EndpointId, PingId};
    let mut link = Link::new(Purpose::Traffic(ConnId(1)), EndpointId(1), Time::ZERO);
    link.step = Step::Live;
    link.ping(Whom::Ping(PingId(1)), Time::ZERO);
    link.transmit(WINDOW_BYTES, Time::ZERO, |_| 6);
    assert!(!link.has_progress(Time::ZERO), "nothing has moved");
    link.buffered = 3;
    assert!(link.has_progress(Time::ZERO), "the PING moves");
    link.buffered = 0;
    assert!(link.has_progress(Time::ZERO), "the PING has left");
    link.ping(Whom::RoundTrip(1), Time::ZERO);
    link.transmit(WINDOW_BYTES, Time::ZERO, |_| 0);
    assert!(!link.has_progress(Time::ZERO), "what else leaves proves nothing of the way back");
    link.received += 1;
    assert!(link.has_progress(Time::ZERO));
}
