//! Tests of large amounts of data that wait at the client or at the server.

use super::super::SocketId;
use super::servers::{Ignored, NOTHING, Servers};

/// A server that was told to send no more, and has not answered that yet: the answer waits behind the backlog.
fn being_left() -> (Servers, SocketId) {
    let mut servers = Servers::live("");
    let (home, now) = (servers.home(), servers.now());
    servers.engine().subscribe(1, "orders", None, None, now).unwrap();
    servers.run(5, NOTHING);
    servers.announce_the_end(home);
    let unanswered: Ignored = |text| text.starts_with("UNSUB 1");
    while servers.count(home, "UNSUB 1") == 0 {
        servers.run(1, unanswered);
    }
    (servers, home)
}

#[test]
fn what_waits_at_a_server_that_is_left_comes_in_as_long_as_it_comes() {
    let (mut servers, home) = being_left();
    let frames = servers.script.frames;
    for _ in 0..10 {
        servers.run(1_000, NOTHING);
        servers.script.say(home, b"MSG orders 1 4\r\nlamp\r\n");
    }
    assert!(servers.script.frames > frames, "late orders are delivered");
    assert!(servers.is_open(home));
    servers.run(1_500, NOTHING);
    assert!(servers.is_open(home), "it may pause");
    servers.run(1_000, NOTHING);
    assert!(!servers.is_open(home), "but not for longer than the drain");
}

#[test]
fn a_server_that_does_not_hear_the_end_is_left_all_the_same() {
    let (mut servers, home) = being_left();
    for _ in 0..21 {
        servers.script.say(home, b"MSG orders 1 4\r\nlamp\r\n");
        servers.run(1_000, NOTHING);
    }
    assert!(!servers.is_open(home));
}

#[test]
fn bulk_on_a_slow_way_out_is_no_silence() {
    let mut servers = Servers::live("");
    let (home, now) = (servers.home(), servers.now());
    for _ in 0..1_000 {
        servers.engine().publish("orders", None, None, &[b'x'; 1_000], now).unwrap();
    }
    servers.run(2_500, |_| true);
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
    assert!(servers.is_suspected() && servers.is_open(home), "as soon as without bulk");
}
