//! Stage 4: ranks the regions, and the servers in each region, with the reason for each rank.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::time::Duration;

use super::damping::Damping;
use super::discovery::Roster;
use super::record::{Fingerprint, Record};
use super::rng::{rendezvous_score, scale};
use super::sorted::sort_few;
use super::unhealthy::UnhealthyRegions;
use super::{Config, EndpointId, RankConfig, Reason, Region, Time};

/// Regions, best first, and the servers of each, best first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Ranking {
    order: RegionOrder,
    servers: Vec<Ranked>,
}

/// Regions, best first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct RegionOrder {
    regions: Vec<RankedRegion>,
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
    /// Returns whether it may be chosen while there is a choice.
    pub(crate) const fn is_usable(&self) -> bool {
        matches!(
            self.reason,
            Reason::Nearest | Reason::Connected | Reason::Tied { .. } | Reason::Farther { .. }
        )
    }
}

impl Ranking {
    /// Ranks what is known now. The same client always breaks ties alike.
    pub(crate) fn of(roster: &Roster, context: &Context<'_>) -> Self {
        let mut servers = Vec::with_capacity(roster.len());
        let Look { mut regions, order, nearest, tied_up_to } = context.look(roster, Some(&mut servers));
        for region in &mut regions {
            let behind = region.base.zip(nearest).map(|(base, nearest)| base.saturating_sub(nearest));
            let window = tied_up_to.zip(nearest).map(|(to, nearest)| to.saturating_sub(nearest));
            region.reason.tell_distance(behind.unwrap_or_default(), window.unwrap_or_default());
        }
        let places = places(&order, &regions, &servers);
        Self {
            order: RegionOrder::of_sorted(&regions, &order),
            servers: places.iter().map(|place| servers[*place].ranked(&regions)).collect(),
        }
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
    #[cfg(test)]
    fn add(&mut self, name: Region) {
        let start = self.order.regions.last().map_or(0, |last| last.end);
        let usable = self.servers[start..].iter().filter(|server| server.is_usable());
        let base = usable.filter_map(|server| server.base).min();
        self.order.regions.push(RankedRegion { name, base, end: self.servers.len() });
    }

    /// The regions in order.
    pub(crate) const fn order(&self) -> &RegionOrder {
        &self.order
    }

    /// The servers in order, with their regions.
    pub(crate) fn servers(&self) -> impl Iterator<Item = (&Region, &Ranked)> {
        let mut start = 0;
        self.order.regions.iter().flat_map(move |region| {
            let servers = &self.servers[start..region.end];
            start = region.end;
            servers.iter().map(move |server| (&region.name, server))
        })
    }

    pub(crate) fn in_region(&self, region: &Region) -> impl Iterator<Item = &Ranked> {
        let servers = self.order.place(region).map(|place| {
            let start = place.checked_sub(1).map_or(0, |before| self.order.regions[before].end);
            &self.servers[start..self.order.regions[place].end]
        });
        servers.into_iter().flatten()
    }
}

impl RegionOrder {
    /// As in [`Ranking::of`], at half the price: most looks at the ranks need no servers.
    pub(crate) fn of(roster: &Roster, context: &Context<'_>) -> Self {
        let Look { regions, order, .. } = context.look(roster, None);
        Self::of_sorted(&regions, &order)
    }

    fn of_sorted(regions: &[RegionView<'_>], order: &[usize]) -> Self {
        let mut end = 0;
        let ranked = |place: &usize| {
            let region = &regions[*place];
            end += region.servers;
            let base = region.base.filter(|_| region.standing == Standing::Usable);
            RankedRegion { name: region.name.clone(), base, end }
        };
        Self { regions: order.iter().map(ranked).collect() }
    }

    /// The regions in order, each once.
    pub(crate) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter().map(|region| &region.name)
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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) damping: &'a Damping,
    pub(crate) unhealthy: &'a UnhealthyRegions,
    /// Regions that refused the credentials.
    pub(crate) refusing: &'a UnhealthyRegions,
    /// The server of a link that carries traffic and is not under suspicion: that is evidence enough.
    pub(crate) live: Option<Fingerprint>,
    pub(crate) config: &'a Config,
    pub(crate) client: u64,
    pub(crate) now: Time,
}

/// What is known of a region while it has no place yet.
struct RegionView<'a> {
    name: &'a Region,
    servers: usize,
    /// The shares of its servers together.
    weight: u32,
    /// The lowest among its usable servers.
    base: Option<Duration>,
    /// How many of its servers are usable.
    answering: usize,
    /// That of its best server, and then its own.
    standing: Standing,
    /// Why its servers stand where they stand, those that answer.
    reason: Reason,
    /// Breaks ties between regions that are equally near. Most are not, so it is only made when it is asked for.
    score: OnceCell<f64>,
}

/// What is known of a server.
struct ServerView<'a> {
    record: &'a Record,
    standing: Standing,
}

impl ServerView<'_> {
    fn ranked(&self, regions: &[RegionView<'_>]) -> Ranked {
        Ranked {
            endpoint: self.record.id,
            base: self.record.base.get(),
            reason: match self.standing {
                Standing::LameDuck => Reason::LameDuck,
                Standing::Unhealthy => Reason::Unhealthy,
                Standing::Usable if self.record.base.get().is_none() => Reason::Connected,
                Standing::Refused => Reason::CredentialsRefused { until: None },
                Standing::Unmeasured => Reason::Unmeasured,
                _ => regions[self.record.region().place()].reason.clone(),
            },
        }
    }
}

/// What there is to be ranked.
struct Look<'a> {
    /// As the roster counts them.
    regions: Vec<RegionView<'a>>,
    /// Their places there, best first, of those that have servers.
    order: Vec<usize>,
    /// The distance of the nearest one.
    nearest: Option<Duration>,
    /// Regions up to there are as near.
    tied_up_to: Option<Duration>,
}

/// The servers in the order of their regions, and within a region by standing; equals as they stood.
fn places(order: &[usize], regions: &[RegionView<'_>], servers: &[ServerView<'_>]) -> Vec<usize> {
    // By region: where its next server goes.
    let mut next = vec![0; regions.len()];
    let mut end = 0;
    for region in order {
        next[*region] = end;
        end += regions[*region].servers;
    }
    let mut places = vec![0; servers.len()];
    for standing in Standing::OF_SERVERS {
        for (place, server) in servers.iter().enumerate().filter(|(_, server)| server.standing == standing) {
            let next = &mut next[server.record.region().place()];
            places[*next] = place;
            *next += 1;
        }
    }
    places
}

/// Coarse order of regions and of the servers in one, best first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Standing {
    Usable,
    Damped,
    TooFew,
    UnhealthyRegion,
    Unmeasured,
    Refused,
    Unhealthy,
    LameDuck,
}

impl Standing {
    /// Those of servers: the others are of regions only.
    const OF_SERVERS: [Self; 5] =
        [Self::Usable, Self::Unmeasured, Self::Refused, Self::Unhealthy, Self::LameDuck];
}

impl Context<'_> {
    /// Looks at the regions, and adds the servers in the order of this client's preference to `servers` if there is such.
    fn look<'a>(&self, roster: &'a Roster, mut servers: Option<&mut Vec<ServerView<'a>>>) -> Look<'a> {
        let mut regions: Vec<_> = roster.regions().map(RegionView::new).collect();
        // As they come they are nearly in order as long as nothing is measured and the hash decides.
        let mut order = Vec::with_capacity(regions.len());
        for record in roster.servers_by_score() {
            let standing = self.server_standing(roster, record);
            let place = record.region().place();
            if regions[place].servers == 0 {
                order.push(place);
            }
            regions[place].count(record, standing);
            if let Some(servers) = &mut servers {
                servers.push(ServerView { record, standing });
            }
        }
        for region in &mut regions {
            if region.standing == Standing::Usable {
                (region.standing, region.reason) = self.of_answering(region.name, region.answering);
            }
        }
        let usable = regions.iter().filter(|region| region.standing == Standing::Usable);
        let nearest = usable.filter_map(|region| region.base).min();
        let tied_up_to = nearest.map(|nearest| nearest + Self::tie_window(&self.config.rank, nearest));
        sort_few(&mut order, |a, b| self.order(&regions[*a], &regions[*b], tied_up_to));
        Look { regions, order, nearest, tied_up_to }
    }

    /// The standing of a region in which so many servers answer.
    fn of_answering(&self, name: &Region, answering: usize) -> (Standing, Reason) {
        if let Some(until) = self.unhealthy.until(name, self.now) {
            (Standing::UnhealthyRegion, Reason::UnhealthyRegion { until })
        } else if let Some(until) = self.refusing.until(name, self.now) {
            (Standing::UnhealthyRegion, Reason::CredentialsRefused { until: Some(until) })
        } else if answering < self.config.rank.servers_min {
            (Standing::TooFew, Reason::TooFew { answering })
        } else if let Some(until) = self.damping.suppressed_until(name, self.now, &self.config.damping) {
            (Standing::Damped, Reason::Damped { until })
        } else {
            (Standing::Usable, Reason::Nearest)
        }
    }

    fn server_standing(&self, roster: &Roster, record: &Record) -> Standing {
        if record.lame_duck {
            Standing::LameDuck
        } else if self.live.is_some() && record.fingerprint() == self.live {
            Standing::Usable
        } else if !record.is_healthy(self.now) {
            Standing::Unhealthy
        } else if roster.has_refused(record.id) {
            Standing::Refused
        } else if record.base.get().is_none() {
            Standing::Unmeasured
        } else {
            Standing::Usable
        }
    }

    /// How far behind the nearest a region is as near.
    pub(crate) fn tie_window(rank: &RankConfig, nearest: Duration) -> Duration {
        scale(nearest, rank.tie_ratio).clamp(rank.tie_min, rank.tie_max)
    }

    /// Usable regions inside the tie window of the nearest are ordered by hash, others by distance. Ties that even the
    /// hash leaves open are broken by the name.
    fn order(&self, a: &RegionView<'_>, b: &RegionView<'_>, tied_up_to: Option<Duration>) -> Ordering {
        let tied = |view: &RegionView<'_>| {
            view.standing == Standing::Usable && view.base.is_some() && view.base <= tied_up_to
        };
        let by_hash = || self.score(b).total_cmp(&self.score(a)).then_with(|| a.name.cmp(b.name));
        let within_standing = || match (tied(a), tied(b)) {
            (true, true) => by_hash(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => distance(a.base).cmp(&distance(b.base)).then_with(by_hash),
        };
        a.standing.cmp(&b.standing).then_with(within_standing)
    }

    fn score(&self, region: &RegionView<'_>) -> f64 {
        let score = || rendezvous_score(self.client, region.name.as_bytes(), region.weight);
        *region.score.get_or_init(score)
    }
}

impl<'a> RegionView<'a> {
    const fn new(name: &'a Region) -> Self {
        Self {
            name,
            servers: 0,
            weight: 0,
            base: None,
            answering: 0,
            // Nobody answers.
            standing: Standing::LameDuck,
            reason: Reason::Unmeasured,
            score: OnceCell::new(),
        }
    }

    fn count(&mut self, record: &Record, standing: Standing) {
        // A server that is a region of its own has the score of one: name and weight are the same.
        let is_alone = self.servers == 0 && record.is_region_of_its_own();
        self.score = if is_alone { OnceCell::from(record.score) } else { OnceCell::new() };
        self.servers += 1;
        self.weight += record.weight;
        self.standing = self.standing.min(standing);
        if standing == Standing::Usable {
            self.answering += 1;
            self.base = self.base.into_iter().chain(record.base.get()).min();
        }
    }
}

impl Reason {
    /// Says of the servers that answer in a usable region how far behind the nearest it is.
    fn tell_distance(&mut self, behind: Duration, window: Duration) {
        *self = match self {
            Self::Nearest if behind.is_zero() => return,
            Self::Nearest if behind <= window => Self::Tied { behind },
            Self::Nearest => Self::Farther { behind },
            _ => return,
        };
    }
}

fn distance(base: Option<Duration>) -> Duration {
    base.unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests;
