//! Tests of identity: the server that answers at an address, the facts that a live link proves, and the home region.

use super::super::super::{
    Action, Cause, Config, ConnId, Endpoint, EndpointId, Event, MoveCause, Notice, NoticeKind, OpenError,
    ProbeError, ProbeReport, Reason, ServerIdentity, Time,
};
use super::world::{Mood, Server, World};
use super::{Selector, ms, secs};

/// A super-cluster whose region lon, the nearest, is down when the client starts.
fn started_without_lon(config: Config, seed: u64) -> World {
    let mut world = World::of(&[], 0, config, seed);
    for (index, (region, rtt_ms, mood)) in
        [("lon", 1, Mood::Down), ("ams", 9, Mood::Up), ("dal", 113, Mood::Up)].into_iter().enumerate()
    {
        for nth in 0..3 {
            world.servers.push(Server { region, rtt: ms(rtt_ms), mood, life: 0 });
            let id = EndpointId(index as u64 * 3 + nth);
            world.event(Event::Discovered(Endpoint::new(id, format!("{region}-{nth}:4222"))));
        }
    }
    world.run_for(secs(10));
    assert_eq!(world.region(), Some("ams"));
    world
}

#[test]
fn a_client_that_starts_while_its_region_is_down_fails_back_to_it() {
    let mut waits = Vec::new();
    for seed in 0..40 {
        let mut world = started_without_lon(Config::fleet(), seed);
        assert_eq!(world.selector.home_clusters(), ["ams"], "nothing nearer is known");
        world.run_for(secs(600));
        let back = world.now;
        world.in_region("lon").into_iter().for_each(|server| world.restart(server));
        world.run_for(secs(7));
        assert_eq!(world.selector.home_clusters(), ["lon"], "it was measured");
        world.run_for(secs(160));
        let moved = world.notices(back).into_iter().find_map(|(at, kind)| match kind {
            NoticeKind::Moved { to, cause, .. } => Some((at, to.region.as_str().to_owned(), cause)),
            _ => None,
        });
        let (at, region, cause) = moved.unwrap_or_else(|| panic!("seed {seed}: it is still away"));
        assert_eq!((region.as_str(), cause), ("lon", MoveCause::FailBack), "seed {seed}");
        waits.push(at);
    }
    waits.sort();
    assert!(waits[0] >= secs(30) && waits[39] <= secs(30 + 120 + 8), "{waits:?}");
}

#[test]
fn the_home_that_is_set_is_returned_to_and_kept() {
    let mut config = Config::interactive();
    config.home = Some("ams".into());
    let world = World::settled(config, 1);
    assert_eq!(world.selector.home_clusters(), ["ams"], "though lon is nearer");
    assert_eq!(world.region(), Some("lon"), "home is no reason to go farther");
}

/// Servers advertise private addresses: to ask for those all the time would use up the budget.
#[test]
fn an_advertised_address_where_nobody_answers_is_not_asked_more_often() {
    let mut world = World::settled(Config::interactive(), 1);
    let server = Server { region: "nowhere", rtt: ms(1), mood: Mood::Down, life: 0 };
    world.servers.push(server);
    let id = EndpointId(world.servers.len() as u64 - 1);
    world.event(Event::Discovered(Endpoint::new(id, "172.17.0.1:4222").gossiped()));
    let since = world.now;
    world.run_for(secs(600));
    let is_probe = |(at, action): &&(Time, Action)| {
        *at >= since && matches!(action, Action::Probe { endpoint, .. } if *endpoint == id)
    };
    let probes = world.actions.iter().filter(is_probe).count();
    assert!((2..20).contains(&probes), "{probes} probes in ten minutes");
}

/// A client of one address, behind which two servers answer.
struct Balanced {
    selector: Selector,
    conn: ConnId,
    now: Time,
}

fn answer(name: &str, region: &str, rtt_ms: u64) -> ProbeReport {
    let mut identity = ServerIdentity::new(name, Some(region));
    identity.server_name = name.into();
    ProbeReport { time_to_info: ms(2 * rtt_ms), round_trips: 2, identity }
}

impl Balanced {
    /// Connected to lon-1.
    fn new() -> Self {
        let mut selector = Selector::new(Config::interactive(), 1, Time::ZERO).unwrap();
        selector.handle_event(Event::Discovered(Endpoint::new(EndpointId(0), "lb:4222")), Time::ZERO);
        let mut balanced = Self { selector, conn: ConnId(0), now: Time::ZERO };
        balanced.run_for(secs(1), |_| answer("ams-1", "ams", 9));
        balanced
    }

    /// Runs the selector; `answer` is what the n-th probe gets.
    fn run_for(&mut self, duration: std::time::Duration, answer: impl Fn(usize) -> ProbeReport) {
        let end = self.now + duration;
        let mut probes = 0;
        loop {
            while let Some(action) = self.selector.poll_action() {
                let event = match action {
                    Action::Probe { probe, .. } => {
                        probes += 1;
                        Event::Probed { probe, result: Ok(answer(probes)) }
                    }
                    Action::Open { conn, .. } => {
                        self.conn = conn;
                        Event::Opened { conn, identity: self::answer("lon-1", "lon", 1).identity }
                    }
                    Action::Ping { ping, .. } => Event::Pong { ping, rtt: ms(1) },
                    Action::Activate { conn, .. } => Event::Activated { conn },
                    Action::Notify(_) => continue,
                    action => panic!("nothing is to be done, but: {action:?}"),
                };
                self.selector.handle_event(event, self.now);
                let snapshot = self.selector.snapshot(self.now);
                if let Some(active) = snapshot.active {
                    let names = [active.server.as_deref(), snapshot.ranking[0].server.as_deref()];
                    assert_eq!(names, [Some("lon-1"); 2], "at {}", self.now);
                }
            }
            match self.selector.poll_timeout().filter(|due| *due <= end) {
                Some(due) => self.now = due,
                None => break,
            }
            self.selector.handle_timeout(self.now);
        }
        self.now = end;
    }
}

#[test]
fn a_link_keeps_the_identity_of_its_own_info_whoever_answers_at_its_address() {
    let mut balanced = Balanced::new();
    balanced.run_for(secs(3_600), |nth| {
        let (name, region, rtt_ms) = if nth % 3 == 0 { ("lon-1", "lon", 1) } else { ("ams-1", "ams", 9) };
        answer(name, region, rtt_ms)
    });
    let snapshot = balanced.selector.snapshot(balanced.now);
    let active = snapshot.active.unwrap();
    assert_eq!((active.server.as_deref(), active.region.as_str()), (Some("lon-1"), "lon"));
    let [server] = &snapshot.ranking[..] else { panic!("one address") };
    assert_eq!((server.server.as_deref(), server.region.as_str()), (Some("lon-1"), "lon"));
    assert!(server.shared);
    assert_eq!(server.base_rtt, Some(ms(1)), "ranked by the samples of its own server");

    // When one server is left, its address is its own again.
    balanced.run_for(secs(7_200), |_| answer("lon-1", "lon", 1));
    assert!(!balanced.selector.snapshot(balanced.now).ranking[0].shared);
}

/// A restarted server has another id, and never again the one that it had before.
#[test]
fn a_restarted_server_is_no_sign_of_several() {
    let mut world = World::settled(Config::interactive(), 1);
    for server in world.in_region("dal") {
        world.kill(server);
        world.restart(server);
    }
    world.run_for(secs(1_200));
    assert!(world.selector.snapshot(world.now).ranking.iter().all(|server| !server.shared));
}

#[test]
fn a_label_that_a_server_contradicts_holds_and_is_noticed_once_for_each_cluster() {
    let mut selector = Selector::new(Config::interactive(), 1, Time::ZERO).unwrap();
    let listed = Endpoint::new(EndpointId(0), "one:4222").with_label("lon");
    selector.handle_event(Event::Discovered(listed), Time::ZERO);
    let (mut now, mut noticed) = (Time::ZERO, Vec::new());
    let mut probes = 0;
    while probes < 12 {
        while let Some(action) = selector.poll_action() {
            let event = match action {
                Action::Probe { probe, .. } => {
                    probes += 1;
                    let cluster = if probes < 8 { "ams" } else { "dal" };
                    // It is restarted all the time.
                    Event::Probed { probe, result: Ok(answer(&format!("server-{probes}"), cluster, 1)) }
                }
                Action::Open { conn, .. } => Event::OpenFailed { conn, error: OpenError::Refused },
                Action::Notify(Notice {
                    kind: NoticeKind::LabelContradicted { label, cluster, .. }, ..
                }) => {
                    noticed.push(format!("{label} is {cluster}"));
                    continue;
                }
                _ => continue,
            };
            selector.handle_event(event, now);
        }
        now = selector.poll_timeout().unwrap();
        selector.handle_timeout(now);
    }
    assert_eq!(noticed, ["lon is ams", "lon is dal"]);
    assert_eq!(selector.snapshot(now).ranking[0].region.as_str(), "lon");
}

/// Probes failed before the server came up, and then a dial succeeded.
#[test]
fn a_live_link_is_evidence_about_its_server() {
    let mut selector = Selector::new(Config::interactive(), 1, Time::ZERO).unwrap();
    selector.handle_event(Event::Discovered(Endpoint::new(EndpointId(0), "one:4222")), Time::ZERO);
    let identity = ServerIdentity::new("A", Some("lon"));
    let mut reasons = Vec::new();
    let mut now = Time::ZERO;
    while now < Time::ZERO + secs(60) {
        while let Some(action) = selector.poll_action() {
            let event = match action {
                Action::Probe { probe, .. } => Event::Probed { probe, result: Err(ProbeError::Refused) },
                Action::Open { conn, .. } => Event::Opened { conn, identity: identity.clone() },
                Action::Ping { ping, .. } => Event::Pong { ping, rtt: ms(1) },
                Action::Activate { conn, .. } => Event::Activated { conn },
                _ => continue,
            };
            selector.handle_event(event, now);
            let snapshot = selector.snapshot(now);
            if snapshot.active.is_some() {
                reasons.push(snapshot.ranking[0].reason.clone());
            }
        }
        now = selector.poll_timeout().unwrap();
        selector.handle_timeout(now);
    }
    assert!(!reasons.is_empty() && reasons.iter().all(|reason| *reason == Reason::Connected), "{reasons:?}");
    let conn = selector.snapshot(now).active.unwrap().conn;
    selector.handle_event(Event::Closed { conn, cause: Cause::Eof }, now);
    assert_eq!(selector.snapshot(now).ranking[0].reason, Reason::Unhealthy);
}
