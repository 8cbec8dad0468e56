//! The scenario of `loadgen --regions`: faults one after the other, each with new clients. Pure: checked options in,
//! the text of a scenario file out.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cli::{FaultKind, Opts, Preset};
use crate::scenario::seconds;
use crate::topology::{RttTable, Topology};

/// Its name among the scenarios that come with loadgen.
pub const NAME: &str = "failover";

/// Options that have been checked.
#[derive(Clone, Copy, Debug)]
pub struct DefaultScenario<'a> {
    /// The command line.
    pub opts: &'a Opts,
    /// Its regions and servers.
    pub topology: &'a Topology,
    /// How far apart they are.
    pub rtt: &'a RttTable,
    /// Regions that break.
    pub broken: &'a [String],
}

impl<'a> DefaultScenario<'a> {
    /// The text of the scenario file.
    pub fn to_toml(self) -> String {
        let thresholds = self.thresholds().into_iter().map(|it| format!("  {},\n", quoted(&it)));
        let mut text = format!(
            "# A server dies, a region dies, a region falls silent, and a server announces its shutdown.\n\
             title = {}\n\
             description = \"Clients send requests without a pause. Each fault hits new clients, which are connected to their own \
             regions. Clients of async-nats run for comparison.\"\n\
             repeat = {}\n\
             fit = {}\n",
            quoted(&format!("Failover between {}", self.topology.regions().join(", "))),
            self.opts.rounds,
            self.opts.clients.is_none(),
        );
        if self.is_preset() {
            text.push_str("topology = \"super-cluster\"\n");
        }
        text.push_str(&format!("thresholds = [\n{}]\n", thresholds.collect::<String>()));
        if !self.is_preset() {
            text.push_str(&self.topology_tables());
        }
        text + &self.clients() + &self.workloads() + &self.timeline()
    }

    /// Returns whether the preset `super-cluster` says all about the servers.
    fn is_preset(self) -> bool {
        self.topology.regions() == ["lon", "ams", "dal"]
            && self.topology.servers_per_region() == 3
            && self.opts.cluster.rtt.is_empty()
    }

    fn topology_tables(self) -> String {
        let servers = self.topology.servers_per_region();
        let regions = self.topology.regions();
        let cluster = |region: &String| {
            format!("\n[[topology.cluster]]\nname = {}\nservers = {servers}\n", quoted(region))
        };
        let clusters: String = regions.iter().map(cluster).collect();
        let mut pairs = String::new();
        for (index, a) in regions.iter().enumerate() {
            for b in &regions[index + 1..] {
                let [there, back] = [(a, b), (b, a)].map(|(from, to)| self.rtt(from, to));
                let known = [(a, b), (b, a)].map(|(from, to)| self.topology.rtt(from, to).ok());
                if known == [Some(there), Some(back)] {
                    continue;
                }
                let mut row = |from: &str, to: &str, rtt: Duration| {
                    let ms = rtt.as_secs_f64() * 1e3;
                    pairs.push_str(&format!("{} = {ms}\n", quoted(&format!("{from} {to}"))));
                };
                row(a, b, there);
                if there != back {
                    row(b, a, back);
                }
            }
        }
        if pairs.is_empty() { clusters } else { format!("{clusters}\n[topology.distances.rtt_ms]\n{pairs}") }
    }

    fn clients(self) -> String {
        let clients = self.opts.clients.unwrap_or(CLIENTS);
        let count = |region: &String| {
            let count = if self.broken.contains(region) { clients } else { clients.min(BYSTANDERS) };
            format!("{} = {count}", quoted(region))
        };
        let counts = self.topology.regions().iter().map(count).collect::<Vec<_>>().join(", ");
        let Opts { preset, warm_standby, .. } = self.opts;
        format!(
            "\n[[clients]]\nkind = \"nats-geo\"\npreset = \"{preset}\"\nwarm_standby = {warm_standby}\n\
             regions = {{ {counts} }}\n\
             \n[[clients]]\nkind = \"async-nats\"\nregions = {{ {counts} }}\n"
        )
    }

    /// The clients of broken regions are what is measured. The others show that nothing else is disturbed, for which a lower rate is
    /// enough.
    fn workloads(self) -> String {
        let rate = self.opts.rate.unwrap_or(RATE);
        let workload = |name: &str, is_broken: bool, rate: u16| {
            let regions = self.topology.regions().iter();
            let regions = regions.filter(|region| self.broken.contains(region) == is_broken);
            let regions: Vec<_> = regions.map(|region| quoted(region)).collect();
            if regions.is_empty() {
                return String::new();
            }
            let regions = regions.join(", ");
            format!(
                "\n[[workload]]\nname = \"{name}\"\nkind = \"request\"\nregions = [{regions}]\nrate = {rate}\n"
            )
        };
        workload("requests", true, rate) + &workload("requests-elsewhere", false, rate.min(BYSTANDER_RATE))
    }

    fn timeline(self) -> String {
        let (mut phases, mut faults) = (String::new(), String::new());
        let calm = seconds(BEFORE);
        for (fault, region) in self.faults() {
            let phase = self.phase(fault, region);
            let (before, lasts) = (quoted(&format!("before {phase}")), seconds(self.lasts(fault)));
            let phase = quoted(&phase);
            phases.push_str(&format!(
                "\n[[phase]]\nname = {before}\nfor = \"{calm}\"\nnew_clients = true\n\
                 \n[[phase]]\nname = {phase}\nfor = \"{lasts}\"\n"
            ));
            let inject = match fault {
                FaultKind::ServerKill | FaultKind::RegionKill => "kill",
                FaultKind::Blackhole => "silence",
                FaultKind::LameDuck => "lame-duck",
            };
            let one = if fault.hits_one_server() { FULLEST } else { "" };
            let target = quoted(region);
            faults.push_str(&format!(
                "\n[[fault]]\ninject = \"{inject}\"\ntarget = {target}\n{one}phase = {phase}\n"
            ));
        }
        phases + &faults
    }

    /// Fault by fault in each region, from the small to the large, the gentle one last.
    fn faults(self) -> Vec<(FaultKind, &'a str)> {
        let kinds: BTreeSet<FaultKind> = self.opts.faults.iter().copied().collect();
        let of = |region: &'a String| kinds.iter().map(move |kind| (*kind, region.as_str()));
        self.broken.iter().flat_map(of).collect()
    }

    fn phase(self, fault: FaultKind, region: &str) -> String {
        if self.broken.len() == 1 { fault.to_string() } else { format!("{fault} {region}") }
    }

    /// Long enough for every nats-geo client to be back, with room. Clients of async-nats that need longer count as not back.
    fn lasts(self, fault: FaultKind) -> Duration {
        let policy = self.opts.preset.config();
        let spread = policy.spread.server_lost + policy.spread.region_lost;
        match fault {
            FaultKind::ServerKill | FaultKind::RegionKill => spread + ROOM,
            FaultKind::Blackhole => spread + policy.watch.ping_interval + ROOM,
            // nats-server waits for 10 s, and then closes the connections of its clients one by one.
            FaultKind::LameDuck => Duration::from_secs(12),
        }
    }

    /// Bounds of nats-geo. Clients of async-nats are measured, not judged.
    fn thresholds(self) -> Vec<String> {
        let mut thresholds = Vec::new();
        for region in self.broken {
            thresholds.push(format!("connect.p90{{population=nats-geo, region={region}}} <= 100ms"));
        }
        for (fault, region) in self.faults() {
            let phase = self.phase(fault, region);
            let of = format!("population=nats-geo, region={region}, phase={phase}");
            thresholds.push(format!("nearest_share{{population=nats-geo, phase=before {phase}}} == 100%"));
            thresholds.push(format!("failover.missed{{{of}}} == 0"));
            thresholds.push(format!("failover.nearest_share{{{of}}} == 100%"));
            thresholds.extend(self.times(fault, region).into_iter().map(|(statistic, ms)| {
                format!("failover.{statistic}{{{of}}} <= {:.0}ms", ms + self.gap_ms())
            }));
            if fault == FaultKind::LameDuck {
                thresholds.push(format!("requests.failed{{{of}}} == 0"));
            }
        }
        for region in self.topology.regions().iter().filter(|region| !self.broken.contains(region)) {
            thresholds.push(format!("requests.failed{{population=nats-geo, region={region}}} == 0"));
            thresholds.push(format!("moves.total{{population=nats-geo, region={region}}} == 0"));
        }
        thresholds
    }

    /// The longest failovers, in milliseconds. `fleet` spreads its clients on purpose.
    fn times(self, fault: FaultKind, region: &str) -> Vec<(&'static str, f64)> {
        if self.opts.preset == Preset::Fleet {
            return Vec::new();
        }
        let others = self.topology.regions().iter().filter(|other| *other != region);
        let nearest = others.map(|other| self.rtt(region, other)).min().unwrap_or_default();
        let round_trips = if self.opts.warm_standby { 1 } else { ROUND_TRIPS };
        let limit_ms = (nearest * round_trips).as_secs_f64() * 1e3;
        match fault {
            FaultKind::ServerKill => vec![("p50", SERVER_KILL_P50_MS)],
            FaultKind::RegionKill if self.opts.warm_standby => vec![("p50", limit_ms * 2.5)],
            FaultKind::RegionKill => vec![("p50", limit_ms * 1.5), ("p90", limit_ms * 3.0)],
            FaultKind::Blackhole => {
                vec![("p50", BLACKHOLE_P50_MS + limit_ms), ("p90", BLACKHOLE_P90_MS + limit_ms)]
            }
            FaultKind::LameDuck => Vec::new(),
        }
    }

    /// A client that is back is only seen with its next request, and bounds count on those of the default rate.
    fn gap_ms(self) -> f64 {
        let between = |rate: u16| 1e3 / f64::from(rate);
        (between(self.opts.rate.unwrap_or(RATE)) - between(RATE)).max(0.0)
    }

    fn rtt(self, a: &str, b: &str) -> Duration {
        // Every pair was looked up when the options were checked.
        self.rtt.rtt(a, b).unwrap_or_default()
    }
}

/// As TOML writes it: names may hold any letter.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Clients of each kind in a region that breaks. More of them give more pairs of a fault and a client.
const CLIENTS: u16 = 6;

/// Clients of each kind in another region: one would be chance.
const BYSTANDERS: u16 = 2;

/// The clients that are judged decide: without them a server that dies would show nothing.
const FULLEST: &str = "servers = 1\npick = \"fullest\"\npopulation = \"nats-geo\"\n";

/// Requests per second of a client in a region that breaks, which times a failover to 10 ms.
const RATE: u16 = 100;

/// A request that fails is seen at any rate.
const BYSTANDER_RATE: u16 = 20;

/// New clients come to rest, and the baseline is warm.
const BEFORE: Duration = Duration::from_millis(1_500);

/// Between the last client that comes back and the end of a fault.
const ROOM: Duration = Duration::from_secs(3);

/// SYN, INFO, CONNECT and the request itself.
const ROUND_TRIPS: u32 = 4;

/// A few loopback round trips and a busy machine.
const SERVER_KILL_P50_MS: f64 = 25.0;

/// Together with the 36 ms of four round trips to the next region 0.8 s: the phase of a 500 ms PING, 250 ms of suspicion, and room
/// for a busy machine.
const BLACKHOLE_P50_MS: f64 = 764.0;

/// The same for 1.1 s.
const BLACKHOLE_P90_MS: f64 = 1_064.0;
