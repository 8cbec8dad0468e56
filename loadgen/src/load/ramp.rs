//! A rate that changes over time, and the times at which its operations begin.

use std::time::Duration;

/// Operations per second over time: constant before, between and after the changes, and in a change evenly from one rate to the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Ramp {
    /// Without gaps, from time zero on.
    parts: Vec<Part>,
    /// The rate after the last part.
    last: f64,
}

/// A change of the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateChange {
    /// Time of its beginning.
    pub at: Duration,
    /// Its duration.
    pub over: Duration,
    /// Operations per second at its beginning.
    pub from: f64,
    /// Operations per second at its end.
    pub to: f64,
}

/// A time in which the rate grows or shrinks evenly. Times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    lasts: f64,
    from: f64,
    to: f64,
}

impl Part {
    /// Operations until a time after its beginning.
    fn count_at(self, time: f64) -> f64 {
        self.from * time + self.slope() * time * time / 2.0
    }

    /// Time after its beginning when so many operations have begun; it has that many.
    fn time_of(self, count: f64) -> f64 {
        // The root of the quadratic equation in the form that needs no division by the slope, which can be 0.
        let root = (self.from * self.from + 2.0 * self.slope() * count).max(0.0).sqrt();
        // Both are 0 for the first operation of a rate that grows from 0.
        let twice_the_mean = self.from + root;
        if twice_the_mean > 0.0 { 2.0 * count / twice_the_mean } else { 0.0 }
    }

    fn slope(self) -> f64 {
        (self.to - self.from) / self.lasts
    }
}

impl Ramp {
    /// A rate with changes that follow each other. Without `start`, the rate before the first change is the one at its beginning.
    pub fn new(start: Option<f64>, changes: &[RateChange]) -> Self {
        let mut last = start.or_else(|| changes.first().map(|change| change.from)).unwrap_or_default();
        let (mut parts, mut end) = (Vec::new(), Duration::ZERO);
        for change in changes {
            let constant = change.at.saturating_sub(end).as_secs_f64();
            let part = Part { lasts: change.over.as_secs_f64(), from: change.from, to: change.to };
            parts.extend([Part { lasts: constant, from: last, to: last }, part]);
            (last, end) = (change.to, change.at + change.over);
        }
        parts.retain(|part| part.lasts > 0.0);
        Self { parts, last }
    }

    /// Returns how many operations begin before a time.
    pub fn count_at(&self, at: Duration) -> f64 {
        let (mut count, mut left) = (0.0, at.as_secs_f64());
        for part in &self.parts {
            if left <= part.lasts {
                return count + part.count_at(left);
            }
            count += part.count_at(part.lasts);
            left -= part.lasts;
        }
        count + self.last * left
    }

    /// Returns the time when so many operations have begun; `None`, if there are never so many.
    pub fn time_of(&self, count: f64) -> Option<Duration> {
        let (mut time, mut left) = (0.0, count);
        for part in &self.parts {
            let whole = part.count_at(part.lasts);
            if left <= whole && whole > 0.0 {
                return Duration::try_from_secs_f64(time + part.time_of(left).min(part.lasts)).ok();
            }
            time += part.lasts;
            left -= whole;
        }
        (self.last > 0.0).then(|| Duration::try_from_secs_f64(time + left / self.last).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn change(at: u64, over: u64, from: f64, to: f64) -> RateChange {
        RateChange { at: Duration::from_secs(at), over: Duration::from_secs(over), from, to }
    }

    fn times(ramp: &Ramp, counts: &[f64]) -> Vec<Option<f64>> {
        counts.iter().map(|count| ramp.time_of(*count).map(|time| time.as_secs_f64())).collect()
    }

    #[test]
    fn a_constant_rate_has_even_times() {
        let ramp = Ramp::new(Some(10.0), &[]);
        assert_eq!(times(&ramp, &[0.0, 1.0, 25.0]), [Some(0.0), Some(0.1), Some(2.5)]);
        assert_eq!(ramp.count_at(Duration::from_secs(3)), 30.0);
    }

    #[test]
    fn operations_follow_the_area_below_the_rate() {
        // 0 to 20 per second in 10 s are 100 operations; the first half of the time has a quarter of them.
        let up = Ramp::new(None, &[change(0, 10, 0.0, 20.0), change(20, 10, 20.0, 0.0)]);
        assert_eq!(times(&up, &[25.0, 100.0, 300.0]), [Some(5.0), Some(10.0), Some(20.0)]);
        assert_eq!(up.count_at(Duration::from_secs(15)), 200.0);
        // The rate ends at 0 with 400 operations, so there is no 401st.
        assert_eq!(up.count_at(Duration::from_secs(99)), 400.0);
        assert_eq!(times(&up, &[400.0, 401.0]), [Some(30.0), None]);
    }

    #[test]
    fn a_rate_of_zero_waits_for_the_next_change() {
        let late = Ramp::new(Some(0.0), &[change(5, 0, 0.0, 4.0)]);
        assert_eq!(times(&late, &[1.0, 4.0]), [Some(5.25), Some(6.0)]);
        assert_eq!(late.count_at(Duration::from_secs(5)), 0.0);
        assert_eq!(Ramp::new(None, &[]).time_of(1.0), None);
    }

    #[test]
    fn times_and_counts_are_inverse() {
        let ramp = Ramp::new(Some(3.0), &[change(2, 7, 3.0, 90.0), change(9, 4, 90.0, 0.5)]);
        for count in 1..400 {
            let time = ramp.time_of(f64::from(count)).unwrap();
            let back = ramp.count_at(time);
            assert!((back - f64::from(count)).abs() < 1e-6, "{count}: {back}");
        }
    }
}
