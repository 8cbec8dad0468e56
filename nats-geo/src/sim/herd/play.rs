//! One play: everybody alone until the loss, then those together who meet.

use super::client::Maker;
use super::report::{HerdReport, Tally};
use super::world::{Client, World};
use super::{Herd, HerdError, START_OVER, Software};
use crate::core::Time;
use crate::core::rng::Rng;

/// A herd in the play.
#[derive(Debug)]
pub(super) struct Play<'a> {
    herd: &'a Herd,
    maker: Maker,
}

impl<'a> Play<'a> {
    pub(super) fn new(herd: &'a Herd, software: &Software) -> Result<Self, HerdError> {
        Ok(Self { herd, maker: Maker::new(herd, software)? })
    }

    /// Everybody alone until the loss, then those together who dial.
    pub(super) fn run(&self, progress: &mut dyn FnMut(u32)) -> HerdReport {
        self.run_with(progress, true)
    }

    /// Everybody together from the loss on, whether they dial or not.
    #[cfg(test)]
    pub(super) fn run_all_together(&self) -> HerdReport {
        self.run_with(&mut |_| {}, false)
    }

    fn run_with(&self, progress: &mut dyn FnMut(u32), spares_bystanders: bool) -> HerdReport {
        let herd = self.herd;
        let mut rng = Rng::new(herd.seed);
        let mut together = World::new(herd, &self.maker, true);
        let mut tally = Tally::new(herd);
        for number in 0..herd.clients {
            let (seed, start) = (rng.next_u64(), Time::ZERO + rng.up_to(START_OVER));
            let mut alone = World::new(herd, &self.maker, false);
            // The configuration was tried out when the maker was made.
            let Ok(program) = self.maker.client(seed, start) else { continue };
            alone.enter(Client::new(program, number as usize % herd.regions.len()), start);
            alone.run_until(herd.loss_at());
            alone.clients[0].is_hit = alone.uses(0, herd.lose);
            if alone.clients[0].is_hit || !spares_bystanders || alone.dials_until(herd.end()) {
                together.join(alone);
            } else {
                tally.bystander();
            }
            if number.is_multiple_of(PROGRESS_EVERY) {
                progress(number);
            }
        }
        together.lose();
        together.run_until(herd.return_at());
        tally.at_return(&together);
        together.run_until(herd.end());
        tally.report(&together)
    }
}

const PROGRESS_EVERY: u32 = 1_000;
