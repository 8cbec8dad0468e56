//! Tests of the rules of the policy. The tests state each time as a number.
//!
//! This folder has a small simulated world (`world`) of servers and paths, and one file of tests for each part of the
//! policy.

mod contracts;
mod failing;
mod identity;
mod returning;
mod unhealthy;
mod world;

use std::time::Duration;

use super::super::{
    Action, Config, ConfigError, Endpoint, EndpointId, Event, MoveCause, NoticeKind, Reason, Time,
};
use super::Selector;
use world::{Mood, Server, World};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn every_client_connects_to_its_own_region_at_the_start_window() {
    for seed in 0..100 {
        let mut world = World::new(Config::interactive(), seed);
        world.run_for(ms(19));
        assert!(world.opens(Time::ZERO).is_empty(), "others may still answer");
        world.run_for(ms(2));
        assert_eq!(world.opens(Time::ZERO).len(), 1);
        world.run_for(ms(10));
        assert_eq!(world.region(), Some("lon"));
    }
}

#[test]
fn the_start_window_waits_50_ms_at_most_and_no_longer_than_the_probes() {
    let mut world = World::of(&[("dal", 60), ("syd", 250)], 1, Config::interactive(), 1);
    world.run_for(ms(119));
    assert!(world.opens(Time::ZERO).is_empty(), "nobody answered before 120 ms");
    world.run_for(ms(1));
    assert_eq!(world.opens(Time::ZERO), [(ms(120), 0)]);

    let mut world = World::of(&[("one", 1)], 2, Config::interactive(), 1);
    world.run_for(ms(5));
    assert!(world.opens(Time::ZERO).is_empty(), "three samples each");
    world.run_for(ms(1));
    assert_eq!(world.opens(Time::ZERO).len(), 1, "all probes are back: nothing to wait for");
}

/// Found by the simulated herd: 36 servers, of which 32 are probed at once, and the nearest are not among them.
#[test]
fn the_choice_waits_until_every_server_was_asked() {
    let far: [(&str, u64); 11] =
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"].map(|region| (region, 60));
    let regions: Vec<_> = far.into_iter().chain([("near", 1)]).collect();
    let mut world = World::of(&regions, 3, Config::interactive(), 1);
    world.run_for(ms(300));
    assert_eq!(world.region(), Some("near"));
    assert_eq!(
        world.notices(Time::ZERO).iter().filter(|(_, kind)| matches!(kind, NoticeKind::Connected(_))).count(),
        1
    );
    // With more than the budget of the first minute, those that were not asked are not waited for.
    let regions: Vec<_> = (0..100).map(|_| ("far", 60)).chain([("near", 1)]).collect();
    let mut world = World::of(&regions, 3, Config::interactive(), 1);
    world.run_for(secs(1));
    assert_eq!(world.region(), Some("far"));
}

/// The first answer tells of another server: it gets as long to answer as the others had, and no longer.
#[test]
fn a_server_that_the_first_answer_told_of_gets_a_start_window() {
    let mut world = World::of(&[("lon", 1), ("dal", 113)], 1, Config::interactive(), 1);
    world.event(Event::Withdrawn(EndpointId(1)));
    world.run_for(ms(3));
    world.event(Event::Discovered(Endpoint::new(EndpointId(1), "dal-1:4222")));
    world.run_for(ms(60));
    assert_eq!(world.opens(Time::ZERO), [(ms(23), 0)]);
}

#[test]
fn a_late_first_sample_does_not_decide() {
    for seed in 0..50 {
        // A busy process reads nothing for 14 ms, so that ams looks 7 ms away, tied with lon.
        let regions = [("lon", 9), ("ams", 1)];
        let mut world = World::busy_at_start(&regions, 3, Config::interactive(), seed, ms(14));
        world.run_for(secs(1));
        assert_eq!(world.region(), Some("ams"));
    }
}

/// As in browsers, which open sockets one after the other: the nearest region answers after the choice.
fn chosen_before_lon_answered(config: Config) -> World {
    let mut world = World::busy_at_start(&[("lon", 1)], 2, config, 1, ms(90));
    for (index, region) in ["ams", "ams"].into_iter().enumerate() {
        world.servers.push(Server { region, rtt: ms(9), mood: Mood::Up, life: 0 });
        let id = EndpointId(2 + index as u64);
        world.event(Event::Discovered(Endpoint::new(id, format!("{region}-{id}:4222"))));
    }
    world.run_for(ms(89));
    assert_eq!(world.region(), Some("ams"), "it does not wait for whoever may be nearer");
    world
}

#[test]
fn a_first_choice_on_poor_evidence_is_corrected_within_the_review() {
    let mut config = Config::interactive();
    config.probe.start_samples = 1;
    config.probe.start_review = secs(4);
    let mut world = chosen_before_lon_answered(config.clone());
    world.run_for(ms(200));
    assert_eq!(world.region(), Some("lon"));
    let moves = world.notices(Time::ZERO).into_iter().filter_map(|(_, kind)| match kind {
        NoticeKind::Moved { cause, .. } => Some(cause),
        _ => None,
    });
    assert_eq!(moves.collect::<Vec<_>>(), [MoveCause::Faster]);

    config.probe.start_review = Duration::ZERO;
    let mut world = chosen_before_lon_answered(config);
    world.run_for(secs(10));
    assert_eq!(world.region(), Some("ams"), "without a review it is a faster region like any other");
}

#[test]
fn a_review_moves_nobody_for_a_tie_or_to_a_region_that_failed() {
    let mut config = Config::interactive();
    config.probe.start_samples = 1;
    config.probe.start_review = secs(4);
    for seed in 0..50 {
        let mut world = World::busy_at_start(&[("lon", 7)], 2, config.clone(), seed, ms(90));
        for id in [2, 3] {
            world.servers.push(Server { region: "ams", rtt: ms(9), mood: Mood::Up, life: 0 });
            world.event(Event::Discovered(Endpoint::new(EndpointId(id), format!("ams-{id}:4222"))));
        }
        world.run_for(secs(10));
        assert_eq!(world.region(), Some("ams"), "2 ms are a tie");

        let mut world = World::of(&[("lon", 1), ("ams", 9), ("syd", 250)], 1, config.clone(), seed);
        world.run_for(ms(100));
        assert_eq!(world.region(), Some("lon"));
        world.kill(0);
        world.run_for(ms(100));
        world.restart(0);
        world.run_for(secs(5));
        assert_eq!(world.region(), Some("ams"), "what failed is returned to with care");
    }
}

#[test]
fn the_clients_of_a_region_divide_over_its_servers() {
    let mut clients = [0; 3];
    for seed in 0..150 {
        clients[World::settled(Config::fleet(), seed).active().unwrap()] += 1;
    }
    assert!(clients.iter().all(|count| (30..70).contains(count)), "{clients:?}");
}

#[test]
fn while_nothing_answers_it_says_offline_once_and_goes_on_trying() {
    let mut world = World::new(Config::interactive(), 3);
    (0..9).for_each(|server| world.servers[server].mood = Mood::Down);
    world.run_for(secs(120));
    let offline = world.notices(Time::ZERO).iter().filter(|(_, kind)| *kind == NoticeKind::Offline).count();
    assert_eq!(offline, 1);
    (0..9).for_each(|server| world.restart(server));
    world.run_for(secs(30));
    assert_eq!(world.region(), Some("lon"), "back within the cap of the back-off");
}

#[test]
fn refused_credentials_are_shown_to_one_server_of_each_region() {
    let mut world = World::new(Config::interactive(), 3);
    (0..9).for_each(|server| world.servers[server].mood = Mood::Locked);
    world.run_for(ms(480));
    let regions: Vec<_> =
        world.opens(Time::ZERO).iter().map(|(_, server)| world.servers[*server].region).collect();
    assert_eq!(regions, ["lon", "ams", "dal"]);
    let refused = |world: &World| {
        let all = world.notices(Time::ZERO).into_iter();
        all.filter(|(_, kind)| matches!(kind, NoticeKind::CredentialsRefused { .. })).collect::<Vec<_>>()
    };
    let [(at, NoticeKind::CredentialsRefused { regions })] = &refused(&world)[..] else {
        panic!("one notice")
    };
    assert!(*at < ms(480) && regions.len() == 3, "{at:?} {regions:?}");
    world.run_for(secs(60));
    let per_region = world.opens(Time::ZERO).len() / 3;
    assert!((3..15).contains(&per_region), "nobody is hammered: {per_region}");
    assert_eq!(refused(&world).len(), 1, "said once");
}

#[test]
fn where_the_nearest_server_refuses_the_credentials_another_region_takes_them() {
    let mut world = World::new(Config::interactive(), 3);
    (0..3).for_each(|server| world.servers[server].mood = Mood::Locked);
    world.run_for(secs(1));
    assert_eq!(world.region(), Some("ams"));
    assert_eq!(world.opens(Time::ZERO).len(), 2, "lon was asked once");
    let reason = |world: &World| {
        let ranking = world.selector.snapshot(world.now).ranking;
        ranking.into_iter().find(|server| server.region.as_str() == "lon").unwrap().reason
    };
    assert!(matches!(reason(&world), Reason::CredentialsRefused { .. }), "{:?}", reason(&world));
    // It is asked again, more and more seldom, for as long as it refuses.
    world.run_for(secs(1_200));
    let tries = world.opens(Time::ZERO).len() - 2;
    assert!((2..9).contains(&tries), "{tries} tries in 20 minutes");
    (0..3).for_each(|server| world.servers[server].mood = Mood::Up);
    world.run_for(secs(600));
    assert_eq!(world.region(), Some("lon"));
}

#[test]
fn two_regions_that_refuse_the_credentials_are_believed_when_the_third_does_not_answer() {
    let mut world = World::new(Config::interactive(), 3);
    (0..6).for_each(|server| world.servers[server].mood = Mood::Locked);
    (6..9).for_each(|server| world.servers[server].mood = Mood::Silent);
    world.run_for(secs(5));
    let notices = world.notices(Time::ZERO);
    let refused = notices.iter().find(|(_, kind)| matches!(kind, NoticeKind::CredentialsRefused { .. }));
    let at = refused.unwrap().0;
    assert!((secs(3)..secs(4)).contains(&at), "{at:?}");
}

#[test]
fn a_standby_is_kept_in_the_next_region_without_subscriptions() {
    let mut config = Config::interactive();
    config.warm_standby = true;
    let world = World::settled(config, 1);
    let standby = world.selector.snapshot(world.now).standby.unwrap();
    assert_eq!(standby.region.as_str(), "ams");
    let activations =
        world.actions.iter().filter(|(_, action)| matches!(action, Action::Activate { .. })).count();
    assert_eq!((world.open_conns().len(), activations), (2, 1));
}

#[test]
fn the_snapshot_shows_the_ranking_and_why() {
    let world = World::settled(Config::interactive(), 1);
    let snapshot = world.selector.snapshot(world.now);
    let regions: Vec<_> = snapshot.ranking.iter().map(|server| server.region.as_str()).collect();
    assert_eq!(regions, ["lon", "lon", "lon", "ams", "ams", "ams", "dal", "dal", "dal"]);
    assert_eq!(snapshot.ranking[0].reason, Reason::Nearest);
    assert_eq!(snapshot.ranking[8].reason, Reason::Farther { behind: ms(112) });
    let text = snapshot.to_string();
    assert!(text.starts_with("connected to lon/"), "{text}");
    assert!(text.contains("112.0 ms behind the nearest"), "{text}");
}

#[test]
fn a_wrong_configuration_is_refused_by_the_constructor() {
    let mut config = Config::fleet();
    config.watch.ping_interval = Duration::ZERO;
    let error: ConfigError = Selector::new(config, 1, Time::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "`watch.ping_interval` is 0 ms, but must be more than zero");
}
