//! Stage 7b: decides when to return to a region that failed, and when to move to a region that became faster. Both
//! moves can wait, because the live link works.

use std::time::Duration;

use super::discovery::Roster;
use super::rank::RegionOrder;
use super::record::Record;
use super::rng::{Rng, hash_unit, scale};
use super::sorted::SortedSet;
use super::{EndpointId, FailBackConfig, MoveCause, Region, Time};

/// Which regions were left because they failed, and the move that is being considered.
#[derive(Clone, Debug)]
pub(crate) struct FailBack {
    /// Which client this is: cohorts are drawn by it.
    client: u64,
    left: SortedSet<Region>,
    /// How often a region was left: each time, another cohort returns first.
    epoch: u64,
    /// Boxed, as most clients consider no move most of the time.
    gain: Option<Box<Gain>>,
    pending: Option<Box<Pending>>,
}

/// A region that has been clearly faster for some time.
#[derive(Clone, Debug)]
struct Gain {
    region: Region,
    evaluations: u32,
    since: Time,
}

/// A move that is decided and waits for its time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pending {
    pub(crate) region: Region,
    pub(crate) cause: MoveCause,
    pub(crate) due: Time,
}

/// Where we are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here<'a> {
    pub(crate) region: &'a Region,
    /// Base RTT of the region, whatever its health.
    pub(crate) base: Option<Duration>,
    /// RTTVAR of the live link.
    pub(crate) rttvar: Duration,
}

impl FailBack {
    pub(crate) const fn new(client: u64) -> Self {
        Self { client, left: SortedSet::new(), epoch: 0, gain: None, pending: None }
    }

    /// Traffic left `region` because it failed.
    pub(crate) fn left(&mut self, region: Region) {
        self.left.insert(region);
        self.epoch += 1;
        self.cancel();
    }

    /// `region` was down when the client chose where it is: a return to it is one after a failure.
    pub(crate) fn missed(&mut self, region: Region) {
        self.left.insert(region);
    }

    /// The first server to answer at an endpoint is in `region`. Before, the endpoint counted as the region `before`.
    pub(crate) fn turned_out(&mut self, before: &Region, region: &Region, here: Option<&Region>) {
        if self.left.remove(before) && here != Some(region) {
            self.left.insert(region.clone());
        }
    }

    /// Traffic now goes to `region`: nothing farther away needs to be returned to.
    pub(crate) fn arrived(&mut self, region: &Region, roster: &Roster) {
        let here = base_of(roster, region);
        self.left.retain(|left| left != region && is_nearer(base_of(roster, left), here));
        self.cancel();
    }

    /// The move under consideration is off.
    pub(crate) fn cancel(&mut self) {
        self.gain = None;
        self.pending = None;
    }

    /// Endpoints to be measured often while away: those of regions that were left or rank ahead.
    pub(crate) fn away(
        &self,
        roster: &Roster,
        ranking: &RegionOrder,
        here: &Region,
    ) -> SortedSet<EndpointId> {
        // Few, and told apart more quickly than put in order.
        let regions: Vec<_> = regions_ahead(ranking, here).chain(self.left.iter()).collect();
        if regions.is_empty() {
            return SortedSet::new();
        }
        let is_away = |region: &Region| regions.contains(&region);
        roster.iter().filter(|record| is_away(roster.region_of(record))).map(|record| record.id).collect()
    }

    /// Considers the situation after a probe; what is decided shows in [`FailBack::pending`].
    pub(crate) fn evaluate(
        &mut self,
        roster: &Roster,
        ranking: &RegionOrder,
        here: Here<'_>,
        config: &FailBackConfig,
        now: Time,
        rng: &mut Rng,
    ) {
        self.left.retain(|left| !is_back_but_farther(roster, left, here, config, now));
        let ready_to_return =
            |region: &&Region| self.left.contains(*region) && is_steady(roster, region, config, now);
        let returning = regions_ahead(ranking, here.region).find(ready_to_return);
        let faster = regions_ahead(ranking, here.region)
            .find(|region| !self.left.contains(*region) && is_faster(ranking.base(region), here, config));
        self.gain = faster.map(|region| match self.gain.take() {
            Some(mut gain) if gain.region == *region => {
                gain.evaluations = gain.evaluations.saturating_add(1);
                gain
            }
            _ => Box::new(Gain { region: region.clone(), evaluations: 1, since: now }),
        });
        let target = returning.map(|region| (region, MoveCause::FailBack)).or_else(|| {
            let gain = self.gain.as_ref()?;
            let lasting =
                gain.evaluations >= config.gain_evaluations && now.since(gain.since) >= config.gain_for;
            lasting.then_some((&gain.region, MoveCause::Faster))
        });
        let still =
            |pending: &Pending| target.is_some_and(|target| target == (&pending.region, pending.cause));
        if self.pending().is_some_and(still) {
            return;
        }
        self.pending = target.map(|(region, cause)| {
            let first = hash_unit(self.client.wrapping_add(self.epoch), region.as_str()) < config.cohort;
            let wait = if first { Duration::ZERO } else { rng.up_to(config.spread) };
            Box::new(Pending { region: region.clone(), cause, due: now + wait })
        });
    }

    /// No move is being considered, nor will be until a server answers in one of the regions that were left.
    pub(crate) fn waits(&self, roster: &Roster) -> bool {
        let is_silent =
            |record: &Record| record.streak.is_none() || !self.left.contains(roster.region_of(record));
        self.gain.is_none()
            && self.pending.is_none()
            && (self.left.is_empty() || roster.iter().all(is_silent))
    }

    pub(crate) const fn regions_left(&self) -> usize {
        self.left.len()
    }

    /// No region is to be returned to, and no move is being considered.
    pub(crate) fn is_calm(&self) -> bool {
        self.left.is_empty() && self.gain.is_none() && self.pending.is_none()
    }

    pub(crate) fn pending(&self) -> Option<&Pending> {
        self.pending.as_deref()
    }
}

/// The usable regions that rank before `here`.
fn regions_ahead<'a>(ranking: &'a RegionOrder, here: &'a Region) -> impl Iterator<Item = &'a Region> {
    let usable = |region: &&Region| ranking.base(region).is_some();
    ranking.regions().take_while(move |region| *region != here).filter(usable)
}

/// Enough of its servers have answered for long enough.
fn is_steady(roster: &Roster, region: &Region, config: &FailBackConfig, now: Time) -> bool {
    let is_steady = |record: &&Record| record.is_steady(config.good_probes, config.good_for, now);
    let servers = || roster.servers_in(region);
    servers().filter(is_steady).count() >= config.servers.min(servers().count()).max(1)
}

/// Back for good, and clearly no better than here: no longer to be watched. Clearly, because the first samples
/// after an outage may be late ones, and what is forgotten here is not returned to.
fn is_back_but_farther(
    roster: &Roster,
    left: &Region,
    here: Here<'_>,
    config: &FailBackConfig,
    now: Time,
) -> bool {
    let there = Here { region: left, base: base_of(roster, left), ..here };
    is_faster(here.base, there, config) && is_steady(roster, left, config, now)
}

fn is_faster(there: Option<Duration>, here: Here<'_>, config: &FailBackConfig) -> bool {
    let Some((there, base)) = there.zip(here.base) else { return false };
    let margin = config.gain_min.max(scale(base, config.gain_ratio)).max(2 * here.rttvar);
    there.saturating_add(margin) < base
}

/// Returns whether a region ranks ahead that is clearly faster, or would be if the live link were steadier.
pub(crate) fn may_gain(ranking: &RegionOrder, here: Here<'_>, config: &FailBackConfig) -> bool {
    let here = Here { rttvar: Duration::ZERO, ..here };
    regions_ahead(ranking, here.region).any(|region| is_faster(ranking.base(region), here, config))
}

/// The base RTT of a region whatever its health: distance outlives an outage.
pub(crate) fn base_of(roster: &Roster, region: &Region) -> Option<Duration> {
    // As in the ranking, each server by one endpoint: another way to it may be longer or shorter.
    roster.servers_in(region).filter_map(|record| record.base.get()).min()
}

/// An unknown distance may be a nearer one.
fn is_nearer(there: Option<Duration>, here: Option<Duration>) -> bool {
    there.zip(here).is_none_or(|(there, here)| there <= here)
}

#[cfg(test)]
mod tests {
    use super::super::damping::Damping;
    use super::super::rank::Context;
    use super::super::unhealthy::UnhealthyRegions;
    use super::super::{Config, Endpoint};
    use super::*;

    struct World {
        roster: Roster,
        fail_back: FailBack,
        config: Config,
        rng: Rng,
    }

    impl World {
        /// Three servers in lon at 0.3 ms, three in ams at 9 ms; the client has just fled from lon to ams.
        fn fled() -> Self {
            let mut world = Self {
                roster: Roster::default(),
                fail_back: FailBack::new(1),
                config: Config::fleet(),
                rng: Rng::new(5),
            };
            for id in 0..6 {
                world.roster.discovered(Endpoint::new(EndpointId(id), format!("host-{id}:4222")));
                let region = if id < 3 { "lon" } else { "ams" };
                world.roster.answered_by(EndpointId(id), &id.to_string(), region);
                world.probe(id, if id < 3 { 300 } else { 9_000 }, 0);
            }
            world.fail_back.left(Region::new("lon"));
            world
        }

        fn probe(&mut self, id: u64, rtt_us: u64, at_ms: u64) {
            let now = Time::from_millis(at_ms);
            let record = self.roster.get_mut(EndpointId(id)).unwrap();
            record.base.record(
                Duration::from_micros(rtt_us),
                self.config.probe.interval,
                now,
                &self.config.rank,
            );
            record.answered(now);
        }

        fn fail(&mut self, id: u64, at_ms: u64) {
            self.roster.get_mut(EndpointId(id)).unwrap().failed(Time::from_millis(at_ms), &self.config.rank);
        }

        fn evaluate(&mut self, client: u64, at_ms: u64) -> Option<Pending> {
            let now = Time::from_millis(at_ms);
            let (damping, unhealthy, config) =
                (&Damping::default(), &UnhealthyRegions::default(), &self.config);
            let context =
                Context { damping, unhealthy, refusing: unhealthy, live: None, config, client, now };
            let ranking = RegionOrder::of(&self.roster, &context);
            let region = Region::new("ams");
            let base = base_of(&self.roster, &region);
            let here = Here { region: &region, base, rttvar: Duration::from_millis(1) };
            let config = &self.config.fail_back;
            self.fail_back.evaluate(&self.roster, &ranking, here, config, now, &mut self.rng);
            self.fail_back.pending().cloned()
        }
    }

    #[test]
    fn home_again_after_five_good_probes_of_two_servers_over_30_s() {
        let mut world = World::fled();
        (0..3).for_each(|id| world.fail(id, 0));
        for at_s in [10, 15, 20, 25, 30, 35, 39] {
            world.probe(0, 300, at_s * 1_000);
            assert_eq!(world.evaluate(1, at_s * 1_000), None, "one server is not enough, at {at_s} s");
        }
        for at_s in [40, 50, 60, 65] {
            world.probe(1, 300, at_s * 1_000);
            assert_eq!(world.evaluate(1, at_s * 1_000), None, "too few or too short, at {at_s} s");
        }
        world.probe(1, 300, 70_000);
        let pending = world.evaluate(1, 70_000).unwrap();
        assert_eq!((pending.region.as_str(), pending.cause), ("lon", MoveCause::FailBack));
        world.fail(1, 71_000);
        assert_eq!(world.evaluate(1, 71_000), None, "a failure restarts it");
    }

    #[test]
    fn a_twentieth_returns_at_once_and_the_rest_over_120_s() {
        let due = |client| {
            let mut world = World::fled();
            world.rng = Rng::new(client);
            world.fail_back.client = client;
            for at_s in [10, 20, 30, 40, 50] {
                [0, 1].into_iter().for_each(|id| world.probe(id, 300, at_s * 1_000));
            }
            world.evaluate(client, 50_000).unwrap().due.since(Time::from_millis(50_000))
        };
        let waits: Vec<_> = (0..1_000).map(due).collect();
        let at_once = waits.iter().filter(|wait| wait.is_zero()).count();
        assert!((25..80).contains(&at_once), "{at_once} of 1000 clients");
        let late = waits.iter().filter(|wait| wait.as_secs() >= 60).count();
        assert!((400..550).contains(&late), "{late} of 1000 clients in the second minute");
        assert!(waits.iter().all(|wait| wait.as_secs() < 120));
    }

    #[test]
    fn a_region_that_only_became_faster_must_win_three_times_over_60_s() {
        let mut world = World::fled();
        world.fail_back = FailBack::new(1);
        for at_s in [0, 20, 40, 59] {
            assert_eq!(world.evaluate(1, at_s * 1_000), None, "at {at_s} s");
        }
        let pending = world.evaluate(1, 60_000).unwrap();
        assert_eq!(pending.cause, MoveCause::Faster);
        assert_eq!(world.evaluate(1, 61_000).unwrap(), pending, "the time is drawn once");
    }

    #[test]
    fn a_small_gain_is_no_reason_to_move() {
        let config = Config::fleet().fail_back;
        let region = Region::new("here");
        let is_faster = |there_ms: u64, here_ms: u64, rttvar_ms: u64| {
            let base = Some(Duration::from_millis(here_ms));
            let here = Here { region: &region, base, rttvar: Duration::from_millis(rttvar_ms) };
            is_faster(Some(Duration::from_millis(there_ms)), here, &config)
        };
        assert!(!is_faster(5, 10, 0) && is_faster(4, 10, 0), "5 ms");
        assert!(!is_faster(80, 100, 0) && is_faster(79, 100, 0), "20 %");
        assert!(!is_faster(40, 100, 30) && is_faster(39, 100, 30), "2 RTTVAR");
    }

    #[test]
    fn a_shorter_way_to_a_server_of_another_region_makes_home_no_farther() {
        let mut world = World::fled();
        // Gossip names a second address of a server in ams.
        world.roster.discovered(Endpoint::new(EndpointId(9), "direct:4222"));
        world.roster.answered_by(EndpointId(9), "3", "ams");
        world.probe(9, 100, 0);
        world.fail_back.arrived(&Region::new("ams"), &world.roster);
        assert!(world.fail_back.left.contains(&Region::new("lon")));
    }

    #[test]
    fn one_late_sample_does_not_make_home_be_forgotten() {
        let mut world = World::fled();
        world.config.fail_back.good_probes = 1;
        world.config.fail_back.good_for = Duration::ZERO;
        // The older samples have expired meanwhile.
        let late = 12_000;
        for id in 0..3 {
            world.fail(id, 800_000);
            world.probe(id, late, 900_000);
        }
        for id in 3..6 {
            world.probe(id, 9_000, 900_000);
        }
        assert_eq!(base_of(&world.roster, &Region::new("lon")), Some(Duration::from_micros(late)));
        world.evaluate(1, 900_000);
        (0..3).for_each(|id| world.probe(id, 300, 901_000));
        assert_eq!(world.evaluate(1, 901_000).unwrap().cause, MoveCause::FailBack);
    }

    #[test]
    fn what_is_farther_than_here_is_not_returned_to() {
        let mut world = World::fled();
        world.fail_back.left(Region::new("ams"));
        world.fail_back.arrived(&Region::new("lon"), &world.roster);
        assert!(world.fail_back.left.is_empty());
    }
}
