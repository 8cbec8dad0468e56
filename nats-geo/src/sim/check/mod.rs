//! Rules that hold in every simulated scenario. Each rule has its own file.
//!
//! This module lists the rules. A rule reads the inputs and decisions of selectors, and the true state of the world. A
//! rule must not change them.

mod auth;
mod capacity;
mod connected;
mod converges;
mod dials;
mod drain;
mod moves;
mod nearest;
mod one_active;
mod probes;
mod unhealthy;

use std::fmt::Debug;

use super::{Seen, World};
pub(crate) use converges::{is_settled, settle_within};

/// A rule.
pub(crate) trait Checker: Debug {
    /// Conditions that must hold.
    fn rule(&self) -> &'static str;

    /// Takes in what happened.
    ///
    /// # Errors
    /// How the rule is broken.
    fn see(&mut self, seen: &Seen, world: &World) -> Result<(), String>;
}

/// All rules.
pub(crate) fn all(world: &World) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(one_active::OneActive::new(world)),
        Box::new(drain::Drain::new(world)),
        Box::new(auth::Auth::new(world)),
        Box::new(connected::Connected::new(world)),
        Box::new(nearest::Nearest::new(world)),
        Box::new(moves::Moves::new(world)),
        Box::new(probes::Probes::new(world)),
        Box::new(dials::Dials::new(world)),
        Box::new(capacity::Capacity::new(world)),
        Box::new(unhealthy::UnhealthyRegion::new(world)),
    ]
}

/// One value per client.
fn per_client<T: Default>(world: &World) -> Vec<T> {
    std::iter::repeat_with(T::default).take(world.clients()).collect()
}

#[cfg(test)]
mod tests;
