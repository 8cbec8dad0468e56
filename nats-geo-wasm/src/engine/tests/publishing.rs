//! Tests of publishes and requests while a link has no space for them, or ends.

use std::time::Duration;

use super::super::*;
use super::Script;

fn lose(script: &mut Script) {
    let live = script.engine.live.unwrap();
    script.engine.socket_closed(live, SocketEnd::Closed(1_006, String::new()), script.now);
}

/// Accepts the next dial, as a server with this limit.
fn accept(script: &mut Script, max_payload: usize, headers: bool) {
    let lost = script.opened().len();
    while script.opened().len() == lost {
        script.later(10);
    }
    let next = *script.opened().last().unwrap();
    script.engine.socket_opened(next, script.now);
    script.say(next, format!("INFO {{\"max_payload\":{max_payload},\"headers\":{headers}}}\r\n").as_bytes());
    script.say(next, b"PONG\r\n");
    assert_eq!(script.engine.live, Some(next));
}

#[test]
fn requests_too_wait_in_bounds_for_a_socket_that_is_full() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    script.say(live, b"INFO {\"max_payload\":67108864}\r\n");
    let ask = |script: &mut Script, op, size| {
        script.engine.request(op, "q", None, &vec![0; size], Duration::from_secs(9), script.now)
    };
    for op in 0..3 {
        ask(&mut script, op, 20 << 20).unwrap();
    }
    assert_eq!(ask(&mut script, 3, 20 << 20).unwrap_err().code, Code::Connection);
    ask(&mut script, 4, 1 << 20).unwrap();
}

#[test]
fn a_server_that_accepts_less_gets_the_messages_that_it_accepts() {
    let mut script = Script::live();
    script.drain();
    let headers = b"NATS/1.0\r\nA: b\r\n\r\n";
    for (headers, size) in
        [(None, 3), (None, 900), (Some(&headers[..]), 2), (Some(&headers[..]), 90), (None, 100)]
    {
        script.engine.publish("a", None, headers, &vec![b'x'; size], script.now).unwrap();
    }
    lose(&mut script);
    accept(&mut script, 100, true);
    let sent = script.sent();
    let published: Vec<&str> = sent.lines().filter(|line| line.contains("PUB")).collect();
    assert_eq!(published, ["PUB a 3", "HPUB a 18 20", "PUB a 100"], "{sent}");
    assert_eq!((script.engine.counters.discarded, script.engine.counters.unconfirmed), (2, 0));
    script.engine.publish("a", None, None, &[b'x'; 100], script.now).unwrap();
    lose(&mut script);
    accept(&mut script, 50, true);
    assert_eq!(script.engine.counters.discarded, 3, "and the segment is empty");
}

#[test]
fn a_server_without_headers_gets_what_has_none() {
    let mut script = Script::live();
    script.drain();
    let headers = b"NATS/1.0\r\nA: b\r\n\r\n";
    for headers in [None, Some(&headers[..]), None] {
        script.engine.publish("a", None, headers, b"xyz", script.now).unwrap();
    }
    lose(&mut script);
    accept(&mut script, 0, false);
    let sent = script.sent();
    assert!(sent.contains(r#""headers":false,"no_responders":false"#), "it would refuse more: {sent}");
    assert_eq!((sent.matches("PUB a 3\r\nxyz\r\n").count(), sent.contains("HPUB")), (2, false), "{sent}");
    assert_eq!(script.engine.counters.discarded, 1);
    let refusal = script.engine.publish("a", None, Some(headers), b"", script.now).unwrap_err();
    assert_eq!((refusal.code, refusal.text.contains("accepts no headers")), (Code::InvalidArgument, true));
}

#[test]
fn what_could_not_be_sent_on_a_slow_link_is_kept_from_its_end_on() {
    let mut script = Script::live();
    script.drain();
    script.engine.publish("a", None, None, b"x", script.now).unwrap();
    script.now += Duration::from_secs(6);
    lose(&mut script);
    script.later(10);
    assert_eq!((script.engine.kept.messages(), script.engine.counters.discarded), (1, 0));
    script.engine.publish("a", None, None, b"y", script.now).unwrap();
    accept(&mut script, 100, true);
    assert!(script.sent().contains("PUB a 1\r\nx\r\nPUB a 1\r\ny\r\n"));
    assert_eq!(script.engine.counters.resent, 1, "the other one never had a link before");
    script.engine.publish("a", None, None, b"z", script.now).unwrap();
    lose(&mut script);
    for _ in 0..60 {
        script.later(100);
    }
    assert_eq!((script.engine.kept.messages(), script.engine.counters.discarded), (0, 1));
}

#[test]
fn what_a_link_leaves_over_is_bounded_too() {
    let mut script = Script::live();
    script.engine.options.kept_bytes_max = 300;
    script.drain();
    for _ in 0..10 {
        script.engine.publish("a", None, None, &[0; 100], script.now).unwrap();
        script.now += Duration::from_millis(200);
    }
    lose(&mut script);
    assert_eq!((script.engine.kept.messages(), script.engine.counters.discarded), (2, 8));
}

#[test]
fn requests_that_are_cancelled_make_room() {
    let mut script = Script::live();
    script.engine.options.kept_bytes_max = 150;
    lose(&mut script);
    let ask = |script: &mut Script, op| {
        script.engine.request(op, "q", None, &[0; 100], Duration::from_secs(9), script.now)
    };
    ask(&mut script, 1).unwrap();
    assert_eq!(ask(&mut script, 2).unwrap_err().code, Code::Connection);
    script.engine.cancel_request(1, script.now);
    ask(&mut script, 3).unwrap();
}

#[test]
fn a_pong_confirms_what_was_published_before_its_ping() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    let publish = |script: &mut Script| {
        script.engine.publish("a", None, None, b"x", script.now).unwrap();
        script.drain();
    };
    publish(&mut script);
    script.engine.flush(5, script.now);
    publish(&mut script);
    script.engine.flush(6, script.now);
    script.drain();
    let waits = script.engine.links.get(&live).unwrap().waiters.len();
    script.say(live, &b"PONG\r\n".repeat(waits - 1));
    lose(&mut script);
    script.drain();
    assert_eq!((script.failure(5), script.failure(6)), (None, Some(Code::LinkLost)));
    assert_eq!(script.engine.counters.unconfirmed, 1);
}
