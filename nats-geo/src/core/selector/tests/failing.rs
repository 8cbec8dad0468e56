//! Tests of failover: a lost server, a lost region, silence, and failures of the client's own network.

use super::super::super::{Action, CapacityHint, Cause, Config, Event, MoveCause, NoticeKind, Time};
use super::world::{Mood, World};
use super::{ms, secs};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The first move since `since`: after how long, why, and where to.
fn first_move(world: &World, since: Time) -> (Duration, MoveCause, String) {
    let moved = |(after, kind)| match kind {
        NoticeKind::Moved { to, cause, .. } => Some((after, cause, to.region.as_str().to_owned())),
        _ => None,
    };
    world.notices(since).into_iter().find_map(moved).expect("it moves")
}

fn kill_region(world: &mut World, region: &str) {
    world.in_region(region).into_iter().for_each(|server| world.kill(server));
}

fn silence_region(world: &mut World, region: &str) {
    world.in_region(region).into_iter().for_each(|server| world.silence(server));
}

#[test]
fn a_lost_server_is_replaced_by_a_sibling_within_four_round_trips() {
    for seed in 0..30 {
        let mut world = World::settled(Config::interactive(), seed);
        let since = world.now;
        world.kill(world.active().unwrap());
        world.run_for(secs(1));
        let (after, cause, region) = first_move(&world, since);
        assert!(after <= ms(4), "{after:?}: half a round trip to hear of it, three to open");
        assert_eq!((cause, region.as_str()), (MoveCause::ServerLost, "lon"));
        assert_eq!(world.opens(since).len(), 1, "no other region was bothered");
    }
}

#[test]
fn a_lost_region_is_left_for_the_next_within_four_round_trips() {
    for seed in 0..30 {
        let mut world = World::settled(Config::interactive(), seed);
        let since = world.now;
        kill_region(&mut world, "lon");
        world.run_for(secs(1));
        let (after, cause, region) = first_move(&world, since);
        assert!(after <= ms(30), "{after:?}: 0.5 ms to hear, 1 ms until a sibling refuses, 27 ms to open");
        assert_eq!((cause, region.as_str()), (MoveCause::RegionLost, "ams"));
    }
}

/// The second dial outside lon, when lon is lost and the next region, ams, is asked by too many to answer.
fn second_choice(config: Config, seed: u64) -> &'static str {
    let regions = [("lon", 1), ("ams", 9), ("par", 12), ("fra", 15), ("dal", 113)];
    let mut world = World::of(&regions, 3, config, seed);
    world.run_for(secs(10));
    let since = world.now;
    silence_region(&mut world, "ams");
    kill_region(&mut world, "lon");
    world.run_for(secs(10));
    let regions = world.opens(since).into_iter().map(|(_, server)| world.servers[server].region);
    let elsewhere: Vec<_> = regions.filter(|region| *region != "lon").collect();
    assert_eq!(elsewhere[0], "ams", "the nearest is asked first");
    elsewhere[1]
}

#[test]
fn one_of_a_herd_goes_on_by_chance_where_the_next_region_does_not_answer() {
    let mut counts = BTreeMap::new();
    for seed in 0..60 {
        *counts.entry(second_choice(Config::fleet(), seed)).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 4, "{counts:?}");
    assert!(counts.values().all(|count| *count >= 5), "{counts:?}");
}

/// The times between dials outside lon, when lon is lost and nobody has room for those who flee.
fn gaps_in_a_crowd(config: Config, mood: Mood, seed: u64) -> Vec<Duration> {
    let mut world = World::of(&[("lon", 1), ("ams", 9), ("dal", 113)], 3, config, seed);
    world.run_for(secs(10));
    let since = world.now;
    for region in ["ams", "dal"] {
        world.in_region(region).into_iter().for_each(|server| world.servers[server].mood = mood);
    }
    kill_region(&mut world, "lon");
    world.run_for(secs(60));
    let opens = world.opens(since).into_iter();
    let elsewhere: Vec<_> = opens.filter(|(_, server)| world.servers[*server].region != "lon").collect();
    elsewhere.windows(2).map(|pair| pair[1].0 - pair[0].0).take(5).collect()
}

#[test]
fn one_of_a_herd_asks_more_and_more_seldom_whoever_has_too_much_to_do() {
    let longest = |mood, place: usize| {
        let gaps = (0..40).map(|seed| gaps_in_a_crowd(Config::fleet(), mood, seed)[place]);
        gaps.max().unwrap_or_default()
    };
    let seen: Vec<_> = (0..5).map(|place| longest(Mood::Overloaded, place)).collect();
    let within = |place: usize, low: u64, high: u64| (ms(low)..=ms(high)).contains(&seen[place]);
    assert!(
        within(0, 1_700, 2_300) && within(1, 5_000, 6_300),
        "{seen:?}: up to 2 s, then 2 s and up to 4 ..."
    );
    assert!((2..5).all(|place| within(place, 9_000, 10_300)), "{seen:?}: ... and up to 8, but no more");
    // Silence tells nothing before the attempt has had its time.
    let seen: Vec<_> = (0..5).map(|place| longest(Mood::Silent, place)).collect();
    assert_eq!(seen[0], secs(2));
    assert!(seen[1] > ms(3_500) && seen[1] <= secs(4), "{seen:?}");
    assert!(seen[4] > secs(8) && seen[4] <= secs(10), "{seen:?}");
}

/// Everybody who used the lost server asks its siblings.
#[test]
fn siblings_without_room_do_not_prove_the_region_down() {
    for seed in 0..20 {
        let mut world = World::of(&[("lon", 1), ("ams", 9)], 4, Config::fleet(), seed);
        world.run_for(secs(40));
        let since = world.now;
        let lost = world.active().unwrap();
        let siblings: Vec<_> = world.in_region("lon").into_iter().filter(|server| *server != lost).collect();
        siblings[1..].iter().for_each(|server| world.servers[*server].mood = Mood::Overloaded);
        world.kill(lost);
        world.run_for(secs(1));
        let (_, cause, region) = first_move(&world, since);
        assert_eq!((cause, region.as_str()), (MoveCause::ServerLost, "lon"), "one of them has room");
    }
}

#[test]
fn a_client_alone_asks_everybody_at_once_and_servers_that_are_down_hold_up_nobody() {
    for (config, mood) in [(Config::interactive(), Mood::Overloaded), (Config::fleet(), Mood::Down)] {
        let gaps = gaps_in_a_crowd(config, mood, 1);
        assert!(gaps.len() == 5 && gaps.iter().all(|gap| *gap < ms(300)), "{mood:?}: {gaps:?}");
    }
}

#[test]
fn a_client_alone_keeps_to_the_ranking() {
    let chosen: BTreeSet<_> = (0..20).map(|seed| second_choice(Config::interactive(), seed)).collect();
    assert_eq!(chosen, BTreeSet::from(["ams"]));
}

#[test]
fn with_a_standby_a_lost_region_is_left_as_soon_as_a_sibling_refuses() {
    let mut config = Config::interactive();
    config.warm_standby = true;
    let mut world = World::settled(config, 1);
    let since = world.now;
    kill_region(&mut world, "lon");
    world.run_for(secs(1));
    let (after, _, region) = first_move(&world, since);
    assert_eq!((after, region.as_str()), (Duration::from_micros(1_500), "ams"));
    world.run_for(secs(5));
    let standby = world.selector.snapshot(world.now).standby.unwrap();
    assert_eq!(standby.region.as_str(), "dal", "lon does not answer");
}

#[test]
fn with_a_standby_a_lost_server_still_stays_in_its_region() {
    let mut config = Config::interactive();
    config.warm_standby = true;
    let mut world = World::settled(config, 1);
    let since = world.now;
    world.kill(world.active().unwrap());
    world.run_for(secs(1));
    assert_eq!(first_move(&world, since).2, "lon");
}

#[test]
fn a_silent_region_is_left_after_ping_phase_suspicion_and_three_round_trips() {
    for seed in 0..30 {
        let mut world = World::settled(Config::interactive(), seed);
        world.run_for(ms(seed * 17));
        let since = world.now;
        silence_region(&mut world, "lon");
        world.run_for(secs(3));
        let (after, cause, region) = first_move(&world, since);
        assert!((ms(277)..=ms(777)).contains(&after), "{after:?}: U(0, 500) + 250 + 3 x 9");
        assert_eq!((cause, region.as_str()), (MoveCause::Suspicion, "ams"));
        let moves =
            world.notices(since).into_iter().filter(|(_, kind)| matches!(kind, NoticeKind::Moved { .. }));
        assert_eq!(moves.count(), 1);
        assert_eq!(world.open_conns().len(), 1, "the silent link was given up");
    }
}

#[test]
fn with_a_standby_suspicion_moves_at_once() {
    let mut config = Config::interactive();
    config.warm_standby = true;
    let mut world = World::settled(config, 1);
    let since = world.now;
    silence_region(&mut world, "lon");
    world.run_for(secs(3));
    let suspected =
        world.notices(since).into_iter().find(|(_, kind)| matches!(kind, NoticeKind::Suspected(_)));
    assert_eq!(first_move(&world, since).0, suspected.unwrap().0);
}

#[test]
fn a_silent_connection_to_a_living_server_is_swapped_within_the_server() {
    let mut world = World::settled(Config::interactive(), 2);
    let (since, server, before) = (world.now, world.active(), world.active_conn());
    world.hang(before);
    world.run_for(secs(3));
    assert_eq!(world.active(), server);
    assert_ne!(world.active_conn(), before);
    let (after, cause, _) = first_move(&world, since);
    assert!(after <= ms(753) && cause == MoveCause::Suspicion, "{after:?}: U(0, 500) + 250 + 3 x 1");
    assert_eq!(world.open_conns().len(), 1);
}

#[test]
fn a_wrong_suspicion_costs_a_connection_and_traffic_comes_back() {
    let mut world = World::settled(Config::interactive(), 2);
    let (since, home) = (world.now, world.active_conn());
    silence_region(&mut world, "lon");
    world.run_for(ms(800));
    assert_eq!(world.region(), Some("ams"));
    for server in world.in_region("lon") {
        world.servers[server].mood = Mood::Up;
    }
    // The PONG was only late.
    world.late_pongs(home, since);
    world.run_for(secs(3));
    assert_eq!(world.active_conn(), home);
    assert_eq!(world.open_conns().len(), 1);
    let causes: Vec<_> = world
        .notices(since)
        .into_iter()
        .filter_map(|(_, kind)| if let NoticeKind::Moved { cause, .. } = kind { Some(cause) } else { None })
        .collect();
    assert_eq!(causes, [MoveCause::Suspicion, MoveCause::Recovered]);
}

#[test]
fn the_first_attempts_of_a_fleet_lie_over_two_seconds() {
    let first_elsewhere = |seed| {
        let mut world = World::settled(Config::fleet(), seed);
        let since = world.now;
        kill_region(&mut world, "lon");
        world.run_for(secs(4));
        assert_eq!(world.region(), Some("ams"));
        world.opens(since).into_iter().find(|(_, server)| world.servers[*server].region == "ams").unwrap().0
    };
    let attempts: Vec<_> = (0..200).map(first_elsewhere).collect();
    for half_second in 0..4 {
        let within = |at: &&Duration| (at.as_millis() / 500) as u64 == half_second;
        let share = attempts.iter().filter(within).count();
        assert!((25..=75).contains(&share), "{share} of 200 in half second {half_second}");
    }
    assert!(attempts.iter().all(|at| *at < ms(2_400)));
}

#[test]
fn if_every_region_falls_silent_nobody_is_charged() {
    let mut world = World::settled(Config::interactive(), 1);
    for _ in 0..4 {
        let since = world.now;
        (0..9).for_each(|server| world.silence(server));
        world.run_for(secs(30));
        (0..9).for_each(|server| world.servers[server].mood = Mood::Up);
        world.run_for(secs(60));
        assert!(world.active().is_some());
        let damped = |(_, kind): &(Duration, NoticeKind)| matches!(kind, NoticeKind::Damped { .. });
        assert!(!world.notices(since).iter().any(damped));
    }
}

#[test]
fn a_stall_of_the_host_is_no_verdict() {
    let mut world = World::settled(Config::interactive(), 1);
    let (since, home) = (world.now, world.active_conn());
    world.sleep(secs(600));
    world.run_for(secs(5));
    assert_eq!(world.active_conn(), home);
    let kinds: Vec<_> = world.notices(since).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [NoticeKind::Stalled]);
}

#[test]
fn with_one_region_failover_inside_it_goes_on() {
    let mut world = World::of(&[("lon", 1)], 3, Config::interactive(), 1);
    world.run_for(secs(1));
    for _ in 0..2 {
        world.kill(world.active().unwrap());
        world.run_for(secs(5));
        assert!(world.active().is_some());
    }
    let last = world.active().unwrap();
    world.kill(last);
    world.run_for(secs(5));
    assert_eq!(world.active(), None);
    world.restart(last);
    world.run_for(secs(60));
    assert_eq!(world.active(), Some(last));
}

#[test]
fn after_a_long_outage_a_wake_up_dials_at_once() {
    let mut world = World::settled(Config::interactive(), 3);
    for server in 0..world.servers.len() {
        world.kill(server);
    }
    // Long enough for back-offs of up to 30 s.
    world.run_for(secs(120));
    assert_eq!(world.active(), None);
    for server in 0..world.servers.len() {
        world.restart(server);
    }
    let since = world.now;
    world.event(Event::Resumed);
    world.run_for(ms(2_100));
    let (first, _) = *world.opens(since).first().unwrap();
    assert!(first <= secs(2), "{first:?}: at most one token of the budget away");
    assert!(world.active().is_some());
}

#[test]
fn a_link_that_was_left_does_not_stay_open_when_a_stall_voids_its_verdict() {
    let mut world = World::settled(Config::interactive(), 2);
    world.in_region("lon").into_iter().for_each(|server| world.silence(server));
    world.run_for(ms(800));
    assert_eq!(world.region(), Some("ams"));
    // It answers again, but the host stalls before it is asked.
    world.in_region("lon").into_iter().for_each(|server| world.servers[server].mood = Mood::Up);
    world.sleep(secs(2));
    world.run_for(secs(20));
    assert_eq!(world.open_conns().len(), 1);
}

#[test]
fn a_standby_that_falls_silent_is_closed_once() {
    let mut config = Config::interactive();
    config.warm_standby = true;
    let mut world = World::settled(config, 1);
    let since = world.now;
    let standby = world.selector.snapshot(world.now).standby.unwrap().conn;
    world.hang(standby);
    world.run_for(secs(3));
    let is_close = |(at, action): &&(Time, Action)| *at >= since && matches!(action, Action::Close { .. });
    assert_eq!(world.actions.iter().filter(is_close).count(), 1);
}

#[test]
fn a_herd_does_not_race_for_the_survivors() {
    let mut config = Config::interactive();
    config.spread.capacity = Some(CapacityHint { clients: 1_000, accepts_per_second: 1_000.0 });
    let mut world = World::settled(config, 1);
    let since = world.now;
    world.in_region("lon").into_iter().for_each(|server| world.kill(server));
    // They are so busy that a handshake takes 900 ms.
    world.in_region("ams").into_iter().for_each(|server| world.servers[server].rtt = ms(300));
    world.run_for(secs(5));
    assert_eq!(world.region(), Some("ams"));
    let asked =
        world.opens(since).iter().filter(|(_, server)| world.servers[*server].region == "ams").count();
    assert_eq!(asked, 1, "one handshake per client");
}

/// A silent link turns out to be refused: every region is asked, one server at a time.
#[test]
fn a_suspected_link_that_ends_with_refused_credentials_asks_every_region() {
    let mut world = World::settled(Config::interactive(), 7);
    let lon = world.in_region("lon");
    let (conn, start) = (world.active_conn(), world.now);
    let ams = world.in_region("ams");
    for server in lon.iter().chain(&ams) {
        world.silence(*server);
    }
    world.run_for(Duration::from_millis(500));
    assert!(world.opens(start).iter().any(|(_, server)| ams.contains(server)), "the race did not begin");
    for server in 0..world.servers.len() {
        world.servers[server].mood = Mood::Locked;
    }
    world.event(Event::Closed { conn, cause: Cause::Auth("revoked".into()) });
    let refused_at = world.now;
    world.run_for(Duration::from_secs(120));
    let opens = world.opens(refused_at);
    for region in ["lon", "ams", "dal"] {
        let tries = opens.iter().filter(|(_, server)| world.servers[*server].region == region).count();
        assert!((3..20).contains(&tries), "{region}: {tries} in {opens:?}");
    }
    let told = world.notices(refused_at);
    let refused = told.iter().filter(|(_, kind)| matches!(kind, NoticeKind::CredentialsRefused { .. }));
    assert_eq!(refused.count(), 1, "{told:?}");
    for server in 0..world.servers.len() {
        world.servers[server].mood = if lon.contains(&server) { Mood::Down } else { Mood::Up };
    }
    world.run_for(Duration::from_secs(120));
    assert_eq!(world.region(), Some("ams"));
}
