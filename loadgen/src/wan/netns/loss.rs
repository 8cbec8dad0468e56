//! The packets of one direction that are lost. Pure.

use xxhash_rust::xxh64::xxh64;

use super::super::effect::{Direction, Loss};
use crate::seed::Lcg;

/// The chain of Gilbert and Elliott: in its bad state every packet is lost, in its good state none. With a mean burst of one
/// packet, losses are independent (Bernoulli).
#[derive(Debug)]
pub(super) struct LossChain {
    loss: Loss,
    random: Lcg,
    is_bad: bool,
}

impl LossChain {
    /// The chain of one direction of a path; the same seed loses the same packets.
    pub(super) fn new(loss: Loss, path: &str, direction: Direction) -> Self {
        let direction = [u8::from(direction == Direction::FromServer)];
        let random = Lcg::new(xxh64(&direction, xxh64(path.as_bytes(), loss.seed)));
        Self { loss, random, is_bad: false }
    }

    pub(super) fn loss(&self) -> Loss {
        self.loss
    }

    /// Returns whether the next packet is lost.
    pub(super) fn loses_next(&mut self) -> bool {
        let share = f64::from(self.loss.per_million) / 1_000_000.0;
        if share >= 1.0 {
            return true;
        }
        if self.loss.burst.get() == 1 {
            return self.random.share() < share;
        }
        // Of the stationary distribution: the mean burst is 1 / `to_good`, and `share` of the packets meet the bad state.
        let to_good = 1.0 / f64::from(self.loss.burst.get());
        let to_bad = to_good * share / (1.0 - share);
        let changes = self.random.share() < if self.is_bad { to_good } else { to_bad };
        self.is_bad ^= changes;
        self.is_bad
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    fn lost(per_million: u32, burst: u16, seed: u64) -> Vec<bool> {
        let loss = Loss { per_million, burst: NonZeroU16::new(burst).unwrap(), seed };
        let mut chain = LossChain::new(loss, "lon->ams-1", Direction::ToServer);
        (0..400_000).map(|_| chain.loses_next()).collect()
    }

    fn share(lost: &[bool]) -> f64 {
        lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64
    }

    fn mean_burst(lost: &[bool]) -> f64 {
        let begun = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() + usize::from(lost[0]);
        lost.iter().filter(|lost| **lost).count() as f64 / begun as f64
    }

    #[test]
    fn single_losses_have_the_share_and_come_alone() {
        let lost = lost(10_000, 1, 7);
        assert!((share(&lost) - 0.01).abs() < 0.001, "{}", share(&lost));
        assert!(mean_burst(&lost) < 1.05, "{}", mean_burst(&lost));
    }

    #[test]
    fn bursts_have_the_share_and_the_length() {
        let lost = lost(20_000, 5, 7);
        assert!((share(&lost) - 0.02).abs() < 0.003, "{}", share(&lost));
        assert!((mean_burst(&lost) - 5.0).abs() < 0.5, "{}", mean_burst(&lost));
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(lost(50_000, 3, 1), lost(50_000, 3, 1));
        assert_ne!(lost(50_000, 3, 1), lost(50_000, 3, 2));
        assert!(lost(1_000_000, 1, 1).iter().all(|lost| *lost));
        assert!(!lost(0, 4, 1).contains(&true));
    }
}
