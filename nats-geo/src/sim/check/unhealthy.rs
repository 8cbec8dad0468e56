//! No client stays in an unhealthy region for longer than the policy allows while another region is healthy.

use std::time::Duration;

use super::{Checker, per_client};
use crate::core::{Action, Config, Notice, NoticeKind, Region, Time};
use crate::sim::{Seen, World};

#[derive(Debug)]
pub(crate) struct UnhealthyRegion(Vec<Client>);

#[derive(Debug, Default)]
struct Client {
    here: Option<Region>,
    /// Since when the client is in an unhealthy region.
    unhealthy_since: Option<Time>,
    /// Another region is well for this client, and since when.
    other_since: Option<Time>,
}

impl UnhealthyRegion {
    pub(crate) fn new(world: &World) -> Self {
        Self(per_client(world))
    }
}

impl Checker for UnhealthyRegion {
    fn rule(&self) -> &'static str {
        "a client leaves an unhealthy region for a healthy one"
    }

    fn see(&mut self, seen: &Seen, world: &World) -> Result<(), String> {
        match seen {
            Seen::Tick => {
                for (client, state) in self.0.iter_mut().enumerate() {
                    state.look(client, world)?;
                }
            }
            Seen::Decided { client, action: Action::Notify(Notice { kind, .. }), .. } => {
                self.0[*client].noticed(kind);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Client {
    fn noticed(&mut self, kind: &NoticeKind) {
        let here = match kind {
            NoticeKind::Connected(place) | NoticeKind::Moved { to: place, .. } => Some(place.region.clone()),
            NoticeKind::Lost { .. } | NoticeKind::Suspected(_) | NoticeKind::Stalled => None,
            NoticeKind::Cleared(place) => Some(place.region.clone()),
            _ => return,
        };
        if here != self.here {
            self.unhealthy_since = None;
        }
        self.here = here;
    }

    fn look(&mut self, client: usize, world: &World) -> Result<(), String> {
        let Some(verdict) = world.verdict_within() else { return Ok(()) };
        let now = world.now();
        let here = self.here.as_ref().and_then(|here| world.region(here));
        let is_unhealthy = here.is_some_and(|here| world.is_unhealthy(here));
        self.unhealthy_since = is_unhealthy.then(|| self.unhealthy_since.unwrap_or(now));
        let mut others = world.regions().filter(|region| Some(*region) != here);
        let other_is_well = others.any(|region| world.round_trip(client, region).is_some());
        self.other_since = other_is_well.then(|| self.other_since.unwrap_or(now));
        let (Some(since), Some(other)) = (self.unhealthy_since, self.other_since) else { return Ok(()) };
        let due = since.max(other + learn_within(world.config(client))) + verdict;
        if now > due + leave_within(world.config(client)) {
            let here = self.here.as_ref().map_or("nowhere", Region::as_str);
            return Err(format!(
                "client {client} is in {here}, unhealthy since {since}, another is well since {other}"
            ));
        }
        Ok(())
    }
}

/// Until it is known that another region is well: a probe at the longest interval, and the end of its own bad mark.
fn learn_within(config: &Config) -> Duration {
    let probe = &config.probe;
    probe.interval_max.mul_f64(1.0 + probe.jitter) + probe.timeout + config.rank.unhealthy_region_for
}

/// The spread, then a dial and a health check in each of two regions, of which one was well a moment ago.
fn leave_within(config: &Config) -> Duration {
    config.spread.region_lost_or_hint() + 4 * config.dial.timeout
}
