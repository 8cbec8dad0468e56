//! Tests of the first choice when a browser opens sockets one after the other.

use super::*;

/// A probe of each of these servers is under way.
fn probing(servers: &[&str]) -> Script {
    let json = format!(r#"{{"servers":["{}"],"preset":"interactive"}}"#, servers.join("\",\""));
    Script::new(Options::from_json(&json, 1, [2, 0]).unwrap())
}

/// The server behind a socket answers, as one of `region`, `rtt` ms away.
fn answer(script: &mut Script, socket: SocketId, region: &str, rtt: u64) {
    script.engine.socket_opened(socket, script.now);
    let info = format!(r#"INFO {{"server_id":"{region}","cluster":"{region}","headers":true}}"#);
    script.say(socket, format!("{info}\r\n").as_bytes());
    for _ in 0..4 {
        script.later(rtt);
        script.say(socket, b"PONG\r\n");
    }
}

/// The address of the last socket that was opened, and how many there were.
fn last_dial(script: &Script) -> (&str, usize) {
    let urls = script.effects.iter().filter_map(|effect| match effect {
        Effect::OpenSocket { url, .. } => Some(url.as_str()),
        _ => None,
    });
    (urls.clone().next_back().unwrap(), urls.count())
}

#[test]
fn it_waits_for_servers_of_one_host_that_are_not_dialled_yet() {
    let mut script = probing(&["ws://a:1", "ws://a:2", "ws://a:3"]);
    let sockets = script.opened();
    answer(&mut script, sockets[0], "dal", 40);
    script.later(300);
    assert_eq!(last_dial(&script).1, 3, "no server is dialled for traffic");
    answer(&mut script, sockets[1], "lon", 1);
    answer(&mut script, sockets[2], "ams", 10);
    script.later(1);
    assert_eq!(last_dial(&script), ("ws://a:2", 4));
}

#[test]
fn it_does_not_wait_for_a_server_whose_turn_takes_too_long() {
    let mut script = probing(&["ws://a:1", "ws://a:2"]);
    let second = script.opened()[1];
    answer(&mut script, second, "lon", 1);
    script.later(450);
    assert_eq!(last_dial(&script).1, 2);
    script.later(50);
    assert_eq!(last_dial(&script), ("ws://a:2", 3));
}

#[test]
fn it_does_not_wait_for_another_host() {
    let mut script = probing(&["ws://b:1", "ws://a:1"]);
    let second = script.opened()[1];
    answer(&mut script, second, "lon", 1);
    script.later(50);
    assert_eq!(last_dial(&script), ("ws://a:1", 3));
}

#[test]
fn every_server_is_measured_again_once_the_first_link_is_live() {
    let mut script = probing(&["ws://a:1", "ws://b:1"]);
    let sockets = script.opened();
    answer(&mut script, sockets[0], "ams", 9);
    script.later(50);
    assert_eq!(last_dial(&script), ("ws://a:1", 3));
    let link = script.opened()[2];
    script.greet(link);
    // Its first answer was late, or its socket waited behind others.
    answer(&mut script, sockets[1], "lon", 1);
    let mut answered = 3;
    while answered < script.opened().len() {
        let (url, socket) = (last_dial(&script).0.to_owned(), script.opened()[answered]);
        answer(&mut script, socket, if url == "ws://a:1" { "ams" } else { "lon" }, 2);
        answered += 1;
    }
    assert!(answered > 4, "a second probe of each server");
    script.later(10);
    assert_eq!(last_dial(&script), ("ws://b:1", answered), "the choice is corrected");
}
