//! Tests of moves during which other events arrive.

use std::time::Duration;

use super::super::*;
use super::servers::{NOTHING, Servers};

/// A server that has taken the subscriptions, and says no more.
const SUBSCRIPTIONS: fn(&str) -> bool = |text| text.starts_with("SUB");

#[test]
fn a_target_that_is_lost_takes_no_subscription_along() {
    for at_most_once in ["true", "false"] {
        let mut servers = Servers::live(&format!(",\"atMostOnce\":{at_most_once}"));
        let (home, now) = (servers.home(), servers.now());
        servers.engine().subscribe(1, "orders", None, None, now).unwrap();
        servers.run(5, NOTHING);
        assert_eq!(servers.count(home, "SUB orders 1"), 1);
        servers.announce_the_end(home);
        let target = servers.run_until_heard("SUB orders 1", home, SUBSCRIPTIONS);
        servers.close(target);
        servers.run(1, SUBSCRIPTIONS);
        assert_eq!(servers.home(), home);
        let (subscribed, ended) = (servers.count(home, "SUB orders 1"), servers.count(home, "UNSUB 1"));
        assert_eq!(subscribed, ended + 1, "at most once {at_most_once}: {:?}", servers.heard[&home]);
    }
}

#[test]
fn a_server_that_announces_its_end_during_the_handshake_is_left() {
    let mut servers = Servers::live("");
    let home = servers.home();
    servers.close(home);
    servers.heard.clear();
    let refuge = servers.run_until_heard("CONNECT", home, |text| text.starts_with("CONNECT"));
    servers.announce_the_end(refuge);
    servers.script.say(refuge, b"PONG\r\n");
    assert_eq!(servers.home(), refuge);
    servers.run(300, NOTHING);
    assert_ne!(servers.home(), refuge, "{:?}", servers.heard);
}

#[test]
fn an_old_link_stays_until_its_requests_are_answered_and_takes_on_nothing_new() {
    let mut servers = Servers::live("");
    let (home, now) = (servers.home(), servers.now());
    servers.engine().subscribe(1, "orders", None, None, now).unwrap();
    servers.engine().request(7, "q", None, b"", Duration::from_secs(60), now).unwrap();
    servers.run(5, NOTHING);
    servers.announce_the_end(home);
    servers.run(2_000, NOTHING);
    assert_ne!(servers.home(), home);
    assert_eq!(servers.count(home, "UNSUB 1"), 1, "the overlap is over");
    let now = servers.now();
    servers.engine().subscribe(2, "more", None, None, now).unwrap();
    servers.engine().unsubscribe(1, None, now);
    servers.run(5, NOTHING);
    assert!(servers.is_open(home), "an answer is awaited");
    assert_eq!((servers.count(home, "SUB more 2"), servers.count(servers.home(), "SUB more 2")), (0, 1));
    assert_eq!(servers.count(home, "UNSUB 1"), 1, "it has none any more");
    let inbox = format!("_INBOX.2000000000000000000000.{}.7", home.0);
    servers.script.say(home, format!("MSG {inbox} 4294967296 2\r\nok\r\n").as_bytes());
    servers.run(5, NOTHING);
    assert!(!servers.is_open(home));
    assert_eq!(servers.script.failure(7), None);
}

#[test]
fn a_request_that_nobody_waits_for_keeps_no_link() {
    let mut servers = Servers::live("");
    let (home, now) = (servers.home(), servers.now());
    servers.engine().request(7, "q", None, b"", Duration::from_secs(60), now).unwrap();
    servers.announce_the_end(home);
    servers.run(2_000, NOTHING);
    assert!(servers.is_open(home));
    let now = servers.now();
    servers.engine().cancel_request(7, now);
    servers.run(5, NOTHING);
    assert!(!servers.is_open(home));
}

#[test]
fn where_only_one_connection_is_allowed_publishes_wait_between_two_links() {
    let mut servers = Servers::live("");
    let home = servers.home();
    servers.heard.clear();
    servers.announce_the_end(home);
    let refused = servers.run_until_heard("CONNECT", home, |text| text.starts_with("CONNECT"));
    servers.script.say(refused, b"-ERR 'maximum account active connections exceeded'\r\n");
    assert!(!servers.engine().is_live() && servers.is_open(home), "it is being left");
    let now = servers.now();
    servers.engine().publish("orders", None, None, b"between", now).unwrap();
    servers.run(3_000, NOTHING);
    assert!(!servers.is_open(home));
    assert_eq!((servers.count(home, "PUB orders 7"), servers.count(servers.home(), "PUB orders 7")), (0, 1));
}

#[test]
fn a_subscription_that_is_drained_gets_no_further_link() {
    let mut servers = Servers::live("");
    let (home, now) = (servers.home(), servers.now());
    for sid in [1, 2] {
        servers.engine().subscribe(sid, "orders", None, None, now).unwrap();
    }
    servers.run(5, NOTHING);
    servers.silence(home);
    servers.engine().drain_subscription(1, 5, now);
    servers.run(1_200, NOTHING);
    let refuge = servers.home();
    assert_ne!(refuge, home, "home is silent");
    assert_eq!((servers.count(refuge, "SUB orders 1"), servers.count(refuge, "SUB orders 2")), (0, 1));
}

#[test]
fn a_flush_waits_for_old_links_too() {
    let mut servers = Servers::live("");
    let (home, now) = (servers.home(), servers.now());
    servers.silence(home);
    servers.engine().publish("orders", None, None, b"x", now).unwrap();
    servers.announce_the_end(home);
    servers.run(20, NOTHING);
    assert_ne!(servers.home(), home);
    let now = servers.now();
    servers.engine().flush(5, now);
    servers.run(20, NOTHING);
    let is_flushed = |effect: &Effect| matches!(effect, Effect::Completed { op: 5, code: None, .. });
    assert!(!servers.script.effects.iter().any(is_flushed));
    servers.speak(home);
    assert!(servers.script.effects.iter().any(is_flushed));
}

#[test]
fn a_target_that_answers_when_another_was_chosen_gets_no_traffic() {
    let mut servers = Servers::live("");
    let (home, now) = (servers.home(), servers.now());
    servers.engine().subscribe(1, "orders", None, None, now).unwrap();
    servers.announce_the_end(home);
    let target = servers.run_until_heard("SUB orders 1", home, SUBSCRIPTIONS);
    // Longer than a suspicion, shorter than a verdict.
    servers.run(800, NOTHING);
    servers.close(home);
    servers.run(200, NOTHING);
    let refuge = servers.home();
    assert_ne!(refuge, target);
    assert!(servers.is_open(target), "it may answer yet");
    servers.speak(target);
    assert_eq!(servers.home(), refuge);
}
