//! Counters of a simulated herd.

use std::time::Duration;

use super::Herd;
use super::world::World;
use crate::core::Time;

/// Result of a simulated herd.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HerdReport {
    /// Number of clients.
    pub clients: u32,
    /// Number of clients that used the region when it was lost (*hit* clients).
    pub hit: u32,
    /// Number of hit clients that had an active link again before the region returned.
    pub back: u32,
    /// Times from the loss until these clients had an active link again.
    pub back_after: Spans,
    /// Average number of dials of a hit client until the region returned.
    pub dials_per_client: f64,
    /// Average number of handshakes of a hit client at surviving servers until the region returned.
    pub handshakes_per_client: f64,
    /// Share of the hit clients that use the surviving region nearest to their home when the lost region returns.
    pub in_nearest: f64,
    /// Handshakes of the busiest server, divided by the average of its region, until the lost region returned. The value
    /// is the highest of all regions. 1 means an even load.
    pub skew: f64,
    /// Number of hit clients whose home is the lost region, and that use this region again at the end.
    pub home: u32,
    /// Number of hit clients whose home is the lost region.
    pub home_of: u32,
    /// Times from the return of the region until the clients that `home` counts used the region again.
    pub home_after: Spans,
    /// Handshakes at each region.
    pub regions: Vec<RegionLoad>,
    /// Number of clients that made no dial after the loss.
    pub bystanders: u32,
}

/// Handshakes that clients began at the servers of a region.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RegionLoad {
    /// The region.
    pub name: String,
    /// Handshakes in each second since the loss.
    pub per_second: Vec<u32>,
    /// Largest value of `per_second`.
    pub peak: u32,
    /// Handshakes that the region can do per second.
    pub accepts_per_second: f64,
}

/// A distribution of times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Spans {
    /// Median.
    pub p50: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// Longest time.
    pub last: Duration,
}

impl Spans {
    fn of(mut spans: Vec<Duration>) -> Self {
        spans.sort_unstable();
        let at = |share: f64| {
            let place = (share * spans.len() as f64).ceil() as usize;
            spans.get(place.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { p50: at(0.5), p99: at(0.99), last: at(1.0) }
    }
}

/// What is counted on the way.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    herd: &'a Herd,
    bystanders: u32,
    dials: u64,
    handshakes: u64,
    in_nearest: u32,
    skew: f64,
}

impl<'a> Tally<'a> {
    pub(super) const fn new(herd: &'a Herd) -> Self {
        Self { herd, bystanders: 0, dials: 0, handshakes: 0, in_nearest: 0, skew: 0.0 }
    }

    pub(super) const fn bystander(&mut self) {
        self.bystanders += 1;
    }

    /// The region is about to return.
    pub(super) fn at_return(&mut self, world: &World<'_>) {
        for client in world.players.iter().filter(|client| client.is_hit) {
            self.dials += u64::from(client.dials);
            self.handshakes += u64::from(client.handshakes);
            let nearest = self.herd.nearest_survivor(client.home);
            self.in_nearest += u32::from(nearest.is_some_and(|region| client.uses(region, self.herd)));
        }
        self.skew = world.load.chunks(self.herd.servers_per_region).map(skew).fold(0.0, f64::max);
    }

    pub(super) fn report(self, world: &World<'_>) -> HerdReport {
        let herd = self.herd;
        let hit: Vec<_> = world.players.iter().filter(|client| client.is_hit).collect();
        let back = hit.iter().filter_map(|client| client.back).filter(|at| *at < herd.return_at());
        let back: Vec<_> = back.map(|at| at.since(herd.loss_at())).collect();
        let natives: Vec<_> = hit.iter().filter(|client| client.home == herd.lose).collect();
        let home: Vec<_> =
            natives.iter().filter_map(|client| client.at_home).map(|at| since_return(herd, at)).collect();
        let share = |count: f64| if hit.is_empty() { 0.0 } else { count / hit.len() as f64 };
        HerdReport {
            clients: herd.clients,
            hit: hit.len() as u32,
            back: back.len() as u32,
            back_after: Spans::of(back),
            dials_per_client: share(self.dials as f64),
            handshakes_per_client: share(self.handshakes as f64),
            in_nearest: share(self.in_nearest.into()),
            skew: self.skew,
            home: home.len() as u32,
            home_of: natives.len() as u32,
            home_after: Spans::of(home),
            regions: regions(herd, world),
            bystanders: self.bystanders,
        }
    }
}

fn since_return(herd: &Herd, at: Time) -> Duration {
    at.since(herd.return_at())
}

fn regions(herd: &Herd, world: &World<'_>) -> Vec<RegionLoad> {
    let servers = world.load.chunks(herd.servers_per_region);
    let load = |(name, servers): (&String, &[Vec<u32>])| {
        let seconds = servers.iter().map(Vec::len).max().unwrap_or_default();
        let at = |second| servers.iter().filter_map(|server| server.get(second)).sum();
        let per_second: Vec<u32> = (0..seconds).map(at).collect();
        RegionLoad {
            name: name.clone(),
            peak: per_second.iter().copied().max().unwrap_or_default(),
            per_second,
            accepts_per_second: herd.region_accepts_per_second(),
        }
    };
    herd.regions.iter().zip(servers).map(load).collect()
}

/// The busiest of a region's servers over their average.
fn skew(servers: &[Vec<u32>]) -> f64 {
    let totals: Vec<u32> = servers.iter().map(|server| server.iter().sum()).collect();
    let most = totals.iter().copied().max().unwrap_or_default();
    let average = f64::from(totals.iter().sum::<u32>()) / totals.len() as f64;
    if average > 0.0 { f64::from(most) / average } else { 0.0 }
}
