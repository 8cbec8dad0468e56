//! Tests that each rule can be broken. A rule that nothing can break would prove nothing.

use std::time::Duration;

use super::*;
use crate::core::{
    Action, Call, CapacityHint, Config, ConnId, EndpointId, Event, Handover, MoveCause, Notice, NoticeKind,
    OpenError, PingId, ProbeId, Region, ServerRef, Time,
};
use crate::sim::{Fault, Scenario, ServerFault};

const CLIENT: usize = 0;

fn world(config: Config) -> World {
    World::new(&Scenario::super_cluster("rules", vec![(0, config)]), 1).unwrap()
}

fn decided_at(at: Time, action: Action) -> Seen {
    Seen::Decided { client: CLIENT, at, action }
}

fn decided(action: Action) -> Seen {
    decided_at(Time::ZERO, action)
}

fn told(event: Event) -> Seen {
    Seen::Called { client: CLIENT, call: Call::Event(event) }
}

fn noticed(kind: NoticeKind) -> Seen {
    decided(Action::Notify(Notice { at: Time::ZERO, kind }))
}

fn place(conn: u64, region: &str) -> ServerRef {
    let (conn, region) = (ConnId(conn), Region::new(region));
    ServerRef { conn, endpoint: EndpointId(0), address: "a:1".into(), server: None, region }
}

fn moved(from: &str, to: &str, cause: MoveCause) -> Seen {
    noticed(NoticeKind::Moved { from: place(1, from), to: place(2, to), cause, overlap: false })
}

fn activate(conn: u64, handover: Handover) -> Seen {
    decided(Action::Activate { conn: ConnId(conn), handover })
}

fn close(at: Time, conn: u64, overlap: Duration, drain: Duration) -> Seen {
    decided_at(at, Action::Close { conn: ConnId(conn), overlap, drain })
}

/// Which of these the rule complains about.
fn complaints(checker: &mut dyn Checker, seen: &[Seen], world: &World) -> Vec<usize> {
    let complains = |seen: &Seen| checker.see(seen, world).is_err();
    let broken: Vec<_> = seen.iter().map(complains).collect();
    broken.iter().enumerate().filter(|(_, broken)| **broken).map(|(index, _)| index).collect()
}

#[test]
fn two_active_links_are_one_too_many_unless_one_is_suspected() {
    let world = world(Config::fleet());
    let over = Seen::CallOver { client: CLIENT };
    let both = [activate(1, Handover::Pipelined), activate(2, Handover::Pipelined), over.clone()];
    assert_eq!(complaints(&mut one_active::OneActive::new(&world), &both, &world), [2]);
    let suspected = [
        activate(1, Handover::Pipelined),
        noticed(NoticeKind::Suspected(place(1, "lon"))),
        activate(2, Handover::Pipelined),
        over.clone(),
        noticed(NoticeKind::Cleared(place(1, "lon"))),
        over,
    ];
    assert_eq!(complaints(&mut one_active::OneActive::new(&world), &suspected, &world), [5]);
}

#[test]
fn a_carrying_link_may_be_cut_off_only_when_it_is_silent() {
    let config = Config::fleet();
    let (overlap, drain) = (config.handover.overlap_min, config.handover.drain);
    let (later, world) = (Time::ZERO + config.watch.dead_min, world(config));
    let ping = decided(Action::Ping { conn: ConnId(1), ping: PingId(1) });
    let carrying = activate(1, Handover::Pipelined);
    let rule = || drain::Drain::new(&world);
    let at_once = close(later, 1, Duration::ZERO, Duration::ZERO);
    let orderly = close(later, 1, overlap, drain);
    assert_eq!(complaints(&mut rule(), &[carrying.clone(), at_once.clone()], &world), [1]);
    assert_eq!(complaints(&mut rule(), &[carrying.clone(), orderly], &world), [0; 0]);
    assert_eq!(complaints(&mut rule(), &[carrying.clone(), ping.clone(), at_once.clone()], &world), [0; 0]);
    let pong = told(Event::Pong { ping: PingId(1), rtt: Duration::ZERO });
    assert_eq!(complaints(&mut rule(), &[carrying, ping, pong, at_once], &world), [3]);
}

#[test]
fn a_region_that_refuses_the_credentials_may_be_asked_twenty_times_a_minute() {
    let world = world(Config::fleet());
    let refused_at = |second: u64, region: &str| {
        let kind = NoticeKind::OpenFailed { place: place(1, region), error: OpenError::Auth("no".into()) };
        let at = Time::from_millis(second * 1_000);
        decided_at(at, Action::Notify(Notice { at, kind }))
    };
    let mut refusals: Vec<_> = (0..20).map(|second| refused_at(second, "lon")).collect();
    refusals.extend([refused_at(20, "ams"), refused_at(59, "lon"), refused_at(120, "lon")]);
    assert_eq!(complaints(&mut auth::Auth::new(&world), &refusals, &world), [21]);
}

#[test]
fn the_twentieth_return_within_an_hour_is_one_too_many() {
    let world = world(Config::fleet());
    let returns: Vec<_> = (0..20).map(|_| moved("ams", "lon", MoveCause::FailBack)).collect();
    assert_eq!(complaints(&mut moves::Moves::new(&world), &returns, &world), [19]);
    let forced: Vec<_> = (0..20).map(|_| moved("ams", "lon", MoveCause::RegionLost)).collect();
    assert_eq!(complaints(&mut moves::Moves::new(&world), &forced, &world), [0; 0]);
}

#[test]
fn budgets_are_counted() {
    let config = Config::fleet();
    let (probes, dials) = (config.probe.budget_per_minute as usize, config.dial.budget_burst as usize);
    let (endpoint, timeout, world) = (EndpointId(0), Duration::ZERO, world(config));
    let probe = |id: usize| decided(Action::Probe { probe: ProbeId(id as u64), endpoint, timeout });
    let seen: Vec<_> = (0..=probes).map(probe).collect();
    assert_eq!(complaints(&mut probes::Probes::new(&world), &seen, &world), [probes]);

    let open = |id: usize| decided(Action::Open { conn: ConnId(id as u64), endpoint, timeout });
    let closed = |id: usize| close(Time::ZERO, id as u64, timeout, timeout);
    let seen: Vec<_> = (0..=dials).flat_map(|id| [open(id), closed(id)]).collect();
    assert_eq!(complaints(&mut dials::Dials::new(&world), &seen, &world), [2 * dials]);
    let at_once: Vec<_> = (0..4).map(open).collect();
    assert_eq!(complaints(&mut dials::Dials::new(&world), &at_once, &world), [3]);
}

#[test]
fn more_handshakes_than_can_be_done_are_found_if_there_is_a_hint() {
    let mut config = Config::fleet();
    let seen = |count| [vec![Seen::Handshake { server: 4 }; count], vec![Seen::Tick]].concat();
    // Three servers of 1000 each, and four times the root of that.
    let (fine, too_many) = (seen(3_219), seen(3_220));
    let unaware = world(config.clone());
    config.spread.capacity = Some(CapacityHint { clients: 1, accepts_per_second: 1.0 });
    let aware = world(config);
    assert_eq!(complaints(&mut capacity::Capacity::new(&aware), &fine, &aware), [0; 0]);
    assert_eq!(complaints(&mut capacity::Capacity::new(&aware), &too_many, &aware), [3_220]);
    assert_eq!(complaints(&mut capacity::Capacity::new(&unaware), &too_many, &unaware), [0; 0]);
}

/// The world as a client sees it that was never told of a server, or one that is said to have gone to ams.
#[test]
fn who_is_not_connected_or_not_at_home_is_found_in_time() {
    let mut scenario = Scenario::super_cluster("rules", vec![(0, Config::fleet()), (0, Config::fleet())]);
    // The second client starts when this test is over.
    scenario.start_over = Duration::from_secs(20_000);
    let mut world = World::new(&scenario, 1).unwrap();
    let (mut connected, mut nearest) = (connected::Connected::new(&world), nearest::Nearest::new(&world));
    nearest.see(&noticed(NoticeKind::Connected(place(9, "ams"))), &world).unwrap();
    let (mut lonely_s, mut far_s) = (None, None);
    for second in 0..2_000 {
        while world.step(Time::from_millis(second * 1_000)) {}
        let is_broken = |checker: &mut dyn Checker| checker.see(&Seen::Tick, &world).is_err();
        lonely_s = lonely_s.or_else(|| is_broken(&mut connected).then_some(second));
        far_s = far_s.or_else(|| is_broken(&mut nearest).then_some(second));
    }
    assert!(lonely_s.is_some_and(|second| (30..120).contains(&second)), "{lonely_s:?}");
    assert!(far_s.is_some_and(|second| (300..1_000).contains(&second)), "{far_s:?}");
    assert_eq!(is_settled(0, &world), Ok(()));
    assert_eq!(is_settled(1, &world), Err("client 1 has no live link".into()));
}

#[test]
fn who_stays_in_an_unhealthy_region_is_found_unless_all_are() {
    let complained_after = |unhealthy: &[usize]| {
        let mut scenario = Scenario::super_cluster("rules", vec![(0, Config::interactive())]);
        scenario.health_check_period = Some(Duration::from_secs(5));
        for region in unhealthy {
            scenario.at(Duration::ZERO, Fault::Region { region: *region, what: ServerFault::Unhealthy });
        }
        let mut world = World::new(&scenario, 1).unwrap();
        let mut rule = unhealthy::UnhealthyRegion::new(&world);
        // It says that it is in lon, and never that it has left.
        rule.see(&noticed(NoticeKind::Connected(place(1, "lon"))), &world).unwrap();
        (1..1_000).find(|second| {
            while world.step(Time::from_millis(second * 1_000)) {}
            rule.see(&Seen::Tick, &world).is_err()
        })
    };
    assert!(complained_after(&[0]).is_some_and(|seconds| (300..600).contains(&seconds)));
    assert_eq!(complained_after(&[0, 1, 2]), None);
    assert_eq!(complained_after(&[1]), None);
}
