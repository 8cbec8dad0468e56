//! Data that a link has to send, in parts. Each part becomes one WebSocket message.

use std::collections::VecDeque;
use std::time::Duration;

use nats_geo::core::Time;
use nats_geo::wire::{ClientOp, EncodeError};

use super::refusals::line_length;

/// What may become of an operation whose link dies before it was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A publish: the next link may send it.
    Publish,
    /// Anything else belongs to its link: a request's answer would go to an inbox that is gone.
    OfLink,
}

/// Operations in a row, of one kind.
#[derive(Debug)]
pub(super) struct Segment {
    bytes: Vec<u8>,
    kind: Kind,
    /// How many messages it holds, for [`Kind::Publish`].
    pub(super) messages: u64,
    /// The largest of them, headers included, in bytes.
    pub(super) largest: usize,
    /// The longest line of a message, in bytes.
    pub(super) longest_line: usize,
    /// When its first operation came; of what a dead link left over, when that was.
    since: Time,
    /// A dead link left it over.
    pub(super) is_retransmit: bool,
}

impl Segment {
    /// Drops the publishes that a server does not accept; returns how many those are.
    pub(super) fn drop_unacceptable(&mut self, limit: usize, takes_headers: bool, line_max: usize) -> u64 {
        let bytes = std::mem::take(&mut self.bytes);
        let (mut rest, mut dropped) = (&bytes[..], 0);
        // The last word of each line is the size of what follows.
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let digits = rest[..end].trim_ascii_end().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
            let size = digits.iter().fold(0, |size, digit| size * 10 + usize::from(digit & 15));
            let (op, behind) = rest.split_at((end + size + LINE_ENDS).min(rest.len()));
            match size > limit || end > line_max || !takes_headers && op.starts_with(b"H") {
                true => dropped += 1,
                false => self.bytes.extend_from_slice(op),
            }
            rest = behind;
        }
        self.messages -= dropped;
        dropped
    }
}

/// Segments in the order in which they are to be sent.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    segments: VecDeque<Segment>,
    queued_bytes: usize,
    /// Memory of a segment that was sent, for the next one: publishing then allocates nothing.
    spare: Vec<u8>,
}

/// One message of the WebSocket: fewer and larger ones cost less, up to about this.
pub(super) const SEGMENT_BYTES: usize = 64 << 10;

impl Outgoing {
    /// Appends an operation that belongs to this link.
    pub(super) fn push(&mut self, op: &ClientOp<'_>, now: Time) -> Result<(), EncodeError> {
        self.append(op, Kind::OfLink, 0, now)
    }

    /// Appends a message that may be sent on another link if it is not sent on this one.
    pub(super) fn publish(&mut self, op: &ClientOp<'_>, size: usize, now: Time) -> Result<(), EncodeError> {
        self.append(op, Kind::Publish, size, now)
    }

    pub(super) const fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// When the oldest operation came.
    pub(super) fn since(&self) -> Option<Time> {
        self.segments.front().map(|segment| segment.since)
    }

    /// Messages that may be sent on another link.
    pub(super) fn messages(&self) -> u64 {
        self.segments.iter().map(|segment| segment.messages).sum()
    }

    /// Hands the oldest segment to `send`.
    pub(super) fn send_next(&mut self, send: impl FnOnce(&[u8])) -> Option<usize> {
        let mut segment = self.take_next()?;
        send(&segment.bytes);
        let sent = segment.bytes.len();
        if segment.bytes.capacity() <= 2 * SEGMENT_BYTES {
            segment.bytes.clear();
            self.spare = segment.bytes;
        }
        Some(sent)
    }

    pub(super) fn take_next(&mut self) -> Option<Segment> {
        let segment = self.segments.pop_front()?;
        self.queued_bytes -= segment.bytes.len();
        Some(segment)
    }

    /// Moves what may be sent on another link to the end of `other`, where it is as of now.
    pub(super) fn give_publishes_to(&mut self, other: &mut Self, now: Time) {
        while let Some(segment) = self.take_next() {
            if segment.kind == Kind::Publish {
                other.put(Segment { since: now, is_retransmit: true, ..segment });
            }
        }
    }

    /// Appends a whole segment.
    pub(super) fn put(&mut self, segment: Segment) {
        self.queued_bytes += segment.bytes.len();
        self.segments.push_back(segment);
    }

    fn append(&mut self, op: &ClientOp<'_>, kind: Kind, size: usize, now: Time) -> Result<(), EncodeError> {
        let fits = |last: &Segment| {
            let has_room = last.bytes.len() < SEGMENT_BYTES - HEADROOM;
            last.kind == kind && !last.is_retransmit && has_room && now.since(last.since) < SEGMENT_AGE
        };
        let last = if self.segments.back().is_some_and(fits) { self.segments.pop_back() } else { None };
        let mut segment = last.unwrap_or_else(|| {
            let bytes = std::mem::take(&mut self.spare);
            Segment {
                bytes,
                kind,
                messages: 0,
                largest: 0,
                longest_line: 0,
                since: now,
                is_retransmit: false,
            }
        });
        let before = segment.bytes.len();
        let result = op.encode(&mut segment.bytes);
        if result.is_ok() {
            self.queued_bytes += segment.bytes.len() - before;
            segment.messages += u64::from(kind == Kind::Publish);
            segment.largest = segment.largest.max(size);
            if let ClientOp::Pub { subject, reply, .. } = op {
                segment.longest_line = segment.longest_line.max(line_length(subject, *reply));
            }
        }
        if segment.bytes.is_empty() {
            self.spare = segment.bytes;
        } else {
            self.segments.push_back(segment);
        }
        result
    }
}

/// A segment takes operations for this long: what is kept for too long is discarded by segments.
const SEGMENT_AGE: Duration = Duration::from_millis(100);

/// A segment that is nearly full takes no more, so that small messages do not make it grow beyond its size.
const HEADROOM: usize = 256;

/// LF of the line, and CR LF behind the payload.
const LINE_ENDS: usize = 3;
