//! Reading positions in a virtual stream, which are valid in all regions.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::datetime;
use async_nats::jetstream::consumer::DeliverPolicy;
use serde::{Deserialize, Serialize};

use super::Config;
use crate::native::jetstream::DateTime;
use crate::native::jetstream::consumers::Mark;

/// The region in which a message was published, and its sequence there. Both are the same in all read streams.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Origin {
    /// The region.
    pub region: String,
    /// The sequence of the message in this region's write stream.
    pub sequence: u64,
}

/// Reading position in a virtual stream: the last sequence of each region. A position is valid in all regions. You can
/// store a position, and continue from it later. At that time, the read streams must still have the messages after the
/// position.
///
/// ```
/// use nats_geo::jetstream::virtual_stream::Position;
///
/// let stored = serde_json::to_string(&Position::first()).unwrap();
/// assert_eq!(serde_json::from_str::<Position>(&stored).unwrap(), Position::first());
/// ```
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Position {
    /// Nothing that a read stream stored earlier is read.
    since: Option<DateTime>,
    /// When the last message was stored in the read stream that gave it.
    last: Option<DateTime>,
    sequences: BTreeMap<String, u64>,
    /// When the message with the last sequence of each region was stored in the read stream that gave it.
    #[serde(default)]
    stored: BTreeMap<String, DateTime>,
    /// Of a region whose write stream began again: what was stored no later than this had another numbering.
    #[serde(default)]
    restarted: BTreeMap<String, DateTime>,
}

impl Position {
    /// Returns the position before the first message.
    pub fn first() -> Self {
        Self::default()
    }

    /// Returns the position before all messages that the read stream of the reader's region has stored since this time.
    /// These messages differ between regions: a message may reach one region before this time, and another region after
    /// it.
    pub fn since(time: DateTime) -> Self {
        Self { since: Some(time), ..Self::default() }
    }

    /// Returns the sequence of the last message of `region` that was read; `None` if no message was read.
    pub fn sequence(&self, region: &str) -> Option<u64> {
        self.sequences.get(region).copied()
    }

    /// From where on any read stream has everything that is not read yet.
    ///
    /// All that was read had been stored when the last message was. What the read stream of then had not got yet, it was
    /// to get within the longest outage; so it was published, and stored anywhere else, no earlier than that before.
    pub(super) fn start(&self, outage_max: Duration) -> DeliverPolicy {
        let last = self.last.and_then(|last| earlier(last, outage_max.saturating_add(CLOCK_SKEW)));
        match last.max(self.since) {
            Some(start_time) => DeliverPolicy::ByStartTime { start_time },
            None => DeliverPolicy::All,
        }
    }

    /// The last message of `region` that was read. A position that an earlier version stored knows only when the last message of
    /// all regions was stored.
    pub(super) fn mark(&self, region: &str) -> Option<Mark> {
        let stored = self.stored.get(region).copied().or(self.last)?;
        Some(Mark { sequence: self.sequence(region)?, stored })
    }

    /// Expects the sequences of `region` from 1 on: its write stream began again behind the last message that was read.
    pub(super) fn restart(&mut self, region: &str) {
        self.sequences.remove(region);
        if let Some((region, stored)) = self.stored.remove_entry(region) {
            self.restarted.insert(region, stored);
        }
    }

    /// Takes a message, unless it was taken before.
    pub(super) fn take(&mut self, origin: Option<Origin>, stored: DateTime) -> bool {
        if let Some(Origin { region, sequence }) = origin {
            let is_of_before = self.restarted.get(&region).is_some_and(|until| stored <= *until);
            if is_of_before || self.sequence(&region).is_some_and(|last| sequence <= last) {
                return false;
            }
            self.stored.insert(region.clone(), stored);
            self.sequences.insert(region, sequence);
        }
        self.last = self.last.max(Some(stored));
        true
    }
}

/// `None` of what was before 1970, when there were no messages: long before that there are no dates either.
fn earlier(time: DateTime, by: Duration) -> Option<DateTime> {
    let since_1970 = datetime::from_nanos(0).and_then(|epoch| datetime::add_std_duration(epoch, by));
    (since_1970.is_ok_and(|earliest| earliest <= time)).then(|| time - by)
}

impl Origin {
    /// Reads `stream sequence filter destination subject`.
    pub(super) fn parse(header: &str, config: &Config) -> Option<Self> {
        let mut words = header.split(' ');
        let region = words.next()?.strip_prefix(&config.name)?.strip_prefix("-write-")?;
        Some(Self { region: region.to_owned(), sequence: words.next()?.parse().ok()? })
    }
}

/// By how much the clocks of servers may differ. They are kept by NTP, mostly within milliseconds; a minute is what
/// certificates and tokens allow for.
pub(super) const CLOCK_SKEW: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use async_nats::datetime::from_nanos;

    use super::*;

    fn at(seconds: i128) -> DateTime {
        from_nanos(seconds * 1_000_000_000).unwrap()
    }

    fn origin(region: &str, sequence: u64) -> Option<Origin> {
        Some(Origin { region: region.into(), sequence })
    }

    #[test]
    fn a_message_is_taken_once_whichever_stream_gives_it() {
        let mut position = Position::first();
        assert!(position.take(origin("lon", 1), at(10)) && position.take(origin("ams", 7), at(11)));
        assert!(!position.take(origin("lon", 1), at(12)) && !position.take(origin("ams", 3), at(13)));
        assert!(position.take(origin("lon", 2), at(9)));
        assert_eq!((position.sequence("lon"), position.sequence("dal")), (Some(2), None));
    }

    #[test]
    fn a_region_that_began_again_is_read_from_its_new_beginning_on() {
        let mut position = Position::first();
        assert!(position.take(origin("lon", 7), at(10)) && position.take(origin("ams", 7), at(11)));
        assert_eq!(position.mark("lon"), Some(Mark { sequence: 7, stored: at(10) }));
        position.restart("lon");
        assert_eq!((position.sequence("lon"), position.sequence("ams")), (None, Some(7)));
        assert!(position.take(origin("lon", 1), at(12)));
        assert!(!position.take(origin("lon", 5), at(9)), "another read stream has what was before");
        assert!(position.take(origin("lon", 2), at(13)) && !position.take(origin("lon", 2), at(14)));
    }

    #[test]
    fn a_position_that_an_earlier_version_stored_can_be_read() {
        let stored = r#"{"since":null,"last":[1970,1,0,16,20,0,0,0,0],"sequences":{"lon":7}}"#;
        let position: Position = serde_json::from_str(stored).unwrap();
        assert_eq!(position.mark("lon"), Some(Mark { sequence: 7, stored: at(980) }));
    }

    #[test]
    fn reading_goes_on_an_outage_before_the_last_message_but_not_before_it_began() {
        let start = |position: &Position| position.start(Duration::from_secs(100));
        let by = |seconds| DeliverPolicy::ByStartTime { start_time: at(seconds) };
        let mut all = Position::first();
        assert_eq!(start(&all), DeliverPolicy::All);
        all.take(origin("lon", 1), at(1000));
        all.take(origin("lon", 2), at(990));
        assert_eq!(start(&all), by(1000 - 100 - 60));
        let mut late = Position::since(at(980));
        assert_eq!(start(&late), by(980));
        late.take(origin("lon", 1), at(1000));
        assert_eq!(start(&late), by(980));
    }

    #[test]
    fn after_an_outage_without_end_everything_is_read() {
        let mut position = Position::first();
        position.take(origin("lon", 1), at(1000));
        for outage in [Duration::from_secs(1_000), Duration::from_secs(1 << 40), Duration::MAX] {
            assert_eq!(position.start(outage), DeliverPolicy::All, "{outage:?}");
        }
    }

    #[test]
    fn a_position_that_was_stored_is_the_same_again() {
        let mut position = Position::since(at(980));
        position.take(origin("lon", 7), at(1000));
        let stored = serde_json::to_string(&position).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&stored).unwrap(), position);
    }

    #[test]
    fn an_origin_is_read_from_the_header_of_the_server() {
        let config = Config::new("orders", ["lon"]);
        let parse = |header| Origin::parse(header, &config);
        assert_eq!(parse("orders-write-lon 17 orders.lon.> orders.> orders.lon.new"), origin("lon", 17));
        assert_eq!(parse("orders-write-lon 17"), origin("lon", 17));
        for header in ["", "orders-write-lon", "orders-write-lon x", "others-write-lon 17"] {
            assert_eq!(parse(header), None, "{header}");
        }
    }
}
