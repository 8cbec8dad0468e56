//! No client stays in a farther region for longer than the policy allows while a nearer region works.

use std::time::Duration;

use super::{Checker, per_client};
use crate::core::{Action, Config, ConnId, MoveCause, Notice, NoticeKind, Time};
use crate::sim::{Seen, World};

#[derive(Debug)]
pub(crate) struct Nearest(Vec<Client>);

#[derive(Debug, Default)]
struct Client {
    regions: Vec<Known>,
    here: Option<usize>,
    conn: Option<ConnId>,
    arrived: Time,
}

/// How a region has been for a client.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    well_since: Option<Time>,
    round_trip: Option<Duration>,
    /// When the distance last changed.
    changed: Option<Time>,
    /// The client left it because it failed, and has not been there since.
    fled: bool,
    /// Not to be returned to before.
    damped_until: Time,
}

impl Nearest {
    pub(crate) fn new(world: &World) -> Self {
        let mut clients: Vec<Client> = per_client(world);
        for client in &mut clients {
            client.regions = world.regions().map(|_| Known::default()).collect();
        }
        Self(clients)
    }
}

impl Checker for Nearest {
    fn rule(&self) -> &'static str {
        "never in a farther region for longer than the policy allows"
    }

    fn see(&mut self, seen: &Seen, world: &World) -> Result<(), String> {
        match seen {
            Seen::Tick => {
                for (client, state) in self.0.iter_mut().enumerate() {
                    state.look(client, world);
                    state.check(client, world)?;
                }
            }
            Seen::Decided { client, at, action: Action::Notify(Notice { kind, .. }) } => {
                self.0[*client].noticed(*at, kind, world);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Client {
    fn look(&mut self, client: usize, world: &World) {
        let now = world.now();
        for (region, known) in self.regions.iter_mut().enumerate() {
            let round_trip = world.round_trip(client, region);
            known.well_since = round_trip.map(|_| known.well_since.unwrap_or(now));
            if round_trip.is_some() && round_trip != known.round_trip {
                known.changed = known.round_trip.map(|_| now);
                known.round_trip = round_trip;
            }
        }
    }

    fn noticed(&mut self, at: Time, kind: &NoticeKind, world: &World) {
        match kind {
            // Lost, until the next link is live; one that was left already changes nothing.
            NoticeKind::Lost { place, .. } if self.conn == Some(place.conn) => self.here = None,
            NoticeKind::Connected(place) => {
                self.arrive(place.conn, world.region(&place.region), world.now());
            }
            NoticeKind::Moved { from, to, cause, .. } => {
                let to_conn = to.conn;
                let (from, to) = (world.region(&from.region), world.region(&to.region));
                let failed = !cause.is_planned() || *cause == MoveCause::Unhealthy;
                if let Some(from) = from.filter(|_| from != to && failed) {
                    self.regions[from].fled = true;
                }
                self.arrive(to_conn, to, world.now());
            }
            NoticeKind::Damped { region, until } => {
                if let Some(region) = world.region(region) {
                    self.regions[region].damped_until = world.now() + until.since(at);
                }
            }
            _ => {}
        }
    }

    fn arrive(&mut self, conn: ConnId, region: Option<usize>, now: Time) {
        self.conn = Some(conn);
        if region != self.here {
            self.arrived = now;
        }
        self.here = region;
        if let Some(region) = region {
            self.regions[region].fled = false;
        }
    }

    fn check(&self, client: usize, world: &World) -> Result<(), String> {
        let config = world.config(client);
        let Some(here) = self.here else { return Ok(()) };
        let Some(distance) = world.round_trip(client, here) else { return Ok(()) };
        for known in &self.regions {
            let (Some(well_since), Some(nearer)) = (known.well_since, known.round_trip) else { continue };
            if nearer + margin(distance, config) >= distance {
                continue;
            }
            let since = well_since.max(known.damped_until).max(self.arrived);
            let allowed = if known.fled { return_within(config) } else { improve_within(config) };
            let allowed =
                allowed + world.verdict_within().map_or(Duration::ZERO, |_| health_checks_within(config));
            let aged = |changed: Option<Time>| changed.map_or(Time::ZERO, |at| at + learn_within(config));
            let due = (since + allowed).max(aged(known.changed)).max(aged(self.regions[here].changed));
            if world.now() > due {
                return Err(format!(
                    "client {client} is at {distance:?} since {}, a region at {nearer:?} is well since {since}",
                    self.arrived
                ));
            }
        }
        Ok(())
    }
}

/// What must be won before a move is worth while, or decides a tie.
fn margin(distance: Duration, config: &Config) -> Duration {
    let (rank, fail_back) = (&config.rank, &config.fail_back);
    let tie = distance.mul_f64(rank.tie_ratio).clamp(rank.tie_min, rank.tie_max);
    tie.max(fail_back.gain_min).max(distance.mul_f64(fail_back.gain_ratio))
}

/// Back in a region that failed: good probes for long enough, twice, since a lost packet restarts them;
/// the spread, likewise; a dial.
fn return_within(config: &Config) -> Duration {
    let (probe, fail_back) = (&config.probe, &config.fail_back);
    let probes = fail_back.good_probes * (longest(probe.away_interval, config) + probe.timeout);
    2 * (probes.max(fail_back.good_for) + fail_back.spread + config.dial.timeout)
}

/// In a region that is merely nearer: a probe at the longest interval, a gain for long enough, the spread, a
/// dial. Twice: a queue on the way restarts the gain.
fn improve_within(config: &Config) -> Duration {
    let (probe, fail_back) = (&config.probe, &config.fail_back);
    let gain = fail_back.gain_for + fail_back.gain_evaluations * longest(probe.away_interval, config);
    longest(probe.interval_max, config) + 2 * (gain + fail_back.spread + config.dial.timeout)
}

/// With health checks, a client may have to try nearer regions in vain first, each time for longer. Or this one failed its check
/// a moment before it was healthy.
fn health_checks_within(config: &Config) -> Duration {
    let fail_back = &config.fail_back;
    longest(config.probe.interval_max, config)
        + 3 * (fail_back.good_for + fail_back.spread + config.dial.timeout)
}

/// After a distance has changed: the old samples must first grow too old to count.
fn learn_within(config: &Config) -> Duration {
    longest(config.probe.interval_max, config) * config.rank.sample_age_intervals + improve_within(config)
}

fn longest(interval: Duration, config: &Config) -> Duration {
    interval.mul_f64(1.0 + config.probe.jitter)
}

/// Upper bound of the time until a client is home after everything is well: damped, and all it knew outdated.
pub(super) fn home_within(config: &Config) -> Duration {
    config.damping.suppress_max + learn_within(config) + return_within(config)
}
