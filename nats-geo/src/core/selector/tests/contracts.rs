//! Tests of the selector's contracts with arbitrary input.

use std::time::Duration;

use proptest::prelude::*;

use super::super::super::{
    Action, Cause, Config, ConnId, Endpoint, EndpointId, Event, OpenError, PingId, ProbeError, ProbeId,
    ProbeReport, Selector, ServerIdentity, Time,
};
use super::world::{Mood, World, unhealthy};

/// One call of a driver that may be as wrong as it likes.
#[derive(Clone, Debug)]
enum Call {
    Event(Event),
    Timeout,
    Drain,
}

fn call() -> impl Strategy<Value = Call> {
    let id = 0_u64..12;
    let event =
        (0_u8..14, id.clone(), id, 0_u64..3_000).prop_map(|(kind, id, other, ms)| event(kind, id, other, ms));
    prop_oneof![6 => event.prop_map(Call::Event), 2 => Just(Call::Timeout), 4 => Just(Call::Drain)]
}

fn event(kind: u8, id: u64, other: u64, ms: u64) -> Event {
    let (conn, probe, ping, endpoint) = (ConnId(id), ProbeId(id), PingId(id), EndpointId(id));
    let duration = Duration::from_millis(ms);
    let region = ["lon", "ams", "dal"][other as usize % 3];
    let identity = ServerIdentity::new(format!("server-{other}"), Some(region));
    match kind {
        0 => Event::Discovered(Endpoint::new(endpoint, format!("host-{id}"))),
        1 => Event::Discovered(Endpoint::new(endpoint, format!("host-{id}")).gossiped()),
        2 => Event::Withdrawn(endpoint),
        3 => Event::LameDuck(conn),
        4 => Event::Probed {
            probe,
            result: Ok(ProbeReport { time_to_info: duration, round_trips: other as u8, identity }),
        },
        5 => Event::Probed { probe, result: Err(ProbeError::TimedOut) },
        6 => Event::Opened { conn, identity },
        7 => Event::OpenFailed {
            conn,
            error: [
                OpenError::Refused,
                OpenError::ConnectionLimit,
                OpenError::Overloaded("no".into()),
                OpenError::Auth("no".into()),
            ][other as usize % 4]
                .clone(),
        },
        8 => Event::Activated { conn },
        9 => Event::ActivateFailed { conn },
        10 => Event::Pong { ping, rtt: duration },
        11 => Event::Closed {
            conn,
            cause: [Cause::Eof, Cause::Requested, Cause::Auth("no".into())][other as usize % 3].clone(),
        },
        12 => Event::Unhealthy { conn, why: "no answer".into() },
        _ => [Event::Resumed, Event::Reselect, Event::Progress { conn }][other as usize % 3].clone(),
    }
}

fn config(choice: u8) -> Config {
    let mut config = if choice.is_multiple_of(2) { Config::fleet() } else { Config::interactive() };
    config.warm_standby = choice > 1;
    config
}

/// Makes the calls, with a clock that also goes backwards, and returns every action.
fn play(calls: &[(Call, i32)], choice: u8, seed: u64) -> Vec<Action> {
    let mut selector = Selector::new(config(choice), seed, Time::ZERO).unwrap();
    let mut actions = Vec::new();
    let mut at_ms = 0_i64;
    for (call, step_ms) in calls {
        at_ms = (at_ms + i64::from(*step_ms)).max(0);
        let now = Time::from_millis(at_ms as u64);
        match call {
            Call::Event(event) => selector.handle_event(event.clone(), now),
            Call::Timeout => selector.handle_timeout(now),
            Call::Drain => actions.extend(std::iter::from_fn(|| selector.poll_action())),
        }
        let _ = selector.snapshot(now);
        assert!(selector.links.len() <= 64 && selector.actions.len() <= 2_048, "bounded");
    }
    actions.extend(std::iter::from_fn(|| selector.poll_action()));
    actions
}

/// What happens to the servers of a region, or to the client.
#[derive(Clone, Debug)]
enum Blow {
    Kill(usize),
    Silence(usize),
    Revive(usize),
    LameDuck,
    /// All servers answer; those of a region are unhealthy until the end.
    Unhealthy(&'static str),
    Sleep(u64),
}

fn blow() -> impl Strategy<Value = Blow> {
    prop_oneof![
        (0_usize..9).prop_map(Blow::Kill),
        (0_usize..9).prop_map(Blow::Silence),
        (0_usize..9).prop_map(Blow::Revive),
        Just(Blow::LameDuck),
        prop::sample::select(vec!["lon", "ams", "dal"]).prop_map(Blow::Unhealthy),
        (1_u64..100).prop_map(Blow::Sleep),
    ]
}

fn strike(world: &mut World, blow: &Blow) {
    match *blow {
        Blow::Kill(server) => world.kill(server),
        Blow::Silence(server) => world.silence(server),
        Blow::Revive(server) => world.restart(server),
        Blow::LameDuck if world.active().is_some() => world.event(Event::LameDuck(world.active_conn())),
        Blow::LameDuck => {}
        Blow::Unhealthy(region) => {
            world.unhealthy.insert(region);
            if world.region() == Some(region) {
                world.event(unhealthy(world.active_conn()));
            }
        }
        Blow::Sleep(secs) => world.sleep(Duration::from_secs(secs)),
    }
}

/// An hour of simulated time each.
const CASES: u32 = 64;

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    /// Any order of calls, ids that were never given out, time that stands still or goes back: no panic,
    /// bounded, and the same input gives the same actions.
    #[test]
    fn any_calls_are_survived_and_replay_to_the_same_actions(
        calls in prop::collection::vec((call(), -500..5_000_i32), 0..200),
        choice in 0_u8..4,
        seed: u64,
    ) {
        prop_assert_eq!(play(&calls, choice, seed), play(&calls, choice, seed));
    }

    /// After a call nothing is due any more, so an early or repeated timeout does nothing.
    #[test]
    fn repeated_and_early_timeouts_do_nothing(seed in 0_u64..1_000, choice in 0_u8..4, run_ms in 0_u64..20_000) {
        let mut world = World::new(config(choice), seed);
        world.run_for(Duration::from_millis(run_ms));
        let before = format!("{:?}", world.selector.snapshot(world.now));
        for _ in 0..3 {
            world.selector.handle_timeout(world.now);
            prop_assert_eq!(world.selector.poll_action(), None);
        }
        prop_assert_eq!(before, format!("{:?}", world.selector.snapshot(world.now)));
        prop_assert!(world.selector.poll_timeout().is_none_or(|due| due > world.now));
    }

    /// Whatever happened, once everybody is well again every client has one live link, and one only.
    #[test]
    fn it_converges_after_the_last_fault(
        seed in 0_u64..1_000,
        choice in 0_u8..4,
        blows in prop::collection::vec((blow(), 0_u64..8_000), 0..25),
    ) {
        let mut world = World::new(config(choice), seed);
        for (blow, wait_ms) in &blows {
            world.run_for(Duration::from_millis(*wait_ms));
            strike(&mut world, blow);
        }
        (0..9).for_each(|server| if world.servers[server].mood != Mood::Up { world.restart(server) });
        world.unhealthy.clear();
        world.run_for(Duration::from_secs(3_600));
        prop_assert_eq!(world.region(), Some("lon"));
        let expected = if choice > 1 { 2 } else { 1 };
        prop_assert_eq!(world.open_conns().len(), expected, "live link and standby only");
    }
}

#[test]
fn for_ever_is_a_duration_like_any_other() {
    const EVER: Duration = Duration::MAX;
    let changes: [fn(&mut Config); 16] = [
        |config| config.fail_back.gain_ratio = f64::MAX,
        |config| config.fail_back.gain_min = EVER,
        |config| {
            (config.fail_back.gain_for, config.fail_back.good_for, config.fail_back.spread) =
                (EVER, EVER, EVER)
        },
        |config| (config.watch.suspect_slack, config.watch.dead_slack) = (EVER, EVER),
        |config| (config.watch.dead_min, config.watch.dead_max) = (EVER, EVER),
        |config| (config.watch.progress_patience, config.watch.stall) = (EVER, EVER),
        |config| config.probe.timeout = EVER,
        |config| (config.probe.interval, config.probe.interval_max) = (EVER, EVER),
        |config| (config.probe.away_interval, config.probe.start_window_max) = (EVER, EVER),
        |config| config.rank.sample_age_intervals = u32::MAX,
        |config| {
            (config.rank.unhealthy_for, config.rank.unhealthy_region_for, config.rank.tie_max) =
                (EVER, EVER, EVER)
        },
        |config| {
            (config.dial.timeout, config.dial.attempt_delay_max, config.dial.stable_after) =
                (EVER, EVER, EVER)
        },
        |config| (config.dial.next_region_after, config.dial.backoff_cap) = (EVER, EVER),
        |config| {
            (config.spread.server_lost, config.spread.region_lost, config.spread.lame_duck) =
                (EVER, EVER, EVER)
        },
        |config| (config.damping.half_life, config.damping.suppress_max) = (EVER, EVER),
        |config| (config.handover.overlap_max, config.handover.drain) = (EVER, EVER),
    ];
    for change in changes {
        let mut config = Config { warm_standby: true, ..Config::interactive() };
        change(&mut config);
        let mut world = World::settled(config, 1);
        for _ in 0..3 {
            let Some(active) = world.active() else { break };
            world.event(Event::LameDuck(world.active_conn()));
            world.run_for(Duration::from_secs(20));
            world.silence(active);
            world.run_for(Duration::from_secs(20));
            world.sleep(Duration::from_secs(60));
            world.kill(active);
            world.run_for(Duration::from_secs(90));
            world.restart(active);
            world.run_for(Duration::from_secs(200));
        }
    }
}
