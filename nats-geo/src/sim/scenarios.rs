//! Ready-made scenarios. Each is a function of a seed, which chooses clients, policy, faults and times.
//!
//! ```
//! use nats_geo::sim::{run, scenarios};
//!
//! let report = run(&scenarios::region_loss(1), 1)?;
//! assert!(report.clients[0].moves >= 1);
//! # Ok::<(), nats_geo::sim::RunError>(())
//! ```

use std::time::Duration;

use super::{ClientFault, Fault, PathFault, Scenario, ServerFault};
use crate::core::rng::{Rng, scale};
use crate::core::{CapacityHint, Config};

/// A function that makes a scenario from a seed.
pub type Family = fn(u64) -> Scenario;

/// All ready-made scenarios, by name.
pub const ALL: [(&str, Family); 14] = [
    ("region_loss", region_loss),
    ("blackhole", blackhole),
    ("one_way_blackhole", one_way_blackhole),
    ("unhealthy", unhealthy),
    ("flapping", flapping),
    ("rolling_restart", rolling_restart),
    ("brown_out", brown_out),
    ("client_partition", client_partition),
    ("sleep", sleep),
    ("stalls", stalls),
    ("roster_churn", roster_churn),
    ("refused_credentials", refused_credentials),
    ("herd", herd),
    ("everything_at_once", everything_at_once),
];

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The first fault comes when everybody has settled.
const SETTLED: Duration = secs(60);

/// A scenario in the making.
struct Draft {
    rng: Rng,
    scenario: Scenario,
    /// Where the first client is at home.
    home: usize,
}

impl Draft {
    /// One client somewhere, with a preset, with or without standby.
    fn new(name: &str, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let home = below(&mut rng, 3);
        let mut config = if rng.unit() < 0.5 { Config::fleet() } else { Config::interactive() };
        config.warm_standby = rng.unit() < 0.25;
        let scenario = Scenario::super_cluster(name, vec![(home, config)]);
        Self { rng, scenario, home }
    }

    fn below(&mut self, limit: usize) -> usize {
        below(&mut self.rng, limit)
    }

    fn between(&mut self, from: Duration, to: Duration) -> Duration {
        from + self.rng.up_to(to.saturating_sub(from))
    }

    /// `fault` from `at` on, for some time; returns when it is over.
    fn while_lasts(&mut self, at: Duration, lasts: Duration, fault: Fault, end: Fault) -> Duration {
        self.scenario.at(at, fault);
        self.scenario.at(at + lasts, end);
        at + lasts
    }

    fn ends_after(mut self, last: Duration) -> Scenario {
        self.scenario.lasts = last + secs(1);
        self.scenario
    }

    /// One direction of the path between the home of the client and a region, or both.
    fn cut(&mut self, region: usize, directions: &[bool], at: Duration, lasts: Duration) -> Duration {
        for outward in directions {
            let (from, to) = if *outward { (self.home, region) } else { (region, self.home) };
            let (cut, heal) = (PathFault::Cut, PathFault::Heal);
            self.while_lasts(
                at,
                lasts,
                Fault::Path { from, to, what: cut },
                Fault::Path { from, to, what: heal },
            );
        }
        at + lasts
    }

    fn region(
        &mut self,
        region: usize,
        what: ServerFault,
        end: ServerFault,
        at: Duration,
        lasts: Duration,
    ) -> Duration {
        self.while_lasts(at, lasts, Fault::Region { region, what }, Fault::Region { region, what: end })
    }

    fn client(&mut self, what: ClientFault, at: Duration) {
        self.scenario.at(at, Fault::Client { client: 0, what });
    }
}

fn below(rng: &mut Rng, limit: usize) -> usize {
    usize::try_from(rng.next_u64() % limit as u64).unwrap_or_default()
}

/// Returns a scenario in which the home region crashes or loses power, and later starts again.
pub fn region_loss(seed: u64) -> Scenario {
    let mut draft = Draft::new("region_loss", seed);
    let how = [ServerFault::Crash, ServerFault::PowerOff][draft.below(2)];
    let lasts = draft.between(secs(5), secs(300));
    let over = draft.region(draft.home, how, ServerFault::Start, SETTLED, lasts);
    draft.ends_after(over)
}

/// Returns a scenario in which the home region becomes silent: its servers freeze, or the path to the region drops all
/// packets.
pub fn blackhole(seed: u64) -> Scenario {
    let mut draft = Draft::new("blackhole", seed);
    let lasts = draft.between(Duration::from_millis(300), secs(120));
    let home = draft.home;
    let over = match draft.below(2) {
        0 => draft.region(home, ServerFault::Freeze, ServerFault::Thaw, SETTLED, lasts),
        _ => draft.cut(home, &[true, false], SETTLED, lasts),
    };
    draft.ends_after(over)
}

/// Returns a scenario in which the path between client and home region drops all packets in one direction.
pub fn one_way_blackhole(seed: u64) -> Scenario {
    let mut draft = Draft::new("one_way_blackhole", seed);
    let lasts = draft.between(Duration::from_millis(300), secs(120));
    let outward = draft.below(2) == 0;
    let over = draft.cut(draft.home, &[outward], SETTLED, lasts);
    draft.ends_after(over)
}

/// Returns a scenario in which the home region fails its health check, once or repeatedly. Sometimes the next region also
/// fails its check, or crashes.
pub fn unhealthy(seed: u64) -> Scenario {
    let mut draft = Draft::new("unhealthy", seed);
    draft.scenario.health_check_period = Some(secs(5));
    let (home, other) = (draft.home, (draft.home + 1 + draft.below(2)) % 3);
    let mut over = SETTLED;
    for _ in 0..=draft.below(4) {
        let (at, lasts) = (over, draft.between(secs(1), secs(300)));
        over = draft.region(home, ServerFault::Unhealthy, ServerFault::Healthy, at, lasts);
        let begins = at + draft.between(Duration::ZERO, lasts);
        let lasts = draft.between(secs(1), secs(300));
        let until = match draft.below(3) {
            0 => draft.region(other, ServerFault::Unhealthy, ServerFault::Healthy, begins, lasts),
            1 => draft.region(other, ServerFault::Crash, ServerFault::Start, begins, lasts),
            _ => over,
        };
        over = over.max(until) + draft.between(secs(1), secs(120));
    }
    draft.ends_after(over)
}

/// Returns a scenario in which the home region fails repeatedly for an hour, with a period from seconds to minutes.
pub fn flapping(seed: u64) -> Scenario {
    let mut draft = Draft::new("flapping", seed);
    const PERIODS_S: [u64; 10] = [2, 5, 10, 20, 30, 60, 120, 180, 300, 600];
    let period = secs(PERIODS_S[draft.below(PERIODS_S.len())]);
    let share_down = 0.1 + 0.8 * draft.rng.unit();
    let down = scale(period, share_down);
    let how = draft.below(3);
    let home = draft.home;
    let mut at = SETTLED;
    while at < SETTLED + secs(3_600) {
        match how {
            0 => draft.region(home, ServerFault::Crash, ServerFault::Start, at, down),
            1 => draft.region(home, ServerFault::Freeze, ServerFault::Thaw, at, down),
            _ => draft.cut(home, &[true, false], at, down),
        };
        at += period;
    }
    draft.ends_after(at)
}

/// Returns a scenario in which all servers restart one after the other, with lame duck mode.
pub fn rolling_restart(seed: u64) -> Scenario {
    let mut draft = Draft::new("rolling_restart", seed);
    let pause = draft.between(secs(35), secs(90));
    let mut at = SETTLED;
    for server in 0..draft.scenario.servers() {
        let (what, end) = (ServerFault::LameDuck, ServerFault::Start);
        let over = Fault::Server { server, what: end };
        draft.while_lasts(at, secs(32), Fault::Server { server, what }, over);
        at += pause;
    }
    draft.ends_after(at + secs(32))
}

/// Returns a scenario in which the home region becomes 200 ms slower, because the path to it or its servers are slower.
pub fn brown_out(seed: u64) -> Scenario {
    let mut draft = Draft::new("brown_out", seed);
    let extra = Duration::from_millis(200);
    let lasts = draft.between(secs(60), secs(1_800));
    let home = draft.home;
    let over = if draft.below(2) == 0 {
        draft.region(home, ServerFault::Slow(extra), ServerFault::Slow(Duration::ZERO), SETTLED, lasts)
    } else {
        let (what, end) = (PathFault::Extra(extra), PathFault::Heal);
        let path = |what| Fault::Path { from: home, to: home, what };
        draft.while_lasts(SETTLED, lasts, path(what), path(end))
    };
    draft.ends_after(over)
}

/// Returns a scenario in which the network of the client fails, in one or both directions, once or several times.
pub fn client_partition(seed: u64) -> Scenario {
    let mut draft = Draft::new("client_partition", seed);
    let mut at = SETTLED;
    for _ in 0..=draft.below(6) {
        let lasts = draft.between(Duration::from_millis(200), secs(90));
        let kinds = [
            vec![ClientFault::CutOut],
            vec![ClientFault::CutIn],
            vec![ClientFault::CutOut, ClientFault::CutIn],
        ];
        let kind = draft.below(kinds.len());
        kinds[kind].iter().for_each(|what| draft.client(*what, at));
        draft.client(ClientFault::Heal, at + lasts);
        at += lasts + draft.between(secs(1), secs(60));
    }
    draft.ends_after(at)
}

/// Returns a scenario in which the host of the client sleeps. The clock of the client stops or runs. The home region may
/// crash during the sleep.
pub fn sleep(seed: u64) -> Scenario {
    let mut draft = Draft::new("sleep", seed);
    let mut at = SETTLED;
    for _ in 0..=draft.below(4) {
        let lasts = draft.between(secs(1), secs(1_200));
        let clock_runs = draft.below(2) == 0;
        draft.client(ClientFault::Sleep { lasts, clock_runs }, at);
        if draft.below(2) == 0 {
            let asleep = draft.rng.up_to(lasts);
            let down = draft.rng.up_to(lasts);
            draft.region(draft.home, ServerFault::Crash, ServerFault::Start, at + asleep, down);
        }
        at += 2 * lasts + draft.between(secs(1), secs(120));
    }
    draft.ends_after(at)
}

/// Returns a scenario in which the process of the client sometimes stops, and its clock jumps.
pub fn stalls(seed: u64) -> Scenario {
    let mut draft = Draft::new("stalls", seed);
    let mut at = SETTLED;
    for _ in 0..20 {
        let by = draft.between(Duration::from_millis(50), secs(8));
        let kinds = [ClientFault::Stall(by), ClientFault::ClockAhead(by), ClientFault::ClockBack(by)];
        let kind = draft.below(kinds.len());
        draft.client(kinds[kind], at);
        at += by + draft.between(Duration::from_millis(50), secs(30));
    }
    draft.ends_after(at)
}

/// Returns a scenario in which servers leave and join the list of servers, some of them while they are down.
pub fn roster_churn(seed: u64) -> Scenario {
    let mut draft = Draft::new("roster_churn", seed);
    let mut at = SETTLED;
    for _ in 0..30 {
        let server = draft.below(draft.scenario.servers());
        let lasts = draft.between(secs(1), secs(120));
        let fault = |what| Fault::Server { server, what };
        draft.while_lasts(at, lasts, fault(ServerFault::Withdraw), fault(ServerFault::Offer));
        if draft.below(3) == 0 {
            draft.while_lasts(at, lasts, fault(ServerFault::Crash), fault(ServerFault::Start));
        }
        at += draft.between(secs(1), secs(30));
    }
    draft.ends_after(at + secs(120))
}

/// Returns a scenario in which the servers of the home region, or all servers, refuse the credentials for some time.
pub fn refused_credentials(seed: u64) -> Scenario {
    let mut draft = Draft::new("refused_credentials", seed);
    let lasts = draft.between(secs(1), secs(180));
    let everywhere = draft.below(2) == 0;
    let home = draft.home;
    let mut over = SETTLED;
    for region in (0..3).filter(|region| everywhere || *region == home) {
        over = draft.region(region, ServerFault::Lock, ServerFault::Unlock, SETTLED, lasts);
    }
    draft.ends_after(over)
}

/// Returns a scenario in which many clients lose their region. The surviving regions have little capacity, and the
/// clients know this capacity.
pub fn herd(seed: u64) -> Scenario {
    const CLIENTS: u32 = 60;
    const ACCEPTS_PER_SECOND: f64 = 10.0;
    let mut rng = Rng::new(seed);
    let home = below(&mut rng, 3);
    let mut config = Config::fleet();
    // Which survivor they go to is the same for all: they sit in one place.
    let accepts_per_second = ACCEPTS_PER_SECOND * 3.0;
    config.spread.capacity = Some(CapacityHint { clients: CLIENTS, accepts_per_second });
    let clients = (0..CLIENTS).map(|_| (home, config.clone())).collect();
    let mut scenario = Scenario::super_cluster("herd", clients);
    scenario.accepts_per_second = ACCEPTS_PER_SECOND;
    scenario.start_over = SETTLED / 2;
    let what = [ServerFault::Crash, ServerFault::PowerOff][below(&mut rng, 2)];
    scenario.at(SETTLED, Fault::Region { region: home, what });
    scenario.at(SETTLED + secs(60), Fault::Region { region: home, what: ServerFault::Start });
    scenario.lasts = SETTLED + secs(61);
    scenario
}

/// Returns a scenario with all kinds of faults, at random times and targets.
pub fn everything_at_once(seed: u64) -> Scenario {
    let mut draft = Draft::new("everything_at_once", seed);
    let end = SETTLED + secs(900);
    for _ in 0..40 {
        let at = draft.between(SETTLED, end);
        let lasts = draft.between(Duration::from_millis(100), secs(120)).min(end.saturating_sub(at));
        draft.mishap(at, lasts);
    }
    draft.ends_after(end)
}

impl Draft {
    fn mishap(&mut self, at: Duration, lasts: Duration) {
        use ServerFault::{Crash, Freeze, LameDuck, Lock, PowerOff, Slow, Start, Thaw, Unlock};
        let (region, other) = (self.below(3), self.below(3));
        let servers = self.scenario.servers();
        let kinds = [
            (Crash, Start),
            (PowerOff, Start),
            (Freeze, Thaw),
            (LameDuck, Start),
            (Lock, Unlock),
            (Slow(Duration::from_millis(200)), Slow(Duration::ZERO)),
        ];
        let (what, end) = kinds[self.below(kinds.len())];
        let loss = PathFault::Loss(0.5 * self.rng.unit());
        match self.below(7) {
            0 => _ = self.region(region, what, end, at, lasts),
            1..=2 => {
                let server = self.below(servers);
                let fault = |what| Fault::Server { server, what };
                self.while_lasts(at, lasts, fault(what), fault(end));
            }
            3 => _ = self.cut(region, &[true, false], at, lasts),
            4 => _ = self.cut(region, &[self.home == other], at, lasts),
            5 => {
                let fault = |what| Fault::Path { from: region, to: other, what };
                self.while_lasts(at, lasts, fault(loss), fault(PathFault::Heal));
            }
            _ => {
                let clock_runs = self.below(2) == 0;
                let kinds = [
                    ClientFault::CutOut,
                    ClientFault::CutIn,
                    ClientFault::Stall(lasts / 10),
                    ClientFault::Sleep { lasts, clock_runs },
                ];
                let kind = self.below(kinds.len());
                self.client(kinds[kind], at);
                self.client(ClientFault::Heal, at + lasts);
            }
        }
    }
}
