//! After the last fault, every client fails back, and has one link and at most one standby.

use std::time::Duration;

use super::nearest;
use crate::sim::World;

/// When everybody must be settled after everything is well.
pub(crate) fn settle_within(world: &World) -> Duration {
    let limits = (0..world.clients()).map(|client| nearest::home_within(world.config(client)));
    limits.max().unwrap_or_default()
}

/// Returns whether a client is settled.
///
/// # Errors
/// Why it is not.
pub(crate) fn is_settled(client: usize, world: &World) -> Result<(), String> {
    let config = world.config(client);
    let distances = world.regions().filter_map(|region| world.round_trip(client, region));
    let Some(nearest) = distances.min() else { return Err(format!("client {client} is cut off")) };
    let rank = &config.rank;
    let tie = nearest.mul_f64(rank.tie_ratio).clamp(rank.tie_min, rank.tie_max);
    let snapshot = world.snapshot(client);
    let Some(active) = snapshot.active else { return Err(format!("client {client} has no live link")) };
    let region = world.region(&active.region);
    let distance = region.and_then(|region| world.round_trip(client, region));
    if distance.is_none_or(|distance| distance > nearest + tie) {
        return Err(format!("client {client} is in {}, not in the nearest region", active.region));
    }
    if snapshot.suspect {
        return Err(format!("client {client} suspects its link"));
    }
    let (links, expected) = (world.links(client), 1 + usize::from(config.warm_standby));
    if links != expected {
        return Err(format!("client {client} holds {links} links, not {expected}"));
    }
    if config.warm_standby && snapshot.standby.is_none() {
        return Err(format!("client {client} has no standby"));
    }
    Ok(())
}
