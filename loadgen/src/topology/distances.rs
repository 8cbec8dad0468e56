//! The distances between regions.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use super::cities::{ALIASES, TO_HUBS_MS};

/// Round-trip times between regions: a table of well-known cities, and the user's own values.
#[derive(Clone, Debug, Default)]
pub struct RttTable {
    /// Times by the region that dials and the region that it dials. A pair that is given once holds for both directions.
    overrides: BTreeMap<(String, String), Duration>,
    /// Cities of regions with other names than their city.
    cities: BTreeMap<String, String>,
    /// Time between regions for which nothing else is known.
    other: Option<Duration>,
}

/// A pair of regions without a known round-trip time.
#[derive(Debug, thiserror::Error)]
#[error("no round-trip time is known between `{from}` and `{to}`: add `--rtt {from}-{to}=MS`")]
pub struct UnknownPairError {
    from: String,
    to: String,
}

impl RttTable {
    /// Returns the table with `overrides` between these regions. The last override of a pair wins.
    ///
    /// # Errors
    /// An override names a region that is not among these.
    pub fn new(
        overrides: impl IntoIterator<Item = RttOverride>,
        regions: &[String],
    ) -> Result<Self, ParseRttError> {
        let mut table = Self::default();
        table.add(overrides, regions)?;
        Ok(table)
    }

    /// Adds `overrides` between these regions. The last override of a pair wins.
    ///
    /// # Errors
    /// An override names a region that is not among these.
    pub fn add(
        &mut self,
        overrides: impl IntoIterator<Item = RttOverride>,
        regions: &[String],
    ) -> Result<(), ParseRttError> {
        let overrides: Vec<_> = overrides.into_iter().collect();
        let mut entries = Vec::new();
        for entry in &overrides {
            let (from, to) = entry.between(regions)?;
            entries.push((from, to, entry.rtt));
        }
        self.put(&entries);
        Ok(())
    }

    /// Sets the well-known city of a region.
    pub fn place(&mut self, region: &str, city: &str) {
        self.cities.insert(region.to_owned(), city.to_owned());
    }

    /// Sets the round-trip time between regions of which nothing else is known.
    pub fn set_other(&mut self, rtt: Duration) {
        self.other = Some(rtt);
    }

    /// Changes the round-trip time between two regions, in both directions.
    pub fn set(&mut self, a: &str, b: &str, rtt: Duration) {
        self.put(&[(a, b, rtt)]);
    }

    /// Puts round-trip times on top of what is known of these pairs. A pair that is given in one order holds for both; one that
    /// is given in both orders has two round-trip times, each for the connections that its first region opens.
    pub fn put(&mut self, entries: &[(&str, &str, Duration)]) {
        let ordered = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        for (from, to, _) in entries {
            self.overrides.remove(&ordered(from, to));
            self.overrides.remove(&ordered(to, from));
        }
        self.overrides.extend(entries.iter().map(|(from, to, rtt)| (ordered(from, to), *rtt)));
    }

    /// Returns the round-trip time of connections from one region to another. Inside a region it is zero.
    pub fn rtt(&self, from: &str, to: &str) -> Result<Duration, UnknownPairError> {
        if from == to {
            return Ok(Duration::ZERO);
        }
        let given = |from: &str, to: &str| self.overrides.get(&(from.to_owned(), to.to_owned())).copied();
        if let Some(rtt) = given(from, to).or_else(|| given(to, from)) {
            return Ok(rtt);
        }
        let city = |region: &'_ str| self.cities.get(region).cloned().unwrap_or_else(|| region.to_owned());
        let (a, b) = (city(from), city(to));
        let in_one_city = (a == b).then_some(0);
        let known = in_one_city.or_else(|| built_in_ms(&a, &b)).or_else(|| built_in_ms(&b, &a));
        known
            .map(|ms| Duration::from_millis(ms.into()))
            .or(self.other)
            .ok_or_else(|| UnknownPairError { from: from.to_owned(), to: to.to_owned() })
    }
}

impl RttTable {
    /// Returns the well-known cities.
    pub fn cities() -> impl Iterator<Item = &'static str> {
        TO_HUBS_MS.iter().map(|(city, ..)| *city)
    }

    /// Returns [`rtt`](Self::rtt) or, for an unknown pair, the shortest way through London, Amsterdam or Dallas.
    pub fn rtt_or_detour(&self, from: &str, to: &str) -> Result<Duration, UnknownPairError> {
        self.rtt(from, to).or_else(|unknown| {
            let through = |hub| Some(self.rtt(from, hub).ok()? + self.rtt(hub, to).ok()?);
            ["lon", "ams", "dal"].into_iter().filter_map(through).min().ok_or(unknown)
        })
    }
}

/// One `--rtt lon-dal=113`: milliseconds, fractions allowed. Names of regions may contain `-`, so where the first one ends
/// is only known once the regions are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RttOverride {
    /// `A-B` or `A B`.
    regions: String,
    rtt: Duration,
}

impl RttOverride {
    /// Returns the two of these regions that it means.
    fn between<'a>(&self, known: &'a [String]) -> Result<(&'a str, &'a str), ParseRttError> {
        let mut pairs = pairs_of(&self.regions, known);
        match (pairs.next(), pairs.next()) {
            (Some((from, to)), None) if from == to => Err(ParseRttError::SameRegion(self.regions.clone())),
            (Some(pair), None) => Ok(pair),
            (Some(_), Some(_)) => Err(ParseRttError::Ambiguous(self.regions.clone())),
            (None, _) => {
                Err(ParseRttError::UnknownRegion { input: self.regions.clone(), known: known.to_vec() })
            }
        }
    }
}

/// Returns the two of these regions that `A-B` or `A B` means, if it means one pair.
pub(super) fn pair_of<'a>(text: &str, known: &'a [String]) -> Option<(&'a str, &'a str)> {
    let mut pairs = pairs_of(text, known);
    let pair = pairs.next().filter(|(from, to)| from != to)?;
    pairs.next().is_none().then_some(pair)
}

fn pairs_of<'a>(text: &str, known: &'a [String]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let find = |name: &str| known.iter().find(|region| *region == name).map(String::as_str);
    let is_between = |letter: char| letter == '-' || letter.is_whitespace();
    text.match_indices(is_between).filter_map(move |(at, separator)| {
        let (from, to) = (&text[..at], &text[at + separator.len()..]);
        Some((find(from.trim())?, find(to.trim())?))
    })
}

/// Reason why an [`RttOverride`] is not valid.
#[derive(Debug, thiserror::Error)]
pub enum ParseRttError {
    /// The text has not the form `A-B=MS`.
    #[error("`{0}` is not a round-trip time: write two regions and milliseconds, as in `lon-dal=113`")]
    Shape(String),
    /// The right side is not a number of milliseconds in range.
    #[error("`{value}` in `{input}` is not a number of milliseconds between 0 and {MAX_RTT_MS}")]
    Millis {
        /// The whole input.
        input: String,
        /// The part that is wrong.
        value: String,
    },
    /// One of its regions does not exist.
    #[error("`--rtt {input}=MS` does not name two of the regions {}", known.join(","))]
    UnknownRegion {
        /// The pair.
        input: String,
        /// The regions.
        known: Vec<String>,
    },
    /// The text can mean more than one pair of regions.
    #[error(
        "`--rtt {0}=MS` may mean several pairs of regions: write a space between the two names, as in \"us-east eu-west=80\""
    )]
    Ambiguous(String),
    /// Both regions are the same.
    #[error("`{0}` names one region twice: inside a region there is no emulated delay")]
    SameRegion(String),
}

/// The server's own dial and authentication time-outs are 1 s and 2 s; with the two round trips of a dial, nothing
/// above this can connect.
pub(crate) const MAX_RTT_MS: f64 = 500.0;

impl FromStr for RttOverride {
    type Err = ParseRttError;

    fn from_str(input: &str) -> Result<Self, ParseRttError> {
        let shape = || ParseRttError::Shape(input.to_owned());
        let (regions, value) = input.rsplit_once('=').ok_or_else(shape)?;
        let is_pair = |at: usize| at > 0 && at + 1 < regions.len();
        if !regions.match_indices(['-', ' ']).any(|(at, _)| is_pair(at)) {
            return Err(shape());
        }
        let millis = value.trim_end_matches("ms").parse().ok().filter(|ms| (0.0..=MAX_RTT_MS).contains(ms));
        let millis: f64 = millis
            .ok_or_else(|| ParseRttError::Millis { input: input.to_owned(), value: value.to_owned() })?;
        let rtt = Duration::from_secs_f64(millis / 1000.0);
        Ok(Self { regions: regions.trim().to_owned(), rtt })
    }
}

fn built_in_ms(city: &str, hub: &str) -> Option<u16> {
    let city = ALIASES.iter().find(|(alias, _)| *alias == city).map_or(city, |(_, name)| name);
    let (_, lon, ams, dal) = TO_HUBS_MS.iter().find(|(name, ..)| *name == city)?;
    match hub {
        "lon" => *lon,
        "ams" => *ams,
        "dal" => *dal,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_regions_are_known_in_both_directions() {
        let table = RttTable::default();
        for (a, b, ms) in [("lon", "ams", 9), ("lon", "dal", 113), ("ams", "dal", 120)] {
            assert_eq!(table.rtt(a, b).unwrap(), Duration::from_millis(ms));
            assert_eq!(table.rtt(b, a).unwrap(), Duration::from_millis(ms));
        }
        assert_eq!(table.rtt("lon", "lon").unwrap(), Duration::ZERO);
        assert_eq!(table.rtt("tyo", "dal").unwrap(), table.rtt("dal", "nrt").unwrap());
    }

    #[test]
    fn an_override_wins_in_both_directions() {
        let regions = ["lon", "dal", "moon"].map(str::to_owned);
        let overrides = ["dal-lon=50", "lon-moon=200.5ms"].map(|text| text.parse().unwrap());
        let table = RttTable::new(overrides, &regions).unwrap();
        assert_eq!(table.rtt("lon", "dal").unwrap(), Duration::from_millis(50));
        assert_eq!(table.rtt("moon", "lon").unwrap(), Duration::from_micros(200_500));
    }

    #[test]
    fn a_pair_that_is_given_in_both_orders_has_two_round_trip_times() {
        let regions = ["lon", "ams"].map(str::to_owned);
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        let mut table = RttTable::new(read(&["lon-ams=9", "ams-lon=14"]), &regions).unwrap();
        let both = |table: &RttTable| [("lon", "ams"), ("ams", "lon")].map(|(a, b)| table.rtt(a, b).unwrap());
        assert_eq!(both(&table), [9, 14].map(Duration::from_millis));
        table.add(read(&["ams-lon=20"]), &regions).unwrap();
        assert_eq!(both(&table), [20, 20].map(Duration::from_millis), "the new layer knows one");
    }

    #[test]
    fn an_unknown_pair_says_what_to_add() {
        let error = RttTable::default().rtt("fra", "nrt").unwrap_err().to_string();
        assert!(error.contains("--rtt fra-nrt=MS"), "{error}");
    }

    #[test]
    fn a_wrong_override_is_named() {
        for input in ["lon", "lon-dal", "lon=3", "-dal=3", "lon-=3", "lon-dal=x", "lon-dal=-1", "lon-dal=NaN"]
        {
            let error = input.parse::<RttOverride>().unwrap_err().to_string();
            assert!(error.contains(input), "{error}");
        }
    }

    #[test]
    fn names_with_hyphens_are_told_apart_by_the_regions_that_there_are() {
        let regions = ["us-east-1", "us-east", "eu-west", "1-eu", "west"].map(str::to_owned);
        let between = |text: &str| {
            let entry: RttOverride = format!("{text}=80").parse().unwrap();
            entry.between(&regions).map_err(|error| error.to_string())
        };
        assert_eq!(between("us-east-1-eu-west"), Ok(("us-east-1", "eu-west")));
        assert_eq!(between("us-east 1-eu"), Ok(("us-east", "1-eu")));
        assert!(between("us-east-eu").unwrap_err().contains("does not name two"));
        assert!(between("us-east-us-east").unwrap_err().contains("twice"));
        let regions = ["a", "a-b", "b-c", "c"].map(str::to_owned);
        let entry: RttOverride = "a-b-c=1".parse().unwrap();
        assert!(entry.between(&regions).unwrap_err().to_string().contains("a space"));
    }
}
