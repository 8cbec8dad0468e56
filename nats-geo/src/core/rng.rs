//! Random numbers from a seed, and hashes that are the same in every client.

use std::time::Duration;

use xxhash_rust::xxh64::xxh64;

/// SplitMix64 (Steele, Lea, Flood 2014): 8 bytes of state, so that a million selectors stay small. It
/// spreads clients in time and is no secret, so statistical quality is all that is asked of it.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Leaves out one draw.
    pub(crate) const fn skip(&mut self) {
        self.0 = self.0.wrapping_add(STEP);
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        unit(self.next_u64())
    }

    /// Exponentially distributed, of mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Uniform in [0, `max`).
    pub(crate) fn up_to(&mut self, max: Duration) -> Duration {
        scale(max, self.unit())
    }

    /// `around` varied by up to `share` of it in either direction.
    pub(crate) fn vary(&mut self, around: Duration, share: f64) -> Duration {
        scale(around, 1.0 + share * (2.0 * self.unit() - 1.0))
    }
}

/// The golden ratio, as the authors of SplitMix64 chose it.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The weight-respecting rendezvous score of `server` for the client with this seed: the highest wins, and
/// a server that comes or goes moves only its own clients (Thaler & Ravishankar 1998; weights after
/// Schindelhauer & Schomaker 2005).
pub(crate) fn rendezvous_score(client_seed: u64, server: &[u8], weight: u32) -> f64 {
    let uniform = unit(xxh64(server, client_seed));
    f64::from(weight.max(1)) / -uniform.max(f64::MIN_POSITIVE).ln()
}

/// A number in [0, 1) that is the same whenever this client asks about this name.
pub(crate) fn hash_unit(client_seed: u64, name: &str) -> f64 {
    unit(xxh64(name.as_bytes(), client_seed))
}

/// The top 53 bits are what an f64 can hold exactly.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// `duration x factor`, saturating.
pub(crate) fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_matches_the_reference_sequence() {
        let mut rng = Rng::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([rng.next_u64(), rng.next_u64(), rng.next_u64()], expected);
        let mut rng = Rng::new(1_234_567);
        rng.skip();
        assert_eq!(rng.next_u64(), expected[1]);
    }

    #[test]
    fn weights_divide_clients_in_proportion() {
        const CLIENTS: u64 = 20_000;
        let prefers_heavy =
            |client: &u64| rendezvous_score(*client, b"heavy", 3) > rendezvous_score(*client, b"light", 1);
        let share = (0..CLIENTS).filter(prefers_heavy).count() as f64 / CLIENTS as f64;
        assert!((share - 0.75).abs() < 0.02, "{share} of the clients chose the server of weight 3 of 4");
    }

    #[test]
    fn a_server_that_leaves_moves_only_its_own_clients() {
        let best = |client: u64, servers: &[&'static str]| -> &'static str {
            let score = |server: &&str| rendezvous_score(client, server.as_bytes(), 1);
            servers.iter().copied().max_by(|a, b| score(a).total_cmp(&score(b))).unwrap()
        };
        for client in 0..1_000 {
            let before = best(client, &["a", "b", "c"]);
            if before != "c" {
                assert_eq!(best(client, &["a", "b"]), before);
            }
        }
    }

    #[test]
    fn variation_stays_within_its_share() {
        let mut rng = Rng::new(7);
        for _ in 0..1_000 {
            let varied = rng.vary(Duration::from_secs(30), 0.2).as_secs_f64();
            assert!((24.0..=36.0).contains(&varied), "{varied}");
        }
        assert_eq!(rng.up_to(Duration::ZERO), Duration::ZERO);
        assert_eq!(scale(Duration::MAX, 2.0), Duration::MAX);
    }
}
