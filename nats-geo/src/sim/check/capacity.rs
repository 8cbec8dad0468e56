//! Clients do not dial surviving servers more often than these servers accept, if the configuration states the capacity
//! of these servers.

use super::Checker;
use crate::sim::{Seen, World};

#[derive(Debug)]
pub(crate) struct Capacity {
    /// All clients have a capacity hint.
    is_hinted: bool,
    /// Handshakes asked of each region within the current second.
    asked: Vec<u32>,
}

impl Capacity {
    pub(crate) fn new(world: &World) -> Self {
        let has_hint = |client| world.config(client).spread.capacity.is_some();
        Self { is_hinted: (0..world.clients()).all(has_hint), asked: world.regions().map(|_| 0).collect() }
    }
}

impl Checker for Capacity {
    fn rule(&self) -> &'static str {
        "survivors are asked for no more handshakes than they can do"
    }

    fn see(&mut self, seen: &Seen, world: &World) -> Result<(), String> {
        match seen {
            Seen::Handshake { server } => self.asked[world.region_of(*server)] += 1,
            Seen::Tick => {
                for region in world.regions().filter(|_| self.is_hinted) {
                    let (asked, rate) = (f64::from(self.asked[region]), world.accepts_per_second(region));
                    // Arrivals of independent clients scatter by the root of their number; four times that is
                    // exceeded in one second of 30000.
                    if asked > rate + 4.0 * rate.sqrt() {
                        return Err(format!(
                            "region {region} was asked for {asked} in 1 s and can do {rate}"
                        ));
                    }
                }
                self.asked.fill(0);
            }
            _ => {}
        }
        Ok(())
    }
}
