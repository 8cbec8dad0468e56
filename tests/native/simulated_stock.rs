//! The simulator's stock clients against a real one: the same faults, the same decisions, about as fast.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use async_nats::{ConnectOptions, Event, ServerAddr};
use loadgen::clock;
use nats_geo::sim::herd::{
    StockDial, StockFault, StockHits, StockLoss, StockOutage, StockRules, StockScenario, stock_story,
};
use tokio::sync::mpsc;

use crate::doors::{Doors, Refused};
use crate::world::{World, within};

/// Shuffling decides how many dead servers are dialled before one that is there; so many simulated lives hold every number,
/// because the rarest is one in a hundred.
const LIVES: u64 = 1_000;

/// The stated tolerance: what a busy machine adds to a time, or takes off one by being late with the fault that it counts
/// from. Short times are at least half as long as in the simulator.
const BUSY: Duration = Duration::from_secs(1);

const SERVERS_PER_REGION: usize = 2;

/// A region is this far from a client in lon, in the order of [`World`]'s regions.
const FROM_LON: [Duration; 3] = [Duration::ZERO, Duration::from_millis(9), Duration::from_millis(113)];

/// Whatever comes in puts a client's next PING off, so servers send theirs as rarely as by default: the first one 2 s after
/// the connect, when the region is silent already, the others much later.
const SERVERS_PING: Duration = Duration::from_secs(120);

/// A real stock client and what it was seen to do.
struct Real {
    client: async_nats::Client,
    events: mpsc::UnboundedReceiver<(Instant, Event)>,
    doors: Doors,
    connected_at: Instant,
    /// By server, since its last success.
    failures: Vec<u32>,
    seat: usize,
}

impl Real {
    async fn connect(world: &World, urls: BTreeMap<String, String>, options: ConnectOptions) -> Self {
        let servers: Vec<_> = names(world).iter().map(|name| urls[name].clone()).collect();
        let doors = Doors::open(&servers).await;
        let (told, events) = mpsc::unbounded_channel();
        let options = options.event_callback(move |event| {
            // The receiver lives as long as the test.
            let _ = told.send((clock::now(), event));
            async {}
        });
        let client = within("connecting", options.connect(addresses(&doors))).await.unwrap();
        let failures = vec![0; servers.len()];
        let mut real = Self { client, events, doors, connected_at: clock::now(), failures, seat: 0 };
        real.connected_at = real.event(&Event::Connected).await;
        assert_eq!(real.dials(real.connected_at).len(), 1, "all servers were up");
        real
    }

    async fn live(&mut self, world: &mut World, faults: &[StockFault]) -> Vec<StockOutage> {
        let mut outages = Vec::new();
        for fault in faults {
            tokio::time::sleep_until((self.connected_at + fault.after).into()).await;
            let fault_at = clock::now();
            self.hit(world, *fault);
            let lost_at = self.event(&Event::Disconnected).await;
            self.connected_at = self.event(&Event::Connected).await;
            outages.push(StockOutage {
                lost_after: lost_at - fault_at,
                dials: self.dials(fault_at),
                back_after: self.connected_at - fault_at,
            });
            self.agrees(world).await;
        }
        outages
    }

    fn hit(&self, world: &mut World, fault: StockFault) {
        let server = names(world).swap_remove(self.seat);
        let region = world.cluster.topology().regions()[self.seat / SERVERS_PER_REGION].clone();
        let from = clock::now();
        let cluster = &mut world.cluster;
        match (fault.hits, fault.loss) {
            (StockHits::ItsServer, StockLoss::Refuse) => _ = cluster.kill_server(&server).unwrap(),
            (StockHits::ItsRegion, StockLoss::Refuse) => _ = cluster.kill_region(&region).unwrap(),
            (StockHits::ItsRegion, StockLoss::Silence) => _ = cluster.blackhole_region(&region).unwrap(),
            (StockHits::Everything, StockLoss::RefuseFor(time)) => {
                self.doors.refuse(Refused::Until(from + time))
            }
            (StockHits::Everything, StockLoss::RefuseDials(count)) => {
                self.doors.refuse(Refused::Count(count))
            }
            _ => panic!("nothing here does {fault:?}"),
        }
    }

    /// When this happened; other events are news of failed passes.
    async fn event(&mut self, wanted: &Event) -> Instant {
        let found = async {
            loop {
                let (at, event) = self.events.recv().await.expect("the client ended");
                if event == *wanted {
                    return at;
                }
            }
        };
        within(wanted, found).await
    }

    /// What arrived at the doors up to its success, which is the last one.
    fn dials(&mut self, since: Instant) -> Vec<StockDial> {
        let mut dials = Vec::new();
        for (at, server) in self.doors.take_dials() {
            dials.push(StockDial {
                after: at.saturating_duration_since(since),
                server,
                failures: self.failures[server],
            });
            self.failures[server] += 1;
            self.seat = server;
        }
        self.failures[self.seat] = 0;
        dials
    }

    /// The client itself counts as the doors do, and is where they let it in.
    async fn agrees(&self, world: &World) {
        let pool = within("the pool", self.client.server_pool()).await.unwrap();
        let counted = |address: &ServerAddr| {
            pool.iter().find(|server| server.addr == *address).unwrap().failed_attempts
        };
        let counted: Vec<_> = addresses(&self.doors).iter().map(counted).collect();
        assert_eq!(counted, self.failures.iter().map(|failures| *failures as usize).collect::<Vec<_>>());
        assert_eq!(self.client.server_info().server_name, names(world)[self.seat]);
    }
}

/// All servers, numbered as in the simulator.
fn names(world: &World) -> Vec<String> {
    world.cluster.topology().servers().map(|name| name.to_string()).collect()
}

fn addresses(doors: &Doors) -> Vec<ServerAddr> {
    doors.urls().iter().map(|url| url.parse().unwrap()).collect()
}

fn from_lon(world: &World) -> BTreeMap<String, String> {
    let endpoints = world.cluster.endpoints("lon").unwrap().into_iter();
    endpoints.map(|endpoint| (endpoint.server.to_string(), endpoint.tcp_url)).collect()
}

/// What is determined whatever the shuffle: how often each server that was dialled had failed, and how many were.
fn decisions(story: &[StockOutage]) -> Vec<Vec<u32>> {
    story.iter().map(|outage| outage.dials.iter().map(|dial| dial.failures).collect()).collect()
}

/// Each pass takes every server once, those first that failed least.
fn assert_passes(story: &[StockOutage], servers: usize) {
    for pass in story.iter().flat_map(|outage| outage.dials.chunks(servers)) {
        let mut dialled: Vec<_> = pass.iter().map(|dial| dial.server).collect();
        dialled.sort_unstable();
        dialled.dedup();
        assert_eq!(dialled.len(), pass.len(), "a server twice in a pass: {story:?}");
        assert!(pass.is_sorted_by_key(|dial| dial.failures), "{story:?}");
    }
}

fn times(outage: &StockOutage) -> impl Iterator<Item = Duration> {
    let dials = outage.dials.iter().map(|dial| dial.after);
    [outage.lost_after, outage.back_after].into_iter().chain(dials)
}

fn compare(real: &[StockOutage], scenario: &StockScenario) {
    let servers = scenario.rtt.len() * scenario.servers_per_region;
    let simulated: Vec<_> = (0..LIVES).map(|seed| stock_story(scenario, seed).unwrap()).collect();
    simulated.iter().map(Vec::as_slice).chain([real]).for_each(|story| assert_passes(story, servers));
    let alike: Vec<_> = simulated.iter().filter(|story| decisions(story) == decisions(real)).collect();
    assert!(!alike.is_empty(), "the simulator never did {real:?}, but for example {:?}", simulated[0]);
    for (number, outage) in real.iter().enumerate() {
        for (place, time) in times(outage).enumerate() {
            let all = alike.iter().filter_map(|story| times(&story[number]).nth(place));
            let (shortest, longest) = all
                .fold((Duration::MAX, Duration::ZERO), |(shortest, longest), time| {
                    (shortest.min(time), longest.max(time))
                });
            let allowed = tolerated(shortest, longest);
            assert!(allowed.contains(&time), "time {place} is {time:?}, not in {allowed:?}: {outage:?}");
        }
        println!("{:?}, as in {} of {LIVES} lives, such as {:?}", outage, alike.len(), alike[0][number]);
    }
}

fn tolerated(shortest: Duration, longest: Duration) -> RangeInclusive<Duration> {
    (shortest / 2).max(shortest.saturating_sub(BUSY))..=longest + BUSY
}

const fn fault(after: Duration, hits: StockHits, loss: StockLoss) -> StockFault {
    StockFault { after, hits, loss }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_client_waits_and_dials_as_in_the_simulator() {
    let mut world = World::start().await;
    refused_everywhere(&mut world).await;
    a_dead_server_and_a_dead_region(&mut world).await;
}

/// The first outage ends in the middle of a pass, so that the servers have failed differently often in the second one; that one
/// is long enough for the longest wait to come twice. No server is far away, so all that takes time is the waits.
async fn refused_everywhere(world: &mut World) {
    let settled = Duration::from_millis(100);
    let scenario = StockScenario {
        rules: StockRules::rust(),
        rtt: vec![Duration::ZERO; FROM_LON.len()],
        servers_per_region: SERVERS_PER_REGION,
        faults: vec![
            fault(settled, StockHits::Everything, StockLoss::RefuseDials(8)),
            fault(settled, StockHits::Everything, StockLoss::RefuseFor(Duration::from_secs(10))),
        ],
    };
    let urls = world.cluster.home_urls().unwrap();
    let mut real = Real::connect(world, urls, ConnectOptions::new()).await;
    let outages = real.live(world, &scenario.faults).await;
    assert_eq!(decisions(&outages)[1], [0, 1, 1, 1, 2, 2, 1, 2, 2, 2, 3, 3, 2, 3]);
    compare(&outages, &scenario);
}

/// The dead stay in its list, and it finds out by dialling them.
async fn a_dead_server_and_a_dead_region(world: &mut World) {
    let settled = Duration::from_millis(300);
    let scenario = StockScenario {
        rules: StockRules::rust(),
        rtt: FROM_LON.to_vec(),
        servers_per_region: SERVERS_PER_REGION,
        faults: vec![
            fault(settled, StockHits::ItsServer, StockLoss::Refuse),
            fault(settled, StockHits::ItsRegion, StockLoss::Refuse),
        ],
    };
    let mut real = Real::connect(world, from_lon(world), ConnectOptions::new()).await;
    compare(&real.live(world, &scenario.faults).await, &scenario);
}

/// By default it would take minutes, so both count faster. Its connection is reset at first, more than a tolerance after the
/// last PING: the three intervals count from the connection that falls silent.
#[tokio::test(flavor = "multi_thread")]
async fn a_stock_client_leaves_a_silent_region_as_in_the_simulator() {
    let (ping_interval, connect_timeout) = (Duration::from_millis(1_800), Duration::from_secs(1));
    let options = ConnectOptions::new().ping_interval(ping_interval).connection_timeout(connect_timeout);
    let mut rules = StockRules::rust();
    (rules.ping_interval, rules.connect_timeout) = (ping_interval, connect_timeout);
    let (rtt, servers_per_region) = (FROM_LON.to_vec(), SERVERS_PER_REGION);
    let faults = vec![
        fault(Duration::from_millis(1_200), StockHits::Everything, StockLoss::RefuseDials(0)),
        fault(Duration::from_millis(200), StockHits::ItsRegion, StockLoss::Silence),
    ];
    let scenario = StockScenario { rules, rtt, servers_per_region, faults };
    let mut world = World::with(|settings| settings.ping_interval = SERVERS_PING).await;
    let mut real = Real::connect(&world, from_lon(&world), options).await;
    compare(&real.live(&mut world, &scenario.faults).await, &scenario);
}
