//! Tests of a drain during which other events arrive.

use super::super::*;
use super::Script;
use super::servers::{NOTHING, Servers};

const OP: u32 = 9;

fn is_drained(effects: &[Effect]) -> Option<Option<Code>> {
    effects.iter().find_map(|effect| match effect {
        Effect::Completed { op: OP, code, .. } => Some(*code),
        _ => None,
    })
}

#[test]
fn what_a_dying_link_leaves_over_is_sent_on_the_next_before_the_end() {
    let mut servers = Servers::live("");
    let (home, now) = (servers.home(), servers.now());
    servers.engine().publish("orders", None, None, b"last", now).unwrap();
    servers.engine().drain(OP, now);
    servers.close(home);
    servers.run(3_000, NOTHING);
    assert!(servers.heard.values().any(|text| text.contains("PUB orders 4\r\nlast")), "{:?}", servers.heard);
    assert_eq!(is_drained(&servers.script.effects), Some(None));
    assert!(servers.engine().is_closed());
}

#[test]
fn draining_without_proof_that_all_arrived_says_so() {
    let mut servers = Servers::live("");
    let (home, now) = (servers.home(), servers.now());
    servers.engine().publish("orders", None, None, b"last", now).unwrap();
    servers.script.drain();
    servers.engine().drain(OP, now);
    servers.close(home);
    servers.run(3_000, NOTHING);
    assert_eq!(is_drained(&servers.script.effects), Some(Some(Code::LinkLost)));
    assert!(servers.engine().is_closed());
}

#[test]
fn what_came_in_last_can_still_be_answered() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    script.engine.subscribe(1, "questions", None, None, script.now).unwrap();
    script.sent();
    script.engine.drain(OP, script.now);
    assert_eq!(script.sent(), "UNSUB 1\r\nPING\r\n");
    script.say(live, b"MSG questions 1 reply 1\r\n?\r\nPONG\r\n");
    script.engine.publish("reply", None, None, b"!", script.now).unwrap();
    assert_eq!(script.sent(), "PING\r\nPUB reply 1\r\n!\r\n");
    script.say(live, b"PONG\r\n");
    let refusal = script.engine.publish("reply", None, None, b"!", script.now).unwrap_err();
    assert_eq!(refusal.code, Code::Draining);
    assert_eq!(script.sent(), "PING\r\n", "the answer is confirmed as well");
    script.say(live, b"PONG\r\n");
    assert_eq!((is_drained(&script.effects), script.engine.is_closed()), (Some(None), true));
}
