//! Moves that something comes in between of.

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
