//! Tests of a server that closes the connection of each client that makes a certain subscription.

use std::collections::BTreeSet;

use super::*;

/// Plays such servers for a while. Returns how many links they ended.
fn serve(script: &mut Script, hated: &str, last_words: &str) -> usize {
    let (mut opened, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..4_000 {
        for socket in script.opened() {
            if opened.insert(socket) {
                script.engine.socket_opened(socket, script.now);
                script.say(socket, INFO);
            }
            let said = String::from_utf8(script.sent.remove(&socket).unwrap_or_default()).unwrap();
            for line in said.lines().filter(|_| !ended.contains(&socket)) {
                if line.starts_with("PING") {
                    script.engine.socket_received(socket, b"PONG\r\n", script.now);
                } else if line.starts_with(&format!("SUB {hated} ")) {
                    ended.insert(socket);
                    script.engine.socket_received(socket, last_words.as_bytes(), script.now);
                    let end = SocketEnd::Closed(1_006, String::new());
                    script.engine.socket_closed(socket, end, script.now);
                    break;
                }
            }
        }
        script.later(10);
    }
    ended.len()
}

fn refused(script: &Script) -> Vec<&str> {
    let is_refused =
        |effect: &&Effect| matches!(effect, Effect::Notice(json) if json.contains("\"subscriptionRefused\""));
    let text = |effect: &'_ Effect| matches!(effect, Effect::Notice(json) if json.contains("\"sid\":7}"));
    script
        .effects
        .iter()
        .filter(is_refused)
        .map(|effect| if text(effect) { "seven" } else { "another" })
        .collect()
}

#[test]
fn the_subscription_that_ends_links_is_found_and_ended() {
    for (last_words, links_max) in [("-ERR 'Unknown Protocol Operation'\r\n", 3), ("", 6)] {
        let mut script = Script::live();
        for sid in 1..=20 {
            script.engine.subscribe(sid, &format!("s{sid}"), None, None, script.now).unwrap();
        }
        let links = serve(&mut script, "s7", last_words);
        assert_eq!(refused(&script), ["seven"], "{last_words:?}");
        assert!(links <= links_max, "{links} links");
        assert!(script.engine.is_live());
        assert_eq!(script.engine.subscriptions.len(), 19);
        assert!(script.engine.strikes.are_none(), "{:?}", script.engine.strikes);
    }
}

#[test]
fn no_subscription_is_blamed_for_the_end_of_links_that_have_read_it() {
    let mut script = Script::live();
    script.engine.subscribe(7, "s7", None, None, script.now).unwrap();
    for _ in 0..10 {
        serve(&mut script, "nobody", "");
        let live = script.engine.live.unwrap();
        script.engine.socket_closed(live, SocketEnd::Closed(1_006, String::new()), script.now);
    }
    assert!(refused(&script).is_empty());
    assert!(script.engine.strikes.are_none());
}

/// Docker networks have the same addresses on every host.
#[test]
fn a_server_of_another_cluster_at_an_advertised_address_is_shown_no_credentials() {
    let json = r#"{"servers":["ws://a:1"],"preset":"interactive","user":"u","pass":"s3cr3t"}"#;
    let mut script = Script::new(Options::from_json(json, 1, [2, 0]).unwrap());
    let listed = br#"INFO {"server_id":"A","cluster":"lon","connect_urls":["b:1"]}"#;
    let mut asked = Vec::new();
    for _ in 0..50 {
        let opens: Vec<_> = script
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::OpenSocket { socket, url } => Some((*socket, url.clone())),
                _ => None,
            })
            .collect();
        for (socket, url) in
            opens.into_iter().filter(|(socket, _)| !asked.contains(socket)).collect::<Vec<_>>()
        {
            asked.push(socket);
            script.engine.socket_opened(socket, script.now);
            if url.contains("//b:1") {
                script.say(socket, b"INFO {\"server_id\":\"E\",\"cluster\":\"evil\"}\r\n");
                let sent = script.sent.remove(&socket).unwrap_or_default();
                assert!(sent.is_empty(), "it was told {}", String::from_utf8_lossy(&sent));
            } else {
                script.say(socket, &[listed, &b"\r\n"[..]].concat());
            }
        }
        let pinged: Vec<_> = std::mem::take(&mut script.sent).into_iter().collect();
        for (socket, bytes) in pinged {
            let pings = String::from_utf8_lossy(&bytes).matches("PING\r\n").count();
            script.say(socket, &b"PONG\r\n".repeat(pings));
        }
        script.later(10);
    }
    assert!(script.engine.is_live());
    let noticed =
        |effect: &&Effect| matches!(effect, Effect::Notice(json) if json.contains("\"otherCluster\""));
    assert_eq!(script.effects.iter().filter(noticed).count(), 1, "{:?}", script.effects);
    assert!(
        script
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::OpenSocket { url, .. } if url.contains("//b:1")))
    );
}
