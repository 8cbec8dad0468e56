//! Moves that something comes in between of.

use super::servers::{Ignored, NOTHING, Servers};

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
fn what_waits_at_a_server_that_is_left_comes_in_as_long_as_it_comes() {
    let mut servers = Servers::live("");
    let (home, now) = (servers.home(), servers.now());
    servers.engine().subscribe(1, "orders", None, None, now).unwrap();
    servers.run(5, NOTHING);
    servers.announce_the_end(home);
    // The answer to what is asked last waits behind the backlog.
    let unanswered: Ignored = |text| text.starts_with("UNSUB 1");
    while servers.count(home, "UNSUB 1") == 0 {
        servers.run(1, unanswered);
    }
    let frames = servers.script.frames;
    for _ in 0..10 {
        servers.run(1_000, NOTHING);
        servers.script.say(home, b"MSG orders 1 4\r\nlamp\r\n");
    }
    assert!(servers.script.frames > frames, "late orders are delivered");
    assert!(!servers.is_closed(home));
    servers.run(1_500, NOTHING);
    assert!(!servers.is_closed(home), "it may pause");
    servers.run(1_000, NOTHING);
    assert!(servers.is_closed(home), "but not for longer than the drain");
}

#[test]
fn a_server_that_does_not_hear_the_end_is_left_all_the_same() {
    let mut servers = Servers::live("");
    let (home, now) = (servers.home(), servers.now());
    servers.engine().subscribe(1, "orders", None, None, now).unwrap();
    servers.run(5, NOTHING);
    servers.announce_the_end(home);
    let unanswered: Ignored = |text| text.starts_with("UNSUB 1");
    while servers.count(home, "UNSUB 1") == 0 {
        servers.run(1, unanswered);
    }
    for _ in 0..21 {
        servers.script.say(home, b"MSG orders 1 4\r\nlamp\r\n");
        servers.run(1_000, NOTHING);
    }
    assert!(servers.is_closed(home));
}

#[test]
fn bulk_on_a_slow_way_out_is_no_silence() {
    let mut servers = Servers::live("");
    let (home, now) = (servers.home(), servers.now());
    for _ in 0..1_000 {
        servers.engine().publish("orders", None, None, &[b'x'; 1_000], now).unwrap();
    }
    servers.run(4_000, |_| true);
    assert_eq!(servers.home(), home, "a megabyte may take some seconds");
    assert!(!servers.is_suspected());
}

#[test]
fn bulk_on_a_fast_way_out_hides_no_silence() {
    let mut servers = Servers::live("");
    let home = servers.home();
    for _ in 0..4 {
        let now = servers.now();
        for _ in 0..1_000 {
            servers.engine().publish("orders", None, None, &[b'x'; 1_000], now).unwrap();
        }
        servers.run(500, NOTHING);
    }
    assert!(!servers.is_suspected());
    let now = servers.now();
    for _ in 0..1_000 {
        servers.engine().publish("orders", None, None, &[b'x'; 1_000], now).unwrap();
    }
    servers.run(1_000, |_| true);
    assert!(servers.is_suspected() && !servers.is_closed(home), "as soon as without bulk");
}
