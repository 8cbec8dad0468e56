//! Stage 4: the order of regions, and of the servers in each, with the reason for each place.

use std::cmp::Ordering;
use std::time::Duration;

use super::damping::Damping;
use super::discovery::{Record, Roster};
use super::rng::{rendezvous_score, scale};
use super::sorted::sort_few;
use super::useless::Useless;
use super::{Config, EndpointId, Reason, Region, Time};

/// Regions, best first, and the servers of each, best first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Ranking {
    regions: Vec<RankedRegion>,
    servers: Vec<Ranked>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct RankedRegion {
    name: Region,
    /// The lowest among its usable servers.
    base: Option<Duration>,
    /// Where its servers end, and those of the next begin.
    end: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ranked {
    pub(crate) endpoint: EndpointId,
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
    pub(crate) fn of(
        roster: &Roster,
        damping: &Damping,
        useless: &Useless,
        config: &Config,
        client: u64,
        now: Time,
    ) -> Self {
        let context = Context { damping, useless, config, client, now };
        let mut regions = context.regions(roster);
        let nearest = regions.iter().filter(|region| region.standing == Standing::Usable);
        let nearest = nearest.filter_map(|region| region.base).min();
        let tied_up_to = nearest.map(|nearest| nearest + context.tie_window(nearest));
        sort_few(&mut regions, |a, b| order_regions(a, b, tied_up_to));
        let mut ranking = Self::default();
        ranking.servers.reserve_exact(regions.iter().map(|region| region.servers.len()).sum());
        for region in regions {
            context.servers(&region, nearest, &mut ranking.servers);
            ranking.add(region.name.clone());
        }
        ranking
    }

    /// Regions with the numbers of their servers, which are as many milliseconds away; all usable.
    #[cfg(test)]
    pub(crate) fn of_usable(regions: &[(&str, &[u64])]) -> Self {
        let mut ranking = Self::default();
        for (name, ids) in regions {
            ranking.servers.extend(ids.iter().map(|id| Ranked {
                endpoint: EndpointId(*id),
                base: Some(Duration::from_millis(*id)),
                reason: Reason::Nearest,
            }));
            ranking.add(Region::new(*name));
        }
        ranking
    }

    /// Adds a region, whose servers are those behind the ones of the last.
    fn add(&mut self, name: Region) {
        let start = self.regions.last().map_or(0, |last| last.end);
        let usable = self.servers[start..].iter().filter(|server| server.is_usable());
        let base = usable.filter_map(|server| server.base).min();
        self.regions.push(RankedRegion { name, base, end: self.servers.len() });
    }

    /// The regions in order, each once.
    pub(crate) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter().map(|region| &region.name)
    }

    /// The servers in order, with their regions.
    pub(crate) fn servers(&self) -> impl Iterator<Item = (&Region, &Ranked)> {
        let mut start = 0;
        self.regions.iter().flat_map(move |region| {
            let servers = &self.servers[start..region.end];
            start = region.end;
            servers.iter().map(move |server| (&region.name, server))
        })
    }

    pub(crate) fn in_region(&self, region: &Region) -> impl Iterator<Item = &Ranked> {
        let servers = self.place(region).map(|place| {
            let start = place.checked_sub(1).map_or(0, |before| self.regions[before].end);
            &self.servers[start..self.regions[place].end]
        });
        servers.into_iter().flatten()
    }

    /// Place of a region, from 0; `None` for one without servers.
    pub(crate) fn place(&self, region: &Region) -> Option<usize> {
        self.regions().position(|ranked| ranked == region)
    }

    /// The base RTT of a region: the lowest among its usable servers.
    pub(crate) fn base(&self, region: &Region) -> Option<Duration> {
        self.regions.iter().find(|ranked| ranked.name == *region)?.base
    }
}

/// What ranking depends on besides the roster.
struct Context<'a> {
    damping: &'a Damping,
    useless: &'a Useless,
    config: &'a Config,
    client: u64,
    now: Time,
}

struct RegionView<'a> {
    name: &'a Region,
    /// In the order of this client's preference.
    servers: Vec<(Standing, &'a Record)>,
    base: Option<Duration>,
    standing: Standing,
    /// Why its servers stand where they stand, those that answer.
    reason: Reason,
    /// Breaks ties between regions that are equally near.
    score: f64,
}

/// Coarse order of regions and of the servers in one, best first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Standing {
    Usable,
    Damped,
    TooFew,
    Useless,
    Unmeasured,
    Unhealthy,
    LameDuck,
}

impl Standing {
    /// Those of servers: the others are of regions only.
    const OF_SERVERS: [Self; 4] = [Self::Usable, Self::Unmeasured, Self::Unhealthy, Self::LameDuck];
}

impl<'a> Context<'a> {
    fn regions(&self, roster: &'a Roster) -> Vec<RegionView<'a>> {
        let mut regions: Vec<(&Region, Vec<_>)> = Vec::new();
        for record in roster.servers_by_score() {
            let server = (self.server_standing(record), record);
            match regions.iter_mut().find(|(name, _)| **name == record.region) {
                Some((_, servers)) => servers.push(server),
                None => regions.push((&record.region, vec![server])),
            }
        }
        // Ties that even the hash leaves open are broken by the name.
        sort_few(&mut regions, |a, b| a.0.cmp(b.0));
        regions.into_iter().map(|(name, servers)| self.region(name, servers)).collect()
    }

    fn region(&self, name: &'a Region, servers: Vec<(Standing, &'a Record)>) -> RegionView<'a> {
        let usable = servers.iter().filter(|(standing, _)| *standing == Standing::Usable);
        let base = usable.filter_map(|(_, record)| record.base.get()).min();
        let answering = servers.iter().filter(|(standing, _)| *standing == Standing::Usable).count();
        let best = servers.iter().map(|(standing, _)| *standing).min().unwrap_or(Standing::Unmeasured);
        let (standing, reason) = match best {
            Standing::Usable => self.of_answering(name, answering),
            // Nobody answers.
            _ => (best, Reason::Unmeasured),
        };
        let weight = servers.iter().map(|(_, record)| record.endpoint.weight.max(1)).sum();
        let score = rendezvous_score(self.client, name.as_str(), weight);
        RegionView { name, servers, base, standing, reason, score }
    }

    /// The standing of a region in which so many servers answer.
    fn of_answering(&self, name: &Region, answering: usize) -> (Standing, Reason) {
        if let Some(until) = self.useless.until(name, self.now) {
            (Standing::Useless, Reason::Useless { until })
        } else if answering < self.config.rank.servers_min {
            (Standing::TooFew, Reason::TooFew { answering })
        } else if let Some(until) = self.damping.suppressed_until(name, self.now, &self.config.damping) {
            (Standing::Damped, Reason::Damped { until })
        } else {
            (Standing::Usable, Reason::Nearest)
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

    fn tie_window(&self, nearest: Duration) -> Duration {
        let rank = &self.config.rank;
        scale(nearest, rank.tie_ratio).clamp(rank.tie_min, rank.tie_max)
    }

    /// Adds the servers of a region: by standing, and among equals as this client prefers them.
    fn servers(&self, view: &RegionView<'_>, nearest: Option<Duration>, ranked: &mut Vec<Ranked>) {
        let behind = view.base.zip(nearest).map(|(base, nearest)| base.saturating_sub(nearest));
        let answering = match (&view.reason, behind.unwrap_or_default()) {
            (Reason::Nearest, Duration::ZERO) => Reason::Nearest,
            (Reason::Nearest, behind) if behind <= self.tie_window(nearest.unwrap_or_default()) => {
                Reason::Tied { behind }
            }
            (Reason::Nearest, behind) => Reason::Farther { behind },
            (reason, _) => reason.clone(),
        };
        for standing in Standing::OF_SERVERS {
            let reason = match standing {
                Standing::LameDuck => Reason::LameDuck,
                Standing::Unhealthy => Reason::Unhealthy,
                Standing::Unmeasured => Reason::Unmeasured,
                _ => answering.clone(),
            };
            let alike = view.servers.iter().filter(|(its, _)| *its == standing);
            ranked.extend(alike.map(|(_, record)| Ranked {
                endpoint: record.endpoint.id,
                base: record.base.get(),
                reason: reason.clone(),
            }));
        }
    }
}

/// Usable regions inside the tie window of the nearest are ordered by hash, others by distance.
fn order_regions(a: &RegionView<'_>, b: &RegionView<'_>, tied_up_to: Option<Duration>) -> Ordering {
    let tied = |view: &RegionView<'_>| view.standing == Standing::Usable && view.base <= tied_up_to;
    let by_hash = b.score.total_cmp(&a.score);
    let within_standing = match (tied(a), tied(b)) {
        (true, true) => by_hash,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => distance(a.base).cmp(&distance(b.base)).then(by_hash),
    };
    a.standing.cmp(&b.standing).then(within_standing)
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
        let (damping, useless) = (Damping::default(), Useless::default());
        Ranking::of(&roster.seen_by(client), &damping, &useless, &Config::fleet(), client, NOW)
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
        let ranking = Ranking::of(&roster, &damping, &Useless::default(), &config, 1, NOW);
        assert_eq!(order(&ranking), ["ams", "lon"]);
        assert!(matches!(ranking.servers[3].reason, Reason::Damped { .. }));
        assert_eq!(ranking.servers[0].reason, Reason::Nearest, "nearest of those that may be chosen");
    }

    #[test]
    fn a_useless_region_and_one_with_too_few_servers_stand_behind_usable_and_damped_ones() {
        let roster = roster(&[("lon", 300), ("ams", 9_000), ("fra", 20_000), ("dal", 113_000)]);
        let mut config = Config::fleet();
        let (mut damping, mut useless) = (Damping::default(), Useless::default());
        useless.mark(&Region::new("lon"), NOW, &config);
        for _ in 0..3 {
            damping.charge(&Region::new("fra"), NOW, &config.damping);
        }
        let mut roster = roster;
        roster.get_mut(EndpointId(20)).unwrap().failed(NOW, &config.rank);
        let ranked = |config: &Config, now| Ranking::of(&roster, &damping, &useless, config, 1, now);
        assert_eq!(order(&ranked(&config, NOW)), ["ams", "dal", "fra", "lon"]);
        config.rank.servers_min = 3;
        let ranking = ranked(&config, NOW);
        assert_eq!(order(&ranking), ["dal", "fra", "ams", "lon"]);
        let reason = |region: &str| ranking.in_region(&Region::new(region)).next().unwrap().reason.clone();
        assert_eq!(reason("ams"), Reason::TooFew { answering: 2 });
        assert!(matches!(reason("lon"), Reason::Useless { .. }));
        assert_eq!(ranking.base(&Region::new("ams")), None, "not to be entered");
        let later = NOW + config.rank.useless_for;
        assert_eq!(order(&ranked(&config, later))[0], "lon", "the verdict has expired");
    }
}
