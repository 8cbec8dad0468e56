//! Tests of hosts that sleep, of timers that are late, and of browsers without a network.

use std::time::Duration;

use super::super::*;
use super::{INFO, Script, options};

#[test]
fn a_host_that_slept_judges_nobody() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    script.later(600_000);
    assert_eq!(script.engine.live, Some(live), "no verdict");
    assert!(script.sent().ends_with("PING\r\n"), "but a question");
    let is_stall = |effect: &Effect| matches!(effect, Effect::Notice(json) if json.contains("\"stalled\""));
    assert_eq!(script.effects.iter().filter(|effect| is_stall(effect)).count(), 1);
    let is_verdict =
        |effect: &Effect| matches!(effect, Effect::Notice(json) if json.contains("\"disconnect\""));
    assert!(!script.effects.iter().any(is_verdict));
}

#[test]
fn timers_of_a_minute_still_find_a_dead_link() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    for _ in 0..4 {
        script.later(60_000);
    }
    assert_ne!(script.engine.live, Some(live), "silent over four minutes of throttled timers");
}

#[test]
fn without_a_network_a_dial_waits_for_it() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    script.engine.set_online(false, script.now);
    script.engine.socket_closed(live, SocketEnd::Closed(1_006, String::new()), script.now);
    let before = script.opened().len();
    for _ in 0..300 {
        script.later(100);
    }
    assert_eq!(script.opened().len(), before, "nothing is dialled for 30 s");
    script.engine.set_online(true, script.now);
    script.later(2_000);
    assert!(script.opened().len() > before, "but within 2 s of the network");
}

#[test]
fn one_nap_is_one_wake_up_however_much_comes_in_afterwards() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    script.engine.request(7, "q", None, b"x", Duration::from_millis(10), script.now).unwrap();
    script.sent();
    // The timer is behind all this in the browser's queue.
    script.now += Duration::from_secs(5);
    for _ in 0..50 {
        script.now += Duration::from_millis(1);
        script.say(live, b"+OK\r\n");
    }
    assert!(script.sent().matches("PING").count() <= 1);
    let is_stall = |effect: &&Effect| matches!(effect, Effect::Notice(json) if json.contains("\"stalled\""));
    assert_eq!(script.effects.iter().filter(is_stall).count(), 1);
}

#[test]
fn without_a_network_the_first_connection_says_so() {
    let mut options = options();
    for timeout in [2, 20] {
        options.connect_timeout = Duration::from_secs(timeout);
        let mut engine = Engine::new(options.clone(), Time::ZERO).unwrap();
        engine.set_online(false, Time::ZERO);
        let mut script = Script::over(engine);
        for _ in 0..210 {
            script.later(100);
        }
        let text = script.effects.iter().find_map(|effect| match effect {
            Effect::Closed { text, .. } => text.clone(),
            _ => None,
        });
        assert!(text.as_deref().is_some_and(|text| text.contains("no network")), "{text:?}");
    }
}

#[test]
fn a_nap_while_connecting_leaves_time_to_connect() {
    let mut script = Script::new(options());
    script.later(600_000);
    assert_eq!(script.closed(), None);
    for _ in 0..100 {
        for socket in script.opened() {
            script.greet(socket);
        }
        script.later(10);
    }
    assert!(script.engine.is_live(), "{:?}", script.effects);

    // But timers of a hidden page, which are late each time, do not keep it from ending.
    let mut script = Script::new(options());
    for _ in 0..4 {
        script.later(60_000);
    }
    assert_eq!(script.closed(), Some(Code::Connection));
}

#[test]
fn two_naps_are_no_verdict_and_bytes_end_the_count() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    for _ in 0..2 {
        script.later(60_000);
    }
    assert_eq!(script.engine.live, Some(live));
    for _ in 0..5 {
        script.say(live, b"+OK\r\n");
        script.later(60_000);
    }
    assert_eq!(script.engine.live, Some(live));
}

#[test]
fn a_nap_is_no_time_out_of_a_dial() {
    let mut script = Script::live();
    let live = script.engine.live.unwrap();
    script.engine.socket_closed(live, SocketEnd::Closed(1_006, String::new()), script.now);
    while script.opened().last() == Some(&live) {
        script.later(10);
    }
    let dial = *script.opened().last().unwrap();
    // Longer than a dial may take.
    let limit = script.engine.options.config.dial.timeout;
    script.later(u64::try_from(limit.as_millis()).unwrap() + 1_000);
    script.engine.socket_opened(dial, script.now);
    script.say(dial, INFO);
    script.say(dial, b"PONG\r\n");
    assert_eq!(script.engine.live, Some(dial), "{:?}", script.effects);
}
