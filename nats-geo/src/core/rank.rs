//! Stage 4: the order of regions, and of the servers in each, with the reason for each place.

use std::cmp::Ordering;
use std::time::Duration;

use super::damping::Damping;
use super::discovery::{Record, Roster};
use super::rng::{rendezvous_score, scale};
use super::sorted::{SortedMap, sort_few};
use super::{Config, EndpointId, Reason, Region, Time};

/// Servers, best first; the servers of a region stand together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ranking {
    pub(crate) servers: Vec<Ranked>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ranked {
    pub(crate) endpoint: EndpointId,
    pub(crate) region: Region,
    pub(crate) base: Option<Duration>,
    pub(crate) reason: Reason,
}

impl Ranked {
    /// Whether it may be chosen while there is a choice.
    pub(crate) const fn is_usable(&self) -> bool {
        matches!(self.reason, Reason::Nearest | Reason::Tied { .. } | Reason::Farther { .. })
    }
}

impl Ranking {
    /// Ranks what is known now. The same client always breaks ties alike.
    pub(crate) fn of(roster: &Roster, damping: &Damping, config: &Config, client: u64, now: Time) -> Self {
        let context = Context { damping, config, client, now };
        let mut regions = context.regions(roster);
        let nearest = regions.iter().filter(|region| region.standing == Standing::Usable);
        let nearest = nearest.filter_map(|region| region.base).min();
        sort_few(&mut regions, |a, b| context.order_regions(a, b, nearest));
        let servers = regions.into_iter().flat_map(|region| context.servers(region, nearest)).collect();
        Self { servers }
    }

    /// The regions in order, each once.
    pub(crate) fn regions(&self) -> impl Iterator<Item = &Region> {
        let mut previous = None;
        self.servers.iter().map(|server| &server.region).filter(move |region| {
            let is_next = previous != Some(*region);
            previous = Some(*region);
            is_next
        })
    }

    pub(crate) fn in_region<'a>(&'a self, region: &'a Region) -> impl Iterator<Item = &'a Ranked> {
        self.servers.iter().filter(move |server| server.region == *region)
    }

    /// Place of a region, from 0; `None` for one without servers.
    pub(crate) fn place(&self, region: &Region) -> Option<usize> {
        self.regions().position(|ranked| ranked == region)
    }

    /// The base RTT of a region: the lowest among its usable servers.
    pub(crate) fn base(&self, region: &Region) -> Option<Duration> {
        self.in_region(region).filter(|server| server.is_usable()).filter_map(|server| server.base).min()
    }
}

/// What ranking depends on besides the roster.
struct Context<'a> {
    damping: &'a Damping,
    config: &'a Config,
    client: u64,
    now: Time,
}

struct RegionView<'a> {
    region: &'a Region,
    records: Vec<&'a Record>,
    base: Option<Duration>,
    standing: Standing,
    /// Breaks ties between regions that are equally near.
    score: f64,
}

/// Coarse order of regions and of the servers in one, best first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Standing {
    Usable,
    Damped,
    Unmeasured,
    Unhealthy,
    LameDuck,
}

impl<'a> Context<'a> {
    fn regions(&self, roster: &'a Roster) -> Vec<RegionView<'a>> {
        let mut by_region: SortedMap<&Region, Vec<&Record>> = SortedMap::new();
        for record in roster.servers() {
            by_region.or_default(&record.region).push(record);
        }
        by_region.into_iter().map(|(region, records)| self.region(region, records)).collect()
    }

    fn region(&self, region: &'a Region, records: Vec<&'a Record>) -> RegionView<'a> {
        let usable = records.iter().filter(|record| self.server_standing(record) == Standing::Usable);
        let base = usable.filter_map(|record| record.base.get()).min();
        let best = records.iter().map(|record| self.server_standing(record)).min();
        let standing = match best.unwrap_or(Standing::Unmeasured) {
            Standing::Usable if self.damped_until(region).is_some() => Standing::Damped,
            standing => standing,
        };
        let weight = records.iter().map(|record| record.endpoint.weight.max(1)).sum();
        RegionView {
            region,
            records,
            base,
            standing,
            score: rendezvous_score(self.client, region.as_str(), weight),
        }
    }

    fn server_standing(&self, record: &Record) -> Standing {
        if record.lame_duck {
            Standing::LameDuck
        } else if !record.is_healthy(self.now) {
            Standing::Unhealthy
        } else if record.base.get().is_none() {
            Standing::Unmeasured
        } else {
            Standing::Usable
        }
    }

    fn damped_until(&self, region: &Region) -> Option<Time> {
        self.damping.suppressed_until(region, self.now, &self.config.damping)
    }

    /// Usable regions inside the tie window of the nearest are ordered by hash, others by distance.
    fn order_regions(&self, a: &RegionView<'_>, b: &RegionView<'_>, nearest: Option<Duration>) -> Ordering {
        let tied = |view: &RegionView<'_>| {
            view.standing == Standing::Usable
                && view.base <= nearest.map(|nearest| nearest + self.tie_window(nearest))
        };
        let by_hash = b.score.total_cmp(&a.score);
        let within_standing = match (tied(a), tied(b)) {
            (true, true) => by_hash,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => distance(a.base).cmp(&distance(b.base)).then(by_hash),
        };
        a.standing.cmp(&b.standing).then(within_standing)
    }

    fn tie_window(&self, nearest: Duration) -> Duration {
        let rank = &self.config.rank;
        scale(nearest, rank.tie_ratio).clamp(rank.tie_min, rank.tie_max)
    }

    fn servers(&self, view: RegionView<'_>, nearest: Option<Duration>) -> Vec<Ranked> {
        let key = |record: &Record| {
            let score = rendezvous_score(self.client, &record.endpoint.address, record.endpoint.weight);
            (self.server_standing(record), score)
        };
        let mut records = view.records;
        sort_few(&mut records, |a, b| {
            let ((a_standing, a_score), (b_standing, b_score)) = (key(a), key(b));
            a_standing.cmp(&b_standing).then(b_score.total_cmp(&a_score))
        });
        let behind = view.base.zip(nearest).map(|(base, nearest)| base.saturating_sub(nearest));
        let ranked = |record: &Record| Ranked {
            endpoint: record.endpoint.id,
            region: view.region.clone(),
            base: record.base.get(),
            reason: self.reason(record, view.region, behind.unwrap_or_default(), nearest.unwrap_or_default()),
        };
        records.into_iter().map(ranked).collect()
    }

    fn reason(&self, record: &Record, region: &Region, behind: Duration, nearest: Duration) -> Reason {
        match self.server_standing(record) {
            Standing::LameDuck => Reason::LameDuck,
            Standing::Unhealthy => Reason::Unhealthy,
            Standing::Unmeasured => Reason::Unmeasured,
            Standing::Usable | Standing::Damped => match self.damped_until(region) {
                Some(until) => Reason::Damped { until },
                None if behind.is_zero() => Reason::Nearest,
                None if behind <= self.tie_window(nearest) => Reason::Tied { behind },
                None => Reason::Farther { behind },
            },
        }
    }
}

fn distance(base: Option<Duration>) -> Duration {
    base.unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::{Endpoint, ServerIdentity};
    use super::*;

    const NOW: Time = Time::from_millis(1_000);

    /// Endpoints 10, 11, 12 in the first region, 20, 21, 22 in the second, and so on.
    fn roster(regions: &[(&str, u64)]) -> Roster {
        let config = Config::fleet();
        let mut roster = Roster::default();
        for (index, (region, rtt_us)) in regions.iter().enumerate() {
            for server in 0..3 {
                let id = EndpointId(10 * (index as u64 + 1) + server);
                roster.discovered(Endpoint::new(id, format!("{region}-{server}:4222")));
                roster.identified(id, ServerIdentity::new(id.to_string(), Some(region)));
                let rtt = Duration::from_micros(*rtt_us);
                roster.get_mut(id).unwrap().base.record(rtt, config.probe.interval, NOW, &config.rank);
            }
        }
        roster
    }

    fn ranking(roster: &Roster, client: u64) -> Ranking {
        Ranking::of(roster, &Damping::default(), &Config::fleet(), client, NOW)
    }

    fn order(ranking: &Ranking) -> Vec<&str> {
        ranking.regions().map(Region::as_str).collect()
    }

    #[test]
    fn regions_are_ordered_by_distance() {
        let roster = roster(&[("dal", 113_000), ("ams", 9_000), ("lon", 300)]);
        for client in 0..50 {
            let ranking = ranking(&roster, client);
            assert_eq!(order(&ranking), ["lon", "ams", "dal"]);
            assert_eq!(ranking.servers[0].reason, Reason::Nearest);
            assert_eq!(ranking.servers[3].reason, Reason::Farther { behind: Duration::from_micros(8_700) });
            assert_eq!(ranking.place(&Region::new("dal")), Some(2));
        }
    }

    #[test]
    fn the_tie_window_is_a_fifth_of_the_best_between_3_and_15_ms() {
        for (best_us, window_us) in [(300, 3_000), (20_000, 4_000), (113_000, 15_000)] {
            let share_of_second = |second_us: u64| {
                let roster = roster(&[("near", best_us), ("far", second_us)]);
                (0..100).filter(|client| order(&ranking(&roster, *client))[0] == "far").count()
            };
            assert!(
                (25..75).contains(&share_of_second(best_us + window_us)),
                "tied: the hash divides clients"
            );
            assert_eq!(share_of_second(best_us + window_us + 1), 0, "outside the window: never");
        }
    }

    #[test]
    fn clients_divide_over_the_servers_of_a_region_and_stay_there() {
        let roster = roster(&[("lon", 300)]);
        let first = |client| ranking(&roster, client).servers[0].endpoint;
        let count = |id| (0..300).filter(|client| first(*client) == EndpointId(id)).count();
        assert!([10, 11, 12].into_iter().all(|id| (70..130).contains(&count(id))));
        assert_eq!(first(7), first(7));
    }

    #[test]
    fn silent_and_lame_servers_stand_last_and_say_so() {
        let mut roster = roster(&[("lon", 300), ("ams", 9_000)]);
        let config = Config::fleet().rank;
        for id in [10, 11] {
            roster.get_mut(EndpointId(id)).unwrap().failed(NOW, &config);
        }
        let ranking_now = ranking(&roster, 1);
        assert_eq!(order(&ranking_now), ["lon", "ams"], "one healthy server keeps a region usable");
        assert_eq!(ranking_now.servers[0].endpoint, EndpointId(12));
        assert_eq!(ranking_now.servers[1].reason, Reason::Unhealthy);
        roster.get_mut(EndpointId(12)).unwrap().lame_duck = true;
        let ranking_now = ranking(&roster, 1);
        assert_eq!(order(&ranking_now), ["ams", "lon"]);
        assert_eq!(ranking_now.servers[5].reason, Reason::LameDuck);
        assert_eq!(ranking_now.base(&Region::new("lon")), None);
    }

    #[test]
    fn a_damped_region_stands_behind_usable_ones() {
        let roster = roster(&[("lon", 300), ("ams", 9_000)]);
        let config = Config::fleet();
        let mut damping = Damping::default();
        for _ in 0..3 {
            damping.charge(&Region::new("lon"), NOW, &config.damping);
        }
        let ranking = Ranking::of(&roster, &damping, &config, 1, NOW);
        assert_eq!(order(&ranking), ["ams", "lon"]);
        assert!(matches!(ranking.servers[3].reason, Reason::Damped { .. }));
        assert_eq!(ranking.servers[0].reason, Reason::Nearest, "nearest of those that may be chosen");
    }
}
