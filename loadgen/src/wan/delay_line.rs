//! The queue that delays one direction of a connection.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};

/// One direction of a connection, as a queue of parcels that each may leave at a time of its own.
///
/// Pure: it reads no clock and moves no bytes. A parcel leaves at `read_at + one_way`, but never before its
/// predecessor, so that a delay that shrinks cannot reorder a byte stream. Because each parcel carries its time, any
/// number of them are under way at once and the delay does not cap the throughput, as a sleep in a copy loop does.
#[derive(Debug)]
pub(super) struct DelayLine {
    parcels: VecDeque<(Instant, Parcel)>,
    bytes: usize,
    /// No parcel may leave before this: the handshake's delay at first, then the predecessor's release.
    not_before: Instant,
}

/// What travels on a [`DelayLine`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Parcel {
    /// Bytes of the stream.
    Data(Bytes),
    /// The sender closed its direction (FIN).
    Finish,
    /// The sender is gone (RST).
    Reset,
}

impl DelayLine {
    /// A line on which nothing leaves before `not_before`.
    pub(super) fn new(not_before: Instant) -> Self {
        Self { parcels: VecDeque::new(), bytes: 0, not_before }
    }

    /// Takes a parcel that was read at `read_at`.
    pub(super) fn push(&mut self, parcel: Parcel, read_at: Instant, one_way: Duration) {
        let release = self.not_before.max(read_at + one_way);
        self.not_before = release;
        if let Parcel::Data(bytes) = &parcel {
            self.bytes += bytes.len();
        }
        self.parcels.push_back((release, parcel));
    }

    /// Returns whether more may be read. A line that says no makes the sender wait, as a full window does.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < CAPACITY_BYTES
    }

    /// When the oldest parcel may leave; `None` if there is none.
    pub(super) fn next_release(&self) -> Option<Instant> {
        self.parcels.front().map(|(release, _)| *release)
    }

    /// The oldest parcel, if it may leave by `now`.
    pub(super) fn due(&self, now: Instant) -> Option<&Parcel> {
        self.parcels.front().filter(|(release, _)| *release <= now).map(|(_, parcel)| parcel)
    }

    /// Fills `slices` with the bytes that may leave by `now`, in order, and returns how many slices are filled.
    pub(super) fn due_slices<'a>(&'a self, now: Instant, slices: &mut [IoSlice<'a>]) -> usize {
        let due = self.parcels.iter().take_while(|(release, _)| *release <= now);
        let data = due.map_while(|(_, parcel)| match parcel {
            Parcel::Data(bytes) => Some(bytes),
            Parcel::Finish | Parcel::Reset => None,
        });
        let mut filled = 0;
        for (slice, bytes) in slices.iter_mut().zip(data) {
            *slice = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    /// Removes the oldest `count` bytes: they have been written.
    pub(super) fn advance(&mut self, mut count: usize) {
        self.bytes = self.bytes.saturating_sub(count);
        while let Some((_, Parcel::Data(bytes))) = self.parcels.front_mut() {
            if count < bytes.len() {
                bytes.advance(count);
                return;
            }
            count -= bytes.len();
            self.parcels.pop_front();
        }
    }
}

/// What one direction holds at most. At 280 ms RTT, the largest of the built-in table, it still lets 110 MB/s pass,
/// more than one core of proxies moves.
const CAPACITY_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_WAY: Duration = Duration::from_millis(50);

    fn data(text: &'static str) -> Parcel {
        Parcel::Data(Bytes::from_static(text.as_bytes()))
    }

    fn due_text(line: &DelayLine, now: Instant) -> String {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = line.due_slices(now, &mut slices);
        slices[..filled].iter().map(|slice| String::from_utf8_lossy(slice)).collect()
    }

    #[test]
    fn parcels_overlap_on_the_line() {
        let start = crate::clock::now();
        let mut line = DelayLine::new(start);
        line.push(data("a"), start, ONE_WAY);
        line.push(data("b"), start + Duration::from_millis(1), ONE_WAY);

        assert_eq!(line.next_release(), Some(start + ONE_WAY));
        assert_eq!(due_text(&line, start + Duration::from_millis(49)), "");
        assert_eq!(due_text(&line, start + Duration::from_millis(50)), "a");
        assert_eq!(due_text(&line, start + Duration::from_millis(51)), "ab");
    }

    #[test]
    fn a_shrinking_delay_never_reorders() {
        let start = crate::clock::now();
        let mut line = DelayLine::new(start);
        line.push(data("slow"), start, ONE_WAY);
        line.push(data("fast"), start, Duration::ZERO);

        assert_eq!(line.due(start), None);
        assert_eq!(due_text(&line, start + ONE_WAY), "slowfast");
    }

    #[test]
    fn nothing_leaves_before_the_handshake_is_over() {
        let start = crate::clock::now();
        let mut line = DelayLine::new(start + 4 * ONE_WAY);
        line.push(data("INFO"), start, ONE_WAY);
        assert_eq!(line.next_release(), Some(start + 4 * ONE_WAY));
    }

    #[test]
    fn a_partial_write_keeps_the_rest() {
        let start = crate::clock::now();
        let mut line = DelayLine::new(start);
        line.push(data("abc"), start, Duration::ZERO);
        line.push(data("def"), start, Duration::ZERO);
        line.advance(4);
        assert_eq!(due_text(&line, start), "ef");
    }

    #[test]
    fn the_end_stays_behind_the_bytes() {
        let start = crate::clock::now();
        let mut line = DelayLine::new(start);
        line.push(data("abc"), start, Duration::ZERO);
        line.push(Parcel::Finish, start, Duration::ZERO);
        assert_eq!(due_text(&line, start), "abc");
        line.advance(3);
        assert_eq!(line.due(start), Some(&Parcel::Finish));
    }

    #[test]
    fn a_full_line_asks_the_sender_to_wait() {
        let start = crate::clock::now();
        let mut line = DelayLine::new(start);
        line.push(Parcel::Data(Bytes::from(vec![0; CAPACITY_BYTES])), start, ONE_WAY);
        assert!(!line.has_room());
        line.advance(1);
        assert!(line.has_room());
    }
}
