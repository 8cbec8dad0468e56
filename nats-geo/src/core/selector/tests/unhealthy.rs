//! Regions that answer but are unhealthy, and regions with too few servers.

use super::super::super::{Action, Config, EndpointId, MoveCause, NoticeKind, Reason, Time};
use super::world::{Mood, World, unhealthy};
use super::{ms, secs};

fn moves(world: &World, since: Time) -> Vec<MoveCause> {
    let cause = |(_, kind)| match kind {
        NoticeKind::Moved { cause, .. } => Some(cause),
        _ => None,
    };
    world.notices(since).into_iter().filter_map(cause).collect()
}

fn count(world: &World, since: Time, is_it: impl Fn(&NoticeKind) -> bool) -> usize {
    world.notices(since).iter().filter(|(_, kind)| is_it(kind)).count()
}

/// The fail-back times of the default, scaled down so that a test is short.
fn quick() -> Config {
    let mut config = Config::interactive();
    config.fail_back.spread = secs(10);
    config
}

/// For as long, the check of the live link fails every 5 s if its region is unhealthy.
fn check_for(world: &mut World, duration: std::time::Duration) {
    let end = world.now + duration;
    while world.now < end {
        if world.region().is_some_and(|region| world.unhealthy.contains(region)) {
            world.event(unhealthy(world.active_conn()));
        }
        world.run_for(secs(5));
    }
}

#[test]
fn an_unhealthy_region_is_left_make_before_break_and_returned_to_when_it_is_healthy() {
    for seed in 0..20 {
        let mut world = World::settled(quick(), seed);
        let (since, old) = (world.now, world.active_conn());
        world.unhealthy.insert("lon");
        world.event(unhealthy(old));
        world.run_for(secs(1));
        assert_eq!(world.region(), Some("ams"));
        assert_eq!(moves(&world, since), [MoveCause::Unhealthy]);
        let position = |is_it: &dyn Fn(&Action) -> bool| {
            world.actions.iter().position(|(at, action)| *at >= since && is_it(action)).unwrap()
        };
        let activated = position(&|action| matches!(action, Action::Activate { .. }));
        let closed = position(&|action| matches!(action, Action::Close { conn, .. } if *conn == old));
        assert!(activated < closed, "make before break");
        let snapshot = world.selector.snapshot(world.now);
        let lon = snapshot.ranking.iter().find(|server| server.region.as_str() == "lon").unwrap();
        assert!(matches!(lon.reason, Reason::UnhealthyRegion { .. }), "{lon:?}");

        // It is tried now and then, and not entered.
        check_for(&mut world, secs(300));
        assert_eq!((world.region(), moves(&world, since).len()), (Some("ams"), 1));
        let tries = world.opens(since).iter().filter(|(_, server)| *server < 3).count();
        assert!((2..=10).contains(&tries), "{tries} tries in 5 min");

        world.unhealthy.clear();
        // The last try was followed by 240 s at most, then good probes and the spread.
        world.run_for(secs(300));
        assert_eq!(world.region(), Some("lon"));
        assert_eq!(moves(&world, since), [MoveCause::Unhealthy, MoveCause::FailBack]);
    }
}

#[test]
fn if_all_regions_are_unhealthy_the_client_stays_and_says_so_once() {
    let mut world = World::settled(quick(), 1);
    let (since, old) = (world.now, world.active_conn());
    world.unhealthy.extend(["lon", "ams", "dal"]);
    check_for(&mut world, secs(20));
    assert_eq!(world.active_conn(), old);
    assert_eq!(count(&world, since, |kind| matches!(kind, NoticeKind::NoHealthyAlternative(_))), 1);
    assert_eq!(count(&world, since, |kind| matches!(kind, NoticeKind::Unhealthy { .. })), 3);
    let tried: Vec<_> = world.opens(since).iter().map(|(_, server)| world.servers[*server].region).collect();
    assert_eq!(tried, ["ams", "dal"], "each once");
    check_for(&mut world, secs(580));
    assert_eq!(world.active_conn(), old);
    assert_eq!(count(&world, since, |kind| matches!(kind, NoticeKind::NoHealthyAlternative(_))), 1);
    assert!(world.opens(since).len() <= 40, "nobody is hammered: {:?}", world.opens(since));

    world.unhealthy.remove("dal");
    check_for(&mut world, secs(40));
    assert_eq!(world.region(), Some("dal"), "the client moves to the healthy region");
}

#[test]
fn the_next_region_is_asked_when_the_first_is_unhealthy_too() {
    let mut world = World::settled(quick(), 1);
    let since = world.now;
    world.unhealthy.extend(["lon", "ams"]);
    world.event(unhealthy(world.active_conn()));
    world.run_for(secs(2));
    assert_eq!(world.region(), Some("dal"));
    assert_eq!(moves(&world, since), [MoveCause::Unhealthy]);
}

#[test]
fn a_region_that_is_unhealthy_again_and_again_is_damped() {
    let mut world = World::settled(quick(), 1);
    let since = world.now;
    for _ in 0..3 {
        world.unhealthy.insert("lon");
        world.event(unhealthy(world.active_conn()));
        world.run_for(secs(1));
        assert_eq!(world.region(), Some("ams"));
        world.unhealthy.clear();
        world.run_for(secs(60));
    }
    assert_eq!(count(&world, since, |kind| matches!(kind, NoticeKind::Damped { .. })), 1);
    assert_eq!(world.region(), Some("ams"));
}

#[test]
fn a_dead_region_is_left_for_an_unhealthy_one_if_there_is_no_other() {
    let mut world = World::settled(quick(), 1);
    world.unhealthy.extend(["ams", "dal"]);
    for server in world.in_region("lon") {
        world.kill(server);
    }
    world.run_for(secs(1));
    assert_eq!(world.region(), Some("ams"), "nothing would be worse");
}

#[test]
fn a_standby_in_a_healthy_region_is_taken() {
    let mut config = quick();
    config.warm_standby = true;
    let mut world = World::settled(config, 1);
    let (since, standby) = (world.now, world.selector.snapshot(world.now).standby.unwrap());
    world.unhealthy.insert("lon");
    world.event(unhealthy(world.active_conn()));
    world.run_for(ms(100));
    assert_eq!(world.active_conn(), standby.conn);
    assert!(world.opens(since).iter().all(|(_, server)| EndpointId(*server as u64) != standby.endpoint));
}

#[test]
fn under_a_connection_limit_the_unhealthy_region_is_left_all_the_same() {
    let mut world = World::settled(quick(), 1);
    let since = world.now;
    (0..9).for_each(|server| world.servers[server].mood = Mood::Limited);
    world.unhealthy.insert("lon");
    world.event(unhealthy(world.active_conn()));
    world.run_for(secs(4));
    assert_eq!(world.region(), Some("ams"));
    assert_eq!(moves(&world, since), [MoveCause::Unhealthy]);
    assert_eq!(count(&world, since, |kind| matches!(kind, NoticeKind::BreakBeforeMake(_))), 1);
}

#[test]
fn verdicts_about_links_that_carry_nothing_are_ignored() {
    let mut config = quick();
    config.warm_standby = true;
    let mut world = World::settled(config, 1);
    let since = world.now;
    let standby = world.selector.snapshot(world.now).standby.unwrap();
    world.event(unhealthy(standby.conn));
    world.event(unhealthy(super::super::super::ConnId(999)));
    world.run_for(secs(5));
    assert!(moves(&world, since).is_empty());
    assert_eq!(count(&world, since, |kind| matches!(kind, NoticeKind::Unhealthy { .. })), 0);
}

#[test]
fn a_region_is_not_entered_before_enough_of_its_servers_answer_and_not_left_when_fewer_do() {
    let mut config = quick();
    config.rank.servers_min = 2;
    let mut world = World::new(config, 1);
    world.servers[0].mood = Mood::Down;
    world.servers[1].mood = Mood::Down;
    world.run_for(secs(60));
    assert_eq!(world.region(), Some("ams"), "one server of lon is too few");
    let reasons = world.selector.snapshot(world.now).ranking;
    assert!(reasons.iter().any(|server| server.reason == Reason::TooFew { answering: 1 }), "{reasons:?}");
    world.restart(0);
    world.run_for(secs(400));
    assert_eq!(world.region(), Some("lon"), "two are enough");
    let (since, here) = (world.now, world.active().unwrap());
    for server in (0..3).filter(|server| *server != here) {
        world.servers[server].mood = Mood::Down;
    }
    world.run_for(secs(400));
    assert_eq!((world.active(), moves(&world, since).len()), (Some(here), 0));
}
