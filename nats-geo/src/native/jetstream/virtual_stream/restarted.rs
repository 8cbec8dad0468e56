//! This module detects that the write stream of a region was reset. A stream is reset if it is deleted and created
//! again, or if it is in memory and its servers restart.
//!
//! After a reset, the sequences of the write stream begin at 1. A reader that remembers only sequences would treat the
//! new messages as already read, and would skip them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::position::CLOCK_SKEW;
use super::{Origin, VirtualStream};
use crate::native::jetstream::DateTime;
use crate::native::jetstream::consumers::Mark;

/// The messages of each region's write stream that a reader has seen, in the order in which one read stream stored them.
#[derive(Debug, Default)]
pub(super) struct WriteStreams {
    /// Whose read stream is read.
    read_in: String,
    /// The message of each region that this read stream stored last, of those that were read.
    last_here: BTreeMap<String, Mark>,
    /// Messages of a region that were stored no later than this need no question: the write stream was asked about before.
    settled: BTreeMap<String, DateTime>,
}

/// Why a message with a low sequence may be of a write stream that began again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Suspicion {
    /// The same read stream stored a message with a higher sequence earlier.
    Descends,
    /// It was stored long after the message with the highest sequence. A region that was cut off stores copies late, too.
    Late,
}

impl WriteStreams {
    /// Takes a message that the read stream of region `read_in` stored at `stored`, and decides whether the write stream of
    /// its region began again behind `last`, the message with the highest sequence of that region that was read. Sends the
    /// notice if so. Asks the server only if there is reason to.
    pub(super) async fn has_restarted(
        &mut self,
        stream: &VirtualStream,
        read_in: &str,
        origin: &Origin,
        stored: DateTime,
        last: Option<Mark>,
    ) -> bool {
        let Some((suspicion, last)) = self.suspect(read_in, origin, stored, last) else { return false };
        let write_stream = stream.config.write_name(&origin.region);
        let answer = last.check(&stream.context, &write_stream).await;
        // Without an answer, the clear sign counts: a message twice is better than one that is lost.
        let has_restarted = answer.unwrap_or(suspicion == Suspicion::Descends);
        if has_restarted {
            last.notify(&stream.context, &write_stream);
        } else {
            self.settled.insert(origin.region.clone(), stored + SETTLED_FOR);
        }
        has_restarted
    }

    fn suspect(
        &mut self,
        read_in: &str,
        origin: &Origin,
        stored: DateTime,
        last: Option<Mark>,
    ) -> Option<(Suspicion, Mark)> {
        let descends = self.descends(read_in, origin, stored);
        let last = last.filter(|last| origin.sequence <= last.sequence)?;
        let is_settled = self.settled.get(&origin.region).is_some_and(|until| stored <= *until);
        let is_late = stored > last.stored + CLOCK_SKEW && !is_settled;
        let suspicion = if descends { Suspicion::Descends } else { Suspicion::Late };
        (descends || is_late).then_some((suspicion, last))
    }

    /// A message that a consumer delivers again was stored earlier than others that were read, so it never descends.
    fn descends(&mut self, read_in: &str, origin: &Origin, stored: DateTime) -> bool {
        if self.read_in != read_in {
            read_in.clone_into(&mut self.read_in);
            self.last_here.clear();
        }
        let here = Mark { sequence: origin.sequence, stored };
        match self.last_here.get_mut(&origin.region) {
            Some(last) if stored > last.stored => std::mem::replace(last, here).sequence >= here.sequence,
            Some(_) => false,
            None => {
                self.last_here.insert(origin.region.clone(), here);
                false
            }
        }
    }
}

/// After an answer that nothing began again, copies that are stored late cause one question in this time.
const SETTLED_FOR: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use async_nats::datetime::from_nanos;

    use super::*;

    fn at(second: i128) -> DateTime {
        from_nanos(second * 1_000_000_000).unwrap()
    }

    fn mark(sequence: u64, second: i128) -> Mark {
        Mark { sequence, stored: at(second) }
    }

    fn suspect(seen: &mut WriteStreams, read_in: &str, sequence: u64, second: i128) -> Option<Suspicion> {
        let origin = Origin { region: "lon".into(), sequence };
        let suspected = seen.suspect(read_in, &origin, at(second), Some(mark(100, 1_000)));
        suspected.map(|(suspicion, _)| suspicion)
    }

    #[test]
    fn a_lower_sequence_that_the_same_read_stream_stored_later_is_suspicious() {
        let mut seen = WriteStreams::default();
        assert_eq!(suspect(&mut seen, "lon", 99, 1_000), None);
        assert_eq!(suspect(&mut seen, "lon", 100, 1_001), None);
        assert_eq!(suspect(&mut seen, "lon", 99, 1_000), None, "delivered again");
        assert_eq!(suspect(&mut seen, "lon", 1, 1_002), Some(Suspicion::Descends));
        assert_eq!(suspect(&mut seen, "lon", 2, 1_003), None, "and the next is the next");
    }

    #[test]
    fn copies_in_another_read_stream_are_not_suspicious_unless_they_are_stored_late() {
        let mut seen = WriteStreams::default();
        assert_eq!(suspect(&mut seen, "lon", 100, 1_000), None);
        assert_eq!(suspect(&mut seen, "ams", 98, 1_001), None);
        assert_eq!(suspect(&mut seen, "ams", 99, 1_059), None);
        assert_eq!(suspect(&mut seen, "ams", 100, 1_061), Some(Suspicion::Late));
        seen.settled.insert("lon".into(), at(1_071));
        assert_eq!(suspect(&mut seen, "dal", 100, 1_071), None);
        assert_eq!(suspect(&mut seen, "dal", 101, 1_080), None, "a new one");
        assert_eq!(suspect(&mut seen, "dal", 99, 1_081), Some(Suspicion::Descends));
    }
}
