//! Tests of planned moves (make-before-break): lame duck, fail back, faster regions, connection limits.

use super::super::super::{
    Action, Cause, Config, Endpoint, EndpointId, Event, Handover, MoveCause, NoticeKind, Time,
};
use super::world::{Mood, World};
use super::{ms, secs};

fn moves(world: &World, since: Time) -> Vec<MoveCause> {
    let cause = |(_, kind)| match kind {
        NoticeKind::Moved { cause, .. } => Some(cause),
        _ => None,
    };
    world.notices(since).into_iter().filter_map(cause).collect()
}

/// The fail-back times of the default, scaled down so that a test is short.
fn quick() -> Config {
    let mut config = Config::interactive();
    config.fail_back.spread = secs(10);
    config
}

#[test]
fn a_lame_duck_is_left_for_a_sibling_within_5_s_make_before_break() {
    for seed in 0..30 {
        let mut world = World::settled(Config::interactive(), seed);
        let (since, old) = (world.now, world.active_conn());
        let server = world.active().unwrap();
        world.event(Event::LameDuck(old));
        world.servers[server].mood = Mood::Up;
        world.run_for(secs(6));
        assert_eq!(world.region(), Some("lon"));
        assert_ne!(world.active(), Some(server));
        assert_eq!(moves(&world, since), [MoveCause::LameDuck]);
        let steps: Vec<_> = world
            .actions
            .iter()
            .filter(|(at, _)| *at >= since)
            .filter_map(|(_, action)| match action {
                Action::Open { .. } => Some("open"),
                Action::Activate { handover: Handover::AfterBarrier, .. } => Some("activate after barrier"),
                Action::Close { conn, overlap, drain } if *conn == old => {
                    assert!(*overlap >= ms(250) && *drain == secs(2));
                    Some("close the old")
                }
                _ => None,
            })
            .collect();
        assert_eq!(steps, ["open", "activate after barrier", "close the old"]);
    }
}

#[test]
fn a_lame_duck_without_siblings_is_left_for_the_next_region() {
    let mut world = World::of(&[("lon", 1), ("ams", 9)], 1, Config::interactive(), 1);
    world.run_for(secs(1));
    world.event(Event::LameDuck(world.active_conn()));
    world.run_for(secs(6));
    assert_eq!(world.region(), Some("ams"));
}

#[test]
fn the_lame_ducks_of_a_fleet_are_left_over_5_s() {
    let left_after = |seed| {
        let mut world = World::settled(Config::fleet(), seed);
        let since = world.now;
        world.event(Event::LameDuck(world.active_conn()));
        world.run_for(secs(6));
        world.opens(since)[0].0
    };
    let times: Vec<_> = (0..100).map(left_after).collect();
    for second in 0..5 {
        let share = times.iter().filter(|at| at.as_secs() == second).count();
        assert!((8..=35).contains(&share), "{share} of 100 in second {second}");
    }
}

#[test]
fn a_lame_duck_that_ends_early_is_an_ordinary_loss_without_a_charge() {
    let mut world = World::settled(Config::interactive(), 1);
    let since = world.now;
    let server = world.active().unwrap();
    world.event(Event::LameDuck(world.active_conn()));
    world.kill(server);
    world.run_for(secs(1));
    assert_eq!(world.region(), Some("lon"));
    assert_eq!(moves(&world, since), [MoveCause::ServerLost]);
    world.run_for(secs(10));
    assert_eq!(moves(&world, since).len(), 1, "the planned move is off");
}

#[test]
fn home_again_after_a_region_loss_and_only_once() {
    for seed in 0..20 {
        let mut world = World::settled(quick(), seed);
        let since = world.now;
        for server in world.in_region("lon") {
            world.kill(server);
        }
        world.run_for(secs(20));
        assert_eq!(world.region(), Some("ams"));
        for server in world.in_region("lon") {
            world.restart(server);
        }
        let healed = world.now;
        world.run_for(secs(29));
        assert_eq!(world.region(), Some("ams"), "30 s of good probes first");
        world.run_for(secs(26));
        assert_eq!(world.region(), Some("lon"), "at most 6 + 30 + 6 + 10 s after the heal");
        world.run_for(secs(600));
        assert_eq!(moves(&world, since), [MoveCause::RegionLost, MoveCause::FailBack]);
        assert!(world.opens(healed).len() <= 2);
    }
}

#[test]
fn a_home_that_ties_with_the_next_region_is_returned_to_like_any_other() {
    let mut homes = 0;
    for seed in 0..20 {
        // Within the tie window: some clients call it home although ams is a little nearer.
        let mut world = World::of(&[("lon", 10), ("ams", 9), ("dal", 113)], 3, quick(), seed);
        world.run_for(secs(10));
        if world.region() != Some("lon") {
            continue;
        }
        homes += 1;
        let since = world.now;
        for server in world.in_region("lon") {
            world.kill(server);
        }
        world.run_for(secs(20));
        assert_eq!(world.region(), Some("ams"));
        for server in world.in_region("lon") {
            world.restart(server);
        }
        world.run_for(secs(55));
        assert_eq!(world.region(), Some("lon"));
        assert_eq!(moves(&world, since), [MoveCause::RegionLost, MoveCause::FailBack]);
    }
    assert!((5..=15).contains(&homes), "{homes} of 20 clients at home in lon");
}

#[test]
fn a_region_that_fell_silent_earns_its_return_by_what_it_answers_afterwards() {
    // More servers than are dialled in vain: the others had answered well for long.
    let mut world = World::of(&[("lon", 1), ("ams", 9)], 5, quick(), 3);
    world.run_for(secs(600));
    let since = world.now;
    for server in world.in_region("lon") {
        world.silence(server);
    }
    world.run_for(secs(2));
    assert_eq!(world.region(), Some("ams"));
    for server in world.in_region("lon") {
        world.servers[server].mood = Mood::Up;
    }
    world.run_for(secs(28));
    assert_eq!(moves(&world, since), [MoveCause::Suspicion], "good again for less than 30 s");
    world.run_for(secs(40));
    assert_eq!(moves(&world, since), [MoveCause::Suspicion, MoveCause::FailBack]);
    assert_eq!(world.region(), Some("lon"));
}

#[test]
fn a_region_that_is_lost_and_farther_than_the_next_is_not_watched_for_ever() {
    let mut world = World::of(&[("lon", 30), ("ams", 9)], 3, quick(), 1);
    for server in world.in_region("ams") {
        world.kill(server);
    }
    world.run_for(secs(10));
    assert_eq!(world.region(), Some("lon"));
    for server in world.in_region("lon") {
        world.kill(server);
    }
    world.in_region("ams").into_iter().for_each(|server| world.restart(server));
    world.run_for(secs(60));
    assert_eq!(world.region(), Some("ams"));
    world.in_region("lon").into_iter().for_each(|server| world.restart(server));
    world.run_for(secs(1_200));
    let since = world.now;
    world.run_for(secs(600));
    let probes = world.actions.iter().filter(|(at, action)| {
        *at >= since && matches!(action, Action::Probe { endpoint: EndpointId(0..=2), .. })
    });
    assert!(probes.count() <= 12, "three servers, every 5 min, and not every 5 s");
    assert_eq!(world.region(), Some("ams"));
}

#[test]
fn a_home_whose_link_dies_while_it_is_taken_up_again_is_returned_to_all_the_same() {
    let mut world = World::settled(quick(), 2);
    let (since, home) = (world.now, world.active_conn());
    for server in world.in_region("lon") {
        world.silence(server);
    }
    world.run_for(ms(800));
    assert_eq!(world.region(), Some("ams"));
    for server in world.in_region("lon") {
        world.restart(server);
    }
    // The late PONG makes the old link the target of a move; then it ends after all.
    world.late_pongs(home, since);
    world.event(Event::Closed { conn: home, cause: Cause::Eof });
    world.run_for(secs(60));
    assert_eq!(world.region(), Some("lon"));
    assert_eq!(moves(&world, since), [MoveCause::Suspicion, MoveCause::FailBack]);
}

#[test]
fn a_home_that_keeps_falling_silent_is_not_taken_up_again_each_time() {
    let mut world = World::settled(quick(), 2);
    let start = world.now;
    for _ in 0..20 {
        let (since, home) = (world.now, world.active_conn());
        for server in world.in_region("lon") {
            world.silence(server);
        }
        world.run_for(ms(800));
        for server in world.in_region("lon") {
            world.servers[server].mood = Mood::Up;
        }
        // In time: it was suspected, but not dead.
        world.late_pongs(home, since);
        world.run_for(secs(10));
    }
    assert_eq!(world.region(), Some("ams"), "damped");
    let returns = moves(&world, start).into_iter().filter(|cause| *cause == MoveCause::Recovered).count();
    assert_eq!(returns, 2, "the third time it stays away");
}

#[test]
fn one_server_back_is_not_enough_to_return() {
    let mut world = World::settled(quick(), 1);
    for server in world.in_region("lon") {
        world.kill(server);
    }
    world.run_for(secs(20));
    world.restart(0);
    world.run_for(secs(300));
    assert_eq!(world.region(), Some("ams"));
    world.restart(1);
    world.run_for(secs(60));
    assert_eq!(world.region(), Some("lon"));
}

#[test]
fn a_flapping_region_is_damped() {
    let mut world = World::settled(quick(), 1);
    let since = world.now;
    for _ in 0..6 {
        for server in world.in_region("lon") {
            world.kill(server);
        }
        world.run_for(secs(10));
        for server in world.in_region("lon") {
            world.restart(server);
        }
        world.run_for(secs(60));
    }
    let returns = moves(&world, since).into_iter().filter(|cause| *cause == MoveCause::FailBack).count();
    assert_eq!(returns, 2, "the third loss suppresses");
    assert_eq!(world.region(), Some("ams"));
    world.run_for(secs(900));
    assert_eq!(world.region(), Some("lon"), "it is forgiven in the end");
}

#[test]
fn a_region_that_became_clearly_faster_is_moved_to_after_a_minute() {
    let mut config = quick();
    config.fail_back.spread = secs(1);
    let mut world = World::of(&[("lon", 40), ("ams", 60)], 3, config, 1);
    world.run_for(secs(300));
    assert_eq!(world.region(), Some("lon"));
    for server in world.in_region("ams") {
        world.servers[server].rtt = ms(10);
    }
    let since = world.now;
    world.run_for(secs(59));
    assert_eq!(world.region(), Some("lon"));
    world.run_for(secs(600));
    assert_eq!(world.region(), Some("ams"));
    assert_eq!(moves(&world, since), [MoveCause::Faster]);
}

#[test]
fn a_connection_limit_makes_the_move_break_before_make_and_says_so() {
    let mut world = World::settled(Config::interactive(), 1);
    let since = world.now;
    world.servers.iter_mut().for_each(|server| server.mood = Mood::Limited);
    world.event(Event::LameDuck(world.active_conn()));
    world.run_for(secs(10));
    assert!(world.active().is_some());
    assert_eq!(moves(&world, since), [MoveCause::LameDuck]);
    let said = |(_, kind): &(std::time::Duration, NoticeKind)| matches!(kind, NoticeKind::BreakBeforeMake(_));
    assert!(world.notices(since).iter().any(said));
    assert_eq!(world.open_conns().len(), 1);
}

/// A link that works is not given up for a server that has no room for anybody.
#[test]
fn a_full_region_is_not_returned_to_and_costs_no_link() {
    let mut world = World::settled(Config::interactive(), 1);
    for server in world.in_region("lon") {
        world.kill(server);
    }
    world.run_for(secs(10));
    assert_eq!(world.region(), Some("ams"));
    let (since, here) = (world.now, world.active_conn());
    for server in world.in_region("lon") {
        world.restart(server);
        world.servers[server].mood = Mood::Full;
    }
    world.run_for(secs(600));
    assert!(world.opens(since).iter().any(|(_, server)| *server < 3), "it was tried");
    assert_eq!(world.active_conn(), here);
    let gave_up =
        |(_, kind): &(std::time::Duration, NoticeKind)| matches!(kind, NoticeKind::BreakBeforeMake(_));
    assert!(!world.notices(since).iter().any(gave_up));
    for server in world.in_region("lon") {
        world.servers[server].mood = Mood::Up;
    }
    world.run_for(secs(600));
    assert_eq!(world.region(), Some("lon"));
}

#[test]
fn expired_credentials_are_shown_to_every_region_and_the_own_one_is_asked_first() {
    let mut world = World::settled(Config::interactive(), 1);
    let since = world.now;
    world.servers.iter_mut().for_each(|server| server.mood = Mood::Locked);
    let conn = world.active_conn();
    world.event(Event::Closed { conn, cause: Cause::Auth("expired".into()) });
    world.run_for(secs(60));
    let regions: Vec<_> =
        world.opens(since).into_iter().map(|(_, server)| world.servers[server].region).collect();
    assert_eq!(regions[..3], ["lon", "ams", "dal"]);
    for region in ["lon", "ams", "dal"] {
        let tries = regions.iter().filter(|asked| **asked == region).count();
        assert!((2..15).contains(&tries), "nobody is hammered: {region} was asked {tries} times");
    }
}

#[test]
fn a_withdrawn_endpoint_is_not_chosen_but_a_live_link_stays() {
    let mut world = World::settled(Config::interactive(), 1);
    let home = world.active().unwrap();
    world.event(Event::Withdrawn(EndpointId(home as u64)));
    world.run_for(secs(60));
    assert_eq!(world.active(), Some(home));
    let since = world.now;
    world.silence(home);
    world.run_for(secs(60));
    assert_ne!(world.active(), Some(home));
    assert!(
        world.opens(since).iter().all(|(_, server)| *server != home),
        "not even to see whether it answers"
    );
    world.restart(home);
    world.event(Event::Discovered(Endpoint::new(EndpointId(home as u64), "again:4222")));
    world.run_for(secs(1));
    let ranking = world.selector.snapshot(world.now).ranking;
    assert!(ranking.iter().any(|server| server.address == "again:4222" && server.base_rtt.is_some()));
}

#[test]
fn a_new_choice_leads_to_the_best_region_make_before_break() {
    let mut world = World::settled(Config::interactive(), 4);
    let (since, old) = (world.now, world.active_conn());
    // The client has moved to Amsterdam: a gain of 5 ms is less than `Faster` asks for.
    for (region, rtt) in [("lon", ms(5)), ("ams", ms(1))] {
        world.in_region(region).into_iter().for_each(|server| world.servers[server].rtt = rtt);
    }
    world.event(Event::Reselect);
    world.run_for(secs(2));
    assert_eq!(world.region(), Some("ams"));
    assert_eq!(moves(&world, since), [MoveCause::Requested]);
    let closed = world.actions.iter().find_map(|(at, action)| match action {
        Action::Close { conn, overlap, .. } if *conn == old => Some((*at, *overlap)),
        _ => None,
    });
    assert!(closed.unwrap().1 >= ms(250));

    let since = world.now;
    world.event(Event::Reselect);
    world.run_for(secs(60));
    assert_eq!(moves(&world, since), [], "the best is here already");
}

#[test]
fn a_new_choice_does_not_wait_for_those_who_are_silent() {
    let mut world = World::settled(Config::interactive(), 4);
    world.in_region("lon").into_iter().for_each(|server| world.servers[server].rtt = ms(20));
    world.in_region("dal").into_iter().for_each(|server| world.silence(server));
    let since = world.now;
    world.event(Event::Reselect);
    world.run_for(secs(4));
    assert_eq!(moves(&world, since), [MoveCause::Requested]);
    assert_eq!(world.region(), Some("ams"));
}
