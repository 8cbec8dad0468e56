//! Names of runs, which sort by time.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// The name of a run: the time of its start in UTC and eight random hex digits, as in `20261130T050305Z-1a2b3c4d`. Names sort by
/// time. The digits keep apart the runs that several machines start in the same second.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct RunId(String);

/// A text that is not the name of a run.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not the name of a run, such as `20261130T050305Z-1a2b3c4d`: `loadgen runs list` lists the names"
)]
pub struct ParseRunIdError(String);

impl RunId {
    /// The name of a run that starts at `start`; `random` are its digits.
    pub fn new(start: SystemTime, random: u32) -> Self {
        let start = OffsetDateTime::from(start);
        // The format has fixed fields, so only years after 9999 cannot be written.
        let time = start.format(TIME).unwrap_or_else(|_| "99991231T235959Z".to_owned());
        Self(format!("{time}-{random:08x}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the time at which the run started, to the second.
    pub fn started(&self) -> OffsetDateTime {
        // A name was checked when it was made.
        time_of(&self.0).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

fn time_of(text: &str) -> Option<OffsetDateTime> {
    let (time, random) = text.split_once('-')?;
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let is_random = random.len() == 8 && random.chars().all(is_hex);
    let time = PrimitiveDateTime::parse(time, TIME).ok().filter(|_| is_random)?;
    Some(time.assume_utc())
}

impl FromStr for RunId {
    type Err = ParseRunIdError;

    fn from_str(text: &str) -> Result<Self, ParseRunIdError> {
        time_of(text).ok_or_else(|| ParseRunIdError(text.to_owned()))?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for RunId {
    type Error = ParseRunIdError;

    fn try_from(text: String) -> Result<Self, ParseRunIdError> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(run: RunId) -> Self {
        run.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

const TIME: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_sort_by_time_and_are_read_back() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let (early, late) = (RunId::new(at(1_796_014_985), 0xffff_ffff), RunId::new(at(1_796_014_986), 0));
        assert_eq!(early.as_str(), "20261130T050305Z-ffffffff");
        assert!(early < late);
        assert_eq!(late.as_str().parse(), Ok(late.clone()));
        assert_eq!(late.started().unix_timestamp(), 1_796_014_986);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "latest", "20261130T050305Z", "20261330T050305Z-1a2b3c4d", "20261130T050305Z-1A2B3C4D"]
        {
            let error = text.parse::<RunId>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
        assert!("20261130T050305Z-1a2b3c4d/..".parse::<RunId>().is_err());
    }
}
