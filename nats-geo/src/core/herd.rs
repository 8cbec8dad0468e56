//! Stage 7a: detects that many clients lost the same region, and slows the dials of this client down.

use std::time::Duration;

use super::SpreadConfig;
use super::rng::Rng;

/// The survivors cannot take everybody at once: a dial waited in vain, or a server said that it has too much to do.
/// What they can do is not known; so every client asks more and more seldom, until there is room for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Herd {
    /// Survivors that were asked since the herd was seen.
    asked: u32,
}

impl Herd {
    /// How long to wait with the next dial once one of a survivor had its time or has failed.
    pub(crate) fn next_gap(&mut self, spread: &SpreadConfig, rng: &mut Rng) -> Duration {
        let doubled = spread.region_lost.saturating_mul(2_u32.saturating_pow(self.asked));
        self.asked = self.asked.saturating_add(1);
        rng.up_to(doubled.min(GAP_MAX.max(spread.region_lost)))
    }
}

/// In the simulator 2000 clients flee to two regions that can take 72 per second together, which is 28 s at best. Dials that
/// follow each other as soon as they can, every 2 s, bring the last one back after 33 s with 8 handshakes each; up to
/// this far apart after 34 s with 4.6; up to 30 s apart after 43 s with 4.5.
const GAP_MAX: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn gaps_double_from_the_spread_of_first_attempts_to_their_bound() {
        let spread = Config::fleet().spread;
        let longest = |asked: u32| {
            let mut rng = Rng::new(7);
            (0..500).map(|_| Herd { asked }.next_gap(&spread, &mut rng)).max().unwrap().as_secs_f64()
        };
        for (asked, bound) in [(0, 2.0), (1, 4.0), (2, 8.0), (3, 8.0), (99, 8.0)] {
            let seen = longest(asked);
            assert!(seen <= bound && seen > 0.95 * bound, "{seen} s of {bound} after {asked}");
        }
    }

    #[test]
    fn a_spread_that_is_longer_is_kept() {
        let mut spread = Config::fleet().spread;
        spread.region_lost = Duration::from_secs(60);
        let mut rng = Rng::new(7);
        let longest = (0..500).map(|_| Herd::default().next_gap(&spread, &mut rng)).max().unwrap();
        assert!(longest > Duration::from_secs(50), "{longest:?}");
    }
}
