//! Sizes and durations as people write them.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A number of bytes, written as `64MB`, `1GB` or a plain number. As in nats-server, units count in 1024s.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many times 1024 x 1024 bytes.
    pub const fn mebibytes(number: u64) -> Self {
        Self(number << 20)
    }

    /// The number of bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

/// As nats-server's configuration takes it.
impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().rev().find(|(_, shift)| self.0 >> shift << shift == self.0 && self.0 > 0);
        match unit {
            Some((name, shift)) => write!(formatter, "{}{name}", self.0 >> shift),
            None => write!(formatter, "{}", self.0),
        }
    }
}

/// Units that nats-server knows, and the powers of 2 that they stand for.
const UNITS: [(&str, u32); 4] = [("KB", 10), ("MB", 20), ("GB", 30), ("TB", 40)];

impl JsonSchema for ByteSize {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9]+ ?([KMGTkmgt]?[Ii]?[Bb]?)$" }
            ]
        })
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(bytes) => Ok(Self(bytes)),
            NumberOrText::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

/// A text that is no size.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not a size: write bytes, or KB, MB, GB or TB, as in \"64MB\"")]
pub struct ParseSizeError(String);

impl std::str::FromStr for ByteSize {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        parse_size(text).map(Self).ok_or_else(|| ParseSizeError(text.to_owned()))
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let (number, unit) = (digits.trim().parse::<u64>().ok()?, &text[digits.len()..]);
    let unit = unit.to_ascii_uppercase();
    let shift = match unit.trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        short => UNITS.iter().find(|(name, _)| name.trim_end_matches('B') == short)?.1,
    };
    number.checked_mul(1 << shift)
}

/// A duration, written as `500ms`, `10s`, `2m`, `1h` or `7d`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Span(Duration);

impl Span {
    /// The duration.
    pub fn duration(self) -> Duration {
        self.0
    }

    /// Nanoseconds, as JetStream's API counts.
    pub fn nanos(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" })
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_span(&text).map(Self).ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is not a duration: write a number and ms, s, m, h or d, as in \"2m\""
            ))
        })
    }
}

/// Reads `500ms`, `10s`, `2m`, `1h`, `7d`.
pub(crate) fn parse_span(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    let millis = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number of bytes, or a size such as \"64MB\"")]
enum NumberOrText {
    Number(u64),
    Text(String),
}

/// Durations that users may choose: servers must have the time to answer, and a day is longer than anything that ends by itself.
pub(crate) const CHOSEN_SPANS: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(86_400);

/// Reads a duration of the command line.
pub(crate) fn span_of_option(text: &str) -> Result<Duration, String> {
    let span = parse_span(text).ok_or("write a number and ms, s, m or h, as in `500ms`")?;
    if CHOSEN_SPANS.contains(&span) {
        Ok(span)
    } else {
        Err("choose a duration from `10ms` to `24h`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_as_nats_server_does() {
        for (text, bytes) in
            [("64MB", 64 << 20), ("1g", 1 << 30), ("2GiB", 2 << 30), ("10KB", 10_240), ("7", 7)]
        {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "MB", "64 potatoes", "-1MB", "1.5GB", "99999999999TB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(ByteSize::mebibytes(64).to_string(), "64MB");
        assert_eq!(ByteSize(1500).to_string(), "1500");
        assert_eq!(ByteSize(0).to_string(), "0");
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_span("2m"), Some(Duration::from_secs(120)));
        assert_eq!(parse_span("500ms"), Some(Duration::from_millis(500)));
        for text in ["", "2", "m", "-1s", "2 m", "1y", "99999999999999999d"] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_of_the_command_line_has_limits() {
        assert_eq!(span_of_option("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(span_of_option("24h"), Ok(Duration::from_secs(86_400)));
        for text in ["1", "-1s", "second"] {
            assert!(span_of_option(text).unwrap_err().contains("500ms"), "{text}");
        }
        for text in ["0s", "9ms", "25h"] {
            assert!(span_of_option(text).unwrap_err().contains("from `10ms` to `24h`"), "{text}");
        }
    }
}
