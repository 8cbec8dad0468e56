//! Percentiles of small samples.

use std::time::Duration;

/// Minimum-assumption percentiles: nearest rank, no interpolation between clients that never existed.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<Duration>);

impl Sample {
    /// How many.
    pub fn n(&self) -> usize {
        self.0.len()
    }

    /// The smallest value that at least this share of the sample does not exceed; `None` for an empty sample.
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied()
    }

    /// The median in milliseconds.
    pub fn p50_ms(&self) -> Option<f64> {
        self.percentile(0.5).map(millis)
    }

    /// The 90th percentile in milliseconds.
    pub fn p90_ms(&self) -> Option<f64> {
        self.percentile(0.9).map(millis)
    }

    /// The largest in milliseconds.
    pub fn max_ms(&self) -> Option<f64> {
        self.0.last().copied().map(millis)
    }
}

impl FromIterator<Duration> for Sample {
    fn from_iter<I: IntoIterator<Item = Duration>>(values: I) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_unstable();
        Self(values)
    }
}

/// Milliseconds, to the microsecond.
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_sample() {
        let sample: Sample = (1..=10).map(Duration::from_millis).collect();
        assert_eq!((sample.p50_ms(), sample.p90_ms(), sample.max_ms()), (Some(5.0), Some(9.0), Some(10.0)));
        let one: Sample = [Duration::from_micros(1_234)].into_iter().collect();
        assert_eq!((one.p50_ms(), one.p90_ms()), (Some(1.234), Some(1.234)));
        assert_eq!(Sample::default().p50_ms(), None);
    }
}
