//! While no fault is active, a client has a live link.

use std::time::Duration;

use super::{Checker, per_client};
use crate::core::{Config, Time};
use crate::sim::{Seen, World};

#[derive(Debug)]
pub(crate) struct Connected(Vec<Client>);

#[derive(Debug, Default)]
struct Client {
    /// Everything is well and the client is not connected, since then.
    waiting_since: Option<Time>,
}

impl Connected {
    pub(crate) fn new(world: &World) -> Self {
        Self(per_client(world))
    }
}

impl Checker for Connected {
    fn rule(&self) -> &'static str {
        "connected again soon after everything is well"
    }

    fn see(&mut self, seen: &Seen, world: &World) -> Result<(), String> {
        if !matches!(seen, Seen::Tick) {
            return Ok(());
        }
        let now = world.now();
        let refuses_credentials = world.refuses_credentials();
        for (client, state) in self.0.iter_mut().enumerate() {
            let all_well = world.regions().all(|region| world.round_trip(client, region).is_some());
            if !all_well || refuses_credentials || world.snapshot(client).active.is_some() {
                state.waiting_since = None;
                continue;
            }
            let waited = now.since(*state.waiting_since.get_or_insert(now));
            if waited > limit(world.config(client)) {
                return Err(format!("client {client} has waited for {waited:?}"));
            }
        }
        Ok(())
    }
}

/// The longest back-off, the spread, and a race in which the first few dials are lost or the budget is spent.
fn limit(config: &Config) -> Duration {
    let dial = &config.dial;
    let budget = Duration::from_secs_f64(f64::from(dial.budget_burst) / dial.budget_per_second);
    dial.backoff_cap + config.spread.region_lost_or_hint() + 3 * dial.timeout + budget
}
