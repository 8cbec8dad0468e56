//! Conditions that must hold, as text: `failover.p90{region=lon} < 200ms`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::metrics::{METRICS, Metric};

/// A bound of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// As it was written.
    pub text: String,
    /// Which figure.
    pub metric: Metric,
    /// The part of it.
    pub labels: BTreeMap<String, String>,
    /// Comparison with the bound.
    pub comparison: Comparison,
    /// Milliseconds, a number or a share.
    pub bound: f64,
}

/// Comparison of a value with its bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    Greater,
}

/// The longer ones first: `<=` begins with `<`.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl Comparison {
    /// Returns whether the comparison holds.
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::Equal => (value - bound).abs() < f64::EPSILON,
            Self::AtLeast => value >= bound,
            Self::Greater => value > bound,
        }
    }
}

/// A threshold that is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseThresholdError {
    /// Not the form.
    #[error("`{0}` is not a threshold: write `METRIC < BOUND`, as in `failover.p90{{region=lon}} < 200ms`")]
    Form(String),
    /// No such figure.
    #[error("there is no metric `{name}`: choose one of {}", metric_names())]
    Metric {
        /// The name.
        name: String,
    },
    /// The figure has no such label.
    #[error("`{metric}` has no label `{label}`: choose one of {}", known.join(", "))]
    Label {
        /// The figure.
        metric: &'static str,
        /// The label.
        label: String,
        /// Those that it has.
        known: &'static [&'static str],
    },
    /// The bound has another unit.
    #[error("`{bound}` is not a valid bound of `{metric}`: write it as `{example}`")]
    Bound {
        /// The figure.
        metric: &'static str,
        /// The text.
        bound: String,
        /// A right one.
        example: &'static str,
    },
}

fn metric_names() -> String {
    METRICS.map(|metric| metric.name).join(", ")
}

impl FromStr for Threshold {
    type Err = ParseThresholdError;

    fn from_str(text: &str) -> Result<Self, ParseThresholdError> {
        let form = || ParseThresholdError::Form(text.to_owned());
        // Values of labels are names, which may contain anything but a brace.
        let after_labels = text.find('}').map_or(0, |at| at + 1);
        let found = COMPARISONS.iter().find_map(|(sign, comparison)| {
            let at = text[after_labels..].find(sign)? + after_labels;
            Some((&text[..at], *comparison, text[at + sign.len()..].trim()))
        });
        let (left, comparison, bound_text) = found.ok_or_else(form)?;
        let (name, labels) = match left.trim().split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}').ok_or_else(form)?),
            None => (left.trim(), ""),
        };
        let metric = METRICS.into_iter().find(|metric| metric.name == name.trim());
        let metric = metric.ok_or_else(|| ParseThresholdError::Metric { name: name.trim().to_owned() })?;
        let mut chosen = BTreeMap::new();
        for pair in labels.split(',').filter(|pair| !pair.trim().is_empty()) {
            let (label, value) = pair.split_once('=').ok_or_else(form)?;
            let label = label.trim();
            if !metric.labels.contains(&label) {
                let label = label.to_owned();
                return Err(ParseThresholdError::Label { metric: metric.name, label, known: metric.labels });
            }
            chosen.insert(label.to_owned(), value.trim().trim_matches('"').to_owned());
        }
        let bound = metric.unit.read(bound_text).ok_or_else(|| ParseThresholdError::Bound {
            metric: metric.name,
            bound: bound_text.to_owned(),
            example: metric.unit.example(),
        })?;
        Ok(Self { text: text.to_owned(), metric, labels: chosen, comparison, bound })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read() {
        let threshold: Threshold = "failover.p90{region=lon, population=geo} <= 1.5s".parse().unwrap();
        assert_eq!((threshold.metric.name, threshold.bound), ("failover.p90", 1_500.0));
        assert_eq!(threshold.labels["population"], "geo");
        assert!(threshold.comparison.holds(1_500.0, threshold.bound));
        let share: Threshold = "nearest_share > 99%".parse().unwrap();
        assert!((share.bound - 0.99).abs() < 1e-9 && share.comparison == Comparison::Greater);
        let lost: Threshold = "js.lost == 0".parse().unwrap();
        assert!(lost.comparison.holds(0.0, lost.bound) && !lost.comparison.holds(1.0, lost.bound));
        assert!("requests.failed{region=a<b} == 0".parse::<Threshold>().is_ok());
    }

    #[test]
    fn wrong_thresholds_name_the_remedy() {
        let error = |text: &str| text.parse::<Threshold>().unwrap_err().to_string();
        assert!(error("failover.p90 200ms").contains("as in `failover.p90{region=lon} < 200ms`"));
        assert!(error("failover < 1s").contains("no metric `failover`"));
        assert!(error("js.lost{phase=quiet} == 0").contains("has no label `phase`"));
        assert!(error("failover.p90 < 200").contains("write it as `200ms`"));
        assert!(error("js.lost == none").contains("write it as `0`"));
    }
}
