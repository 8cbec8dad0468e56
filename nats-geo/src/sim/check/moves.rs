//! Clients do not return repeatedly to a region that fails repeatedly.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Checker, per_client};
use crate::core::{Action, DampingConfig, MoveCause, Notice, NoticeKind, Region, Time};
use crate::sim::{Seen, World};

const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(crate) struct Moves(Vec<Client>);

/// When a client went to each region of its own accord, within the last hour.
#[derive(Debug, Default)]
struct Client {
    returns: BTreeMap<Region, VecDeque<Time>>,
}

impl Moves {
    pub(crate) fn new(world: &World) -> Self {
        Self(per_client(world))
    }
}

impl Checker for Moves {
    fn rule(&self) -> &'static str {
        "moves per hour are bounded under any flap"
    }

    fn see(&mut self, seen: &Seen, world: &World) -> Result<(), String> {
        let Seen::Decided { client, action: Action::Notify(Notice { kind, .. }), .. } = seen else {
            return Ok(());
        };
        let NoticeKind::Moved { from, to, cause, .. } = kind else { return Ok(()) };
        // A client leaves an unhealthy region as if it were dead.
        if from.region == to.region || !cause.is_planned() || *cause == MoveCause::Unhealthy {
            return Ok(());
        }
        let returns = self.0[*client].returns.entry(to.region.clone()).or_default();
        returns.push_back(world.now());
        returns.retain(|at| world.now().since(*at) < HOUR);
        let bound = returns_per_hour(&world.config(*client).damping);
        if returns.len() as f64 > bound {
            let count = returns.len();
            return Err(format!("client {client} went to {} {count} times, {bound:.1} allowed", to.region));
        }
        Ok(())
    }
}

/// Losses this far apart or farther never suppress a region, since the penalty decays between two; the first
/// few may come at once, and the window may begin just before one.
fn returns_per_hour(damping: &DampingConfig) -> f64 {
    let left = 1.0 - damping.penalty / damping.suppress;
    let shortest_s = damping.half_life.as_secs_f64() * (1.0 / left).log2();
    HOUR.as_secs_f64() / shortest_s + damping.suppress / damping.penalty + 1.0
}
