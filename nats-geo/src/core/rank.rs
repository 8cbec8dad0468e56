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
        let (mut regions, servers) = context.look(roster);
        let nearest = regions.iter().filter(|region| region.standing == Standing::Usable);
        let nearest = nearest.filter_map(|region| region.base).min();
        let window = nearest.map(|nearest| context.tie_window(nearest)).unwrap_or_default();
        let tied_up_to = nearest.map(|nearest| nearest + window);
        sort_few(&mut regions, |a, b| context.order(a, b, tied_up_to));
        let mut ranking = Self::default();
        ranking.regions.reserve_exact(regions.len());
        ranking.servers.reserve_exact(servers.len());
        for region in regions {
            let behind = region.base.zip(nearest).map(|(base, nearest)| base.saturating_sub(nearest));
            let answering = region.reason.of_answering(behind.unwrap_or_default(), window);
            for standing in Standing::OF_SERVERS {
                // Nearly always all servers of a region are alike.
                if region.standings & standing.bit() != 0 {
                    let alike = (region.number, standing);
                    let alike = servers.iter().filter(|server| (server.region, server.standing) == alike);
                    ranking.servers.extend(alike.map(|server| server.ranked(&answering)));
                }
            }
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

/// What is known of a region while it has no place yet.
struct RegionView<'a> {
    name: &'a Region,
    /// Of those that were looked at.
    number: usize,
    /// The shares of its servers together.
    weight: u32,
    /// The lowest among its usable servers.
    base: Option<Duration>,
    /// How many of its servers are usable.
    answering: usize,
    /// Those of its servers, as bits.
    standings: u8,
    /// That of its best server, and then its own.
    standing: Standing,
    /// Why its servers stand where they stand, those that answer.
    reason: Reason,
}

/// What is known of a server.
struct ServerView<'a> {
    record: &'a Record,
    region: usize,
    standing: Standing,
}

impl ServerView<'_> {
    /// In a region whose servers stand where they stand for the reason `answering`, if they answer.
    fn ranked(&self, answering: &Reason) -> Ranked {
        Ranked {
            endpoint: self.record.endpoint.id,
            base: self.record.base.get(),
            reason: match self.standing {
                Standing::LameDuck => Reason::LameDuck,
                Standing::Unhealthy => Reason::Unhealthy,
                Standing::Unmeasured => Reason::Unmeasured,
                _ => answering.clone(),
            },
        }
    }
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

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl<'a> Context<'a> {
    /// The regions in the order of their first servers, and the servers in the order of this client's preference.
    fn look(&self, roster: &'a Roster) -> (Vec<RegionView<'a>>, Vec<ServerView<'a>>) {
        let mut regions: Vec<RegionView<'_>> = Vec::new();
        let mut servers = Vec::with_capacity(roster.len());
        for record in roster.servers_by_score() {
            let standing = self.server_standing(record);
            let region = match regions.iter().position(|region| *region.name == record.region) {
                Some(known) => known,
                None => {
                    regions.push(RegionView::new(&record.region, regions.len()));
                    regions.len() - 1
                }
            };
            regions[region].count(record, standing);
            servers.push(ServerView { record, region, standing });
        }
        for region in &mut regions {
            if region.standing == Standing::Usable {
                (region.standing, region.reason) = self.of_answering(region.name, region.answering);
            }
        }
        (regions, servers)
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

    /// Usable regions inside the tie window of the nearest are ordered by hash, others by distance. Ties that even the
    /// hash leaves open are broken by the name.
    fn order(&self, a: &RegionView<'_>, b: &RegionView<'_>, tied_up_to: Option<Duration>) -> Ordering {
        let tied = |view: &RegionView<'_>| view.standing == Standing::Usable && view.base <= tied_up_to;
        let by_hash = || self.score(b).total_cmp(&self.score(a)).then_with(|| a.name.cmp(b.name));
        let within_standing = || match (tied(a), tied(b)) {
            (true, true) => by_hash(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => distance(a.base).cmp(&distance(b.base)).then_with(by_hash),
        };
        a.standing.cmp(&b.standing).then_with(within_standing)
    }

    /// Breaks ties between regions that are equally near. Few are, so it is not kept.
    fn score(&self, region: &RegionView<'_>) -> f64 {
        rendezvous_score(self.client, region.name.as_bytes(), region.weight)
    }
}

impl<'a> RegionView<'a> {
    const fn new(name: &'a Region, number: usize) -> Self {
        // Nobody answers.
        let reason = Reason::Unmeasured;
        let standing = Standing::LameDuck;
        Self { name, number, weight: 0, base: None, answering: 0, standings: 0, standing, reason }
    }

    fn count(&mut self, record: &Record, standing: Standing) {
        self.weight += record.endpoint.weight.max(1);
        self.standings |= standing.bit();
        self.standing = self.standing.min(standing);
        if standing == Standing::Usable {
            self.answering += 1;
            self.base = self.base.into_iter().chain(record.base.get()).min();
        }
    }
}

impl Reason {
    /// The reason of the servers that answer in a region with this one.
    fn of_answering(&self, behind: Duration, window: Duration) -> Self {
        match self {
            Self::Nearest if behind.is_zero() => Self::Nearest,
            Self::Nearest if behind <= window => Self::Tied { behind },
            Self::Nearest => Self::Farther { behind },
            reason => reason.clone(),
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
