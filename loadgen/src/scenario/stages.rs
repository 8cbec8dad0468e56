//! Stages: changes of the number of clients in a region (`lon: 0..20 over 10s at 30s`), or of a rate (`10..200 over
//! 30s`).

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::topology::parse_span;

/// A number of clients that grows or shrinks evenly.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Stage {
    /// Region of the clients.
    pub region: String,
    /// Number of clients at its beginning.
    pub from: u32,
    /// Number of clients at its end.
    pub to: u32,
    /// Time of its beginning, since the start.
    pub at: Duration,
    /// Its duration.
    pub over: Duration,
}

/// A stage that is not valid.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not a stage: write `REGION: FROM..TO over TIME at TIME`, as in `lon: 0..20 over 10s at 30s`"
)]
pub struct ParseStageError(String);

impl Stage {
    /// Returns the number of clients at a time after its beginning.
    pub fn count_at(&self, at: Duration) -> u32 {
        let share = at.saturating_sub(self.at).as_secs_f64() / self.over.as_secs_f64().max(f64::EPSILON);
        let (from, to) = (f64::from(self.from), f64::from(self.to));
        (from + (to - from) * share.clamp(0.0, 1.0)).round() as u32
    }
}

/// Without `at`, a stage begins at the start.
impl FromStr for Stage {
    type Err = ParseStageError;

    fn from_str(text: &str) -> Result<Self, ParseStageError> {
        parse(text).ok_or_else(|| ParseStageError(text.to_owned()))
    }
}

/// A rate that grows or shrinks evenly.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, schemars::JsonSchema)]
pub struct RateStage {
    /// Operations per second of each client at its beginning.
    pub from: u16,
    /// Operations per second of each client at its end.
    pub to: u16,
    /// Time of its beginning, since the start.
    pub at: Duration,
    /// Its duration.
    pub over: Duration,
}

/// A change of a rate that is not valid.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no change of a rate: write `FROM..TO over TIME at TIME`, as in `10..200 over 30s at 60s`")]
pub struct ParseRateStageError(String);

/// Without `at`, the change begins at the start.
impl FromStr for RateStage {
    type Err = ParseRateStageError;

    fn from_str(text: &str) -> Result<Self, ParseRateStageError> {
        let error = || ParseRateStageError(text.to_owned());
        let (from, to, over, at) = parse_change(text).ok_or_else(error)?;
        let rate = |rate: u32| u16::try_from(rate).map_err(|_| error());
        Ok(Self { from: rate(from)?, to: rate(to)?, at, over })
    }
}

fn parse(text: &str) -> Option<Stage> {
    // A region's name may contain a colon.
    let (region, rest) = text.rsplit_once(':')?;
    let (from, to, over, at) = parse_change(rest)?;
    Some(Stage { region: region.trim().to_owned(), from, to, at, over })
}

fn parse_change(text: &str) -> Option<(u32, u32, Duration, Duration)> {
    let mut words = text.split_whitespace();
    let (from, to) = words.next()?.split_once("..")?;
    let ("over", over) = (words.next()?, parse_span(words.next()?)?) else { return None };
    let at = match (words.next(), words.next(), words.next()) {
        (None, None, None) => Duration::ZERO,
        (Some("at"), Some(at), None) => parse_span(at)?,
        _ => return None,
    };
    Some((from.parse().ok()?, to.parse().ok()?, over, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_read_and_grow_evenly() {
        let stage: Stage = "lon: 0..20 over 10s at 30s".parse().unwrap();
        let at = |s: u64| stage.count_at(Duration::from_secs(s));
        assert_eq!((at(0), at(30), at(35), at(40), at(99)), (0, 0, 10, 20, 20));
        let down: Stage = "us-east-1: 5..1 over 0s".parse().unwrap();
        assert_eq!((down.region.as_str(), down.count_at(Duration::from_secs(1))), ("us-east-1", 1));
        for wrong in ["", "lon", "lon: 1..2", "lon: 1-2 over 1s", "lon: 1..2 over 1", "lon: 1..2 over 1s at"]
        {
            let error = wrong.parse::<Stage>().unwrap_err().to_string();
            assert!(error.contains("as in `lon: 0..20 over 10s at 30s`"), "{error}");
        }
    }

    #[test]
    fn changes_of_a_rate_are_read() {
        let change: RateStage = "10..200 over 30s at 60s".parse().unwrap();
        let seconds = Duration::from_secs;
        assert_eq!(change, RateStage { from: 10, to: 200, at: seconds(60), over: seconds(30) });
        for wrong in ["", "lon: 1..2 over 1s", "1..70000 over 1s", "-1..2 over 1s", "1..2"] {
            let error = wrong.parse::<RateStage>().unwrap_err().to_string();
            assert!(error.contains("as in `10..200 over 30s at 60s`"), "{error}");
        }
    }
}
