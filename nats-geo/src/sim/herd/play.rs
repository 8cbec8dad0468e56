//! This module runs a simulation. Until the loss, it runs each client alone. After the loss, clients that dial affect
//! each other, so the module runs them together, in the order of time.

use super::client::Maker;
use super::player::{Player, Stage};
use super::report::{HerdReport, Tally};
use super::world::World;
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

    pub(super) fn run(&self, progress: &mut dyn FnMut(u32)) -> HerdReport {
        self.run_with(progress, &mut drop).0
    }

    /// As [`run`](Self::run); `bystander` gets whoever met nobody.
    pub(super) fn run_with(
        &self,
        progress: &mut dyn FnMut(u32),
        bystander: &mut dyn FnMut(Player),
    ) -> (HerdReport, World<'_>) {
        let (herd, stage) = (self.herd, self.stage(true));
        let mut together = World::new(stage);
        let mut tally = Tally::new(herd);
        for (number, mut player) in self.players(stage).enumerate() {
            player.run_until(herd.loss_at(), &stage);
            player.lose(herd);
            if player.is_hit {
                let meeting = player.run_until(herd.return_at(), &stage);
                together.enter(player, meeting);
            } else {
                let meeting = player.run_until(herd.end(), &stage);
                if player.dials > 0 {
                    together.enter(player, meeting);
                } else {
                    tally.bystander();
                    bystander(player);
                }
            }
            if number.is_multiple_of(PROGRESS_EVERY) {
                progress(number as u32);
            }
        }
        together.run_until(herd.return_at());
        tally.at_return(&together);
        together.run_until(herd.end());
        (tally.report(&together), together)
    }

    pub(super) fn stage(&self, skips_quiet_time: bool) -> Stage<'_> {
        Stage { herd: self.herd, maker: &self.maker, skips_quiet_time }
    }

    /// All clients, one after the other, as they start.
    pub(super) fn players<'s>(&'s self, stage: Stage<'s>) -> impl Iterator<Item = Player> + 's {
        let regions = self.herd.regions.len();
        let mut rng = Rng::new(self.herd.seed);
        (0..self.herd.clients as usize).filter_map(move |number| {
            let (seed, start) = (rng.next_u64(), Time::ZERO + rng.up_to(START_OVER));
            // The configuration was tried out when the maker was made.
            let program = self.maker.client(seed, start).ok()?;
            Some(Player::new(program, number % regions, start, &stage))
        })
    }
}

const PROGRESS_EVERY: usize = 1_000;
