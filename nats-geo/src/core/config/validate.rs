//! This module refuses configurations that cannot work. The error names the field, its value and its bound.

use std::time::Duration;

use super::{CapacityHint, Config};

/// A configuration that cannot work.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{field}` is {value}, but must be {bound}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The field, as a path from [`Config`].
    pub field: &'static str,
    /// The value of the field.
    pub value: String,
    /// The bound that the value breaks.
    pub bound: String,
}

impl Config {
    /// Checks every bound, as a client does at its start.
    ///
    /// # Errors
    /// The first field that breaks its bound.
    ///
    /// ```
    /// use nats_geo::core::Config;
    ///
    /// let mut config = Config::fleet();
    /// config.probe.jitter = 7.5;
    /// assert_eq!(config.check().unwrap_err().field, "probe.jitter");
    /// ```
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_probe()?;
        self.check_rank()?;
        self.check_dial()?;
        self.check_watch()?;
        self.check_fail_back()?;
        self.check_damping()?;
        at_most("handover.overlap_min", self.handover.overlap_min, self.handover.overlap_max)?;
        if let Some(CapacityHint { clients, accepts_per_second }) = self.spread.capacity {
            count("spread.capacity.clients", clients as usize, 1, u32::MAX as usize)?;
            number("spread.capacity.accepts_per_second", accepts_per_second, f64::MIN_POSITIVE, f64::MAX)?;
        }
        Ok(())
    }

    fn check_probe(&self) -> Result<(), ConfigError> {
        let probe = &self.probe;
        positive("probe.timeout", probe.timeout)?;
        count("probe.in_flight_max", probe.in_flight_max, 1, IN_FLIGHT_LIMIT)?;
        positive("probe.interval", probe.interval)?;
        at_most("probe.interval", probe.interval, probe.interval_max)?;
        positive("probe.away_interval", probe.away_interval)?;
        number("probe.jitter", probe.jitter, 0.0, JITTER_LIMIT)?;
        count("probe.budget_per_minute", probe.budget_per_minute as usize, 1, u32::MAX as usize)?;
        count("probe.start_samples", probe.start_samples, 1, SAMPLES_LIMIT)?;
        count("probe.start_window_factor", probe.start_window_factor as usize, 1, u32::MAX as usize)?;
        at_most("probe.start_window_min", probe.start_window_min, probe.start_window_max)
    }

    fn check_rank(&self) -> Result<(), ConfigError> {
        let rank = &self.rank;
        count("rank.samples", rank.samples, 1, SAMPLES_LIMIT)?;
        count("rank.sample_age_intervals", rank.sample_age_intervals as usize, 1, u32::MAX as usize)?;
        number("rank.tie_ratio", rank.tie_ratio, 0.0, 1.0)?;
        at_most("rank.tie_min", rank.tie_min, rank.tie_max)?;
        count("rank.servers_min", rank.servers_min, 1, SERVERS_LIMIT)?;
        positive("rank.unhealthy_region_for", rank.unhealthy_region_for)
    }

    fn check_dial(&self) -> Result<(), ConfigError> {
        let dial = &self.dial;
        positive("dial.timeout", dial.timeout)?;
        count("dial.in_flight_max", dial.in_flight_max, 1, IN_FLIGHT_LIMIT)?;
        positive("dial.attempt_delay_min", dial.attempt_delay_min)?;
        at_most("dial.attempt_delay_min", dial.attempt_delay_min, dial.attempt_delay_max)?;
        count("dial.siblings_down", dial.siblings_down, 1, IN_FLIGHT_LIMIT)?;
        positive("dial.backoff_base", dial.backoff_base)?;
        at_most("dial.backoff_base", dial.backoff_base, dial.backoff_cap)?;
        count("dial.budget_burst", dial.budget_burst as usize, 1, u32::MAX as usize)?;
        number("dial.budget_per_second", dial.budget_per_second, f64::MIN_POSITIVE, f64::MAX)
    }

    fn check_watch(&self) -> Result<(), ConfigError> {
        let watch = &self.watch;
        positive("watch.ping_interval", watch.ping_interval)?;
        positive("watch.suspect_min", watch.suspect_min)?;
        positive("watch.dead_min", watch.dead_min)?;
        at_most("watch.suspect_min", watch.suspect_min, watch.dead_min)?;
        at_most("watch.suspect_slack", watch.suspect_slack, watch.dead_slack)?;
        at_most("watch.dead_min", watch.dead_min, watch.dead_max)?;
        positive("watch.progress_patience", watch.progress_patience)?;
        positive("watch.stall", watch.stall)
    }

    fn check_fail_back(&self) -> Result<(), ConfigError> {
        let fail_back = &self.fail_back;
        count("fail_back.good_probes", fail_back.good_probes as usize, 1, u32::MAX as usize)?;
        count("fail_back.servers", fail_back.servers, 1, usize::MAX)?;
        number("fail_back.cohort", fail_back.cohort, 0.0, 1.0)?;
        number("fail_back.gain_ratio", fail_back.gain_ratio, 0.0, f64::MAX)?;
        count("fail_back.gain_evaluations", fail_back.gain_evaluations as usize, 1, u32::MAX as usize)
    }

    fn check_damping(&self) -> Result<(), ConfigError> {
        let damping = &self.damping;
        positive("damping.half_life", damping.half_life)?;
        number("damping.penalty", damping.penalty, 0.0, f64::MAX)?;
        number("damping.reuse", damping.reuse, f64::MIN_POSITIVE, f64::MAX)?;
        number("damping.suppress", damping.suppress, damping.reuse, f64::MAX)
    }
}

/// Dials or probes at once: more is a typing error, and everything in the core is bounded.
const IN_FLIGHT_LIMIT: usize = 1_024;

/// Samples kept per endpoint: the minimum of more would outlive route changes.
const SAMPLES_LIMIT: usize = 100;

/// More servers in one region than anybody runs: a typing error.
const SERVERS_LIMIT: usize = 1_024;

/// An interval varied by more could come down to nothing.
const JITTER_LIMIT: f64 = 0.5;

fn positive(field: &'static str, value: Duration) -> Result<(), ConfigError> {
    require(!value.is_zero(), field, &Millis(value), || "more than zero".into())
}

fn at_most(field: &'static str, value: Duration, bound: Duration) -> Result<(), ConfigError> {
    require(value <= bound, field, &Millis(value), || format!("at most {}", Millis(bound)))
}

fn count(field: &'static str, value: usize, min: usize, max: usize) -> Result<(), ConfigError> {
    require((min..=max).contains(&value), field, &value, || format!("{min} to {max}"))
}

fn number(field: &'static str, value: f64, min: f64, max: f64) -> Result<(), ConfigError> {
    let bound = || match (min, max) {
        (f64::MIN_POSITIVE, f64::MAX) => "more than zero and finite".into(),
        (min, f64::MAX) => format!("at least {} and finite", Shown(min)),
        (min, max) => format!("{} to {}", Shown(min), Shown(max)),
    };
    require((min..=max).contains(&value), field, &Shown(value), bound)
}

/// A number with up to three decimals. The general formatting of floats is 15 kB that every browser would download.
struct Shown(f64);

/// A duration in milliseconds, for the same reason.
struct Millis(Duration);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ms", Shown(self.0.as_secs_f64() * 1e3))
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_nan() {
            return f.write_str("not a number");
        }
        let sign = if self.0 < 0.0 { "-" } else { "" };
        // Saturates; nobody means a number beyond.
        let thousandths = (self.0.abs() * 1e3).round() as u64;
        let (whole, rest) = (thousandths / 1_000, thousandths % 1_000);
        match (rest % 10, rest % 100, rest) {
            (.., 0) => write!(f, "{sign}{whole}"),
            (_, 0, _) => write!(f, "{sign}{whole}.{}", rest / 100),
            (0, ..) => write!(f, "{sign}{whole}.{:02}", rest / 10),
            _ => write!(f, "{sign}{whole}.{rest:03}"),
        }
    }
}

fn require(
    holds: bool,
    field: &'static str,
    value: &dyn std::fmt::Display,
    bound: impl FnOnce() -> String,
) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError { field, value: value.to_string(), bound: bound() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_are_valid() {
        assert_eq!(Config::fleet().check(), Ok(()));
        assert_eq!(Config::interactive().check(), Ok(()));
        assert_eq!(Config::default(), Config::fleet());
    }

    #[test]
    fn numbers_are_shown_as_people_write_them() {
        let shown = [0.0, 750.0, 0.5, 0.05, -1.25, 1.2341, 0.9999].map(|number| Shown(number).to_string());
        assert_eq!(shown, ["0", "750", "0.5", "0.05", "-1.25", "1.234", "1"]);
    }

    #[test]
    fn an_error_names_field_value_and_bound() {
        type Break = fn(&mut Config);
        let broken: [(Break, &str); 7] = [
            (|c| c.rank.servers_min = 0, "`rank.servers_min` is 0, but must be 1 to 1024"),
            (
                |c| c.watch.ping_interval = Duration::ZERO,
                "`watch.ping_interval` is 0 ms, but must be more than zero",
            ),
            (
                |c| c.watch.dead_min = Duration::from_secs(9),
                "`watch.dead_min` is 9000 ms, but must be at most 5000 ms",
            ),
            (|c| c.probe.jitter = f64::NAN, "`probe.jitter` is not a number, but must be 0 to 0.5"),
            (|c| c.dial.in_flight_max = 0, "`dial.in_flight_max` is 0, but must be 1 to 1024"),
            (|c| c.damping.suppress = 1.0, "`damping.suppress` is 1, but must be at least 750 and finite"),
            (
                |c| c.spread.capacity = Some(CapacityHint { clients: 9, accepts_per_second: 0.0 }),
                "`spread.capacity.accepts_per_second` is 0, but must be more than zero and finite",
            ),
        ];
        for (break_it, message) in broken {
            let mut config = Config::fleet();
            break_it(&mut config);
            assert_eq!(config.check().unwrap_err().to_string(), message);
        }
    }
}
