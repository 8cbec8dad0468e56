//! This module remembers how far a stream was read, and detects a reset of the stream.
//!
//! A stream in memory is empty after its server has restarted. A stream can also be deleted and created again. Its
//! sequences then start at 1, and a reader that waits for the next sequence would wait for ever.

use async_nats::jetstream::stream::Info;
use serde_json::json;

use super::{Delivery, GONE_FOR};
use crate::core::NoticeKind;
use crate::native::jetstream::{Context, DateTime};
use crate::native::lines::shown;

/// The last message of a stream that was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Mark {
    pub(crate) sequence: u64,
    /// Time at which the stream stored it.
    pub(crate) stored: DateTime,
}

impl Mark {
    pub(crate) const fn of(delivery: &Delivery) -> Self {
        Self { sequence: delivery.stream_sequence, stored: delivery.published }
    }

    /// Returns whether this delivery proves that the stream began again: a later message has a lower sequence.
    pub(crate) fn is_passed_by(self, delivery: &Delivery) -> bool {
        delivery.stream_sequence <= self.sequence && delivery.published > self.stored
    }

    /// Asks whether the stream has begun again since, and sends a notice if so. No answer is none.
    ///
    /// A leader that has just taken over may know less than it will in a moment, so this asks twice.
    pub(crate) async fn is_lost(self, context: &Context, stream: &str) -> bool {
        let is_lost = self.check(context, stream).await == Some(true);
        if is_lost {
            self.notify(context, stream);
        }
        is_lost
    }

    /// As [`is_lost`](Self::is_lost), without a notice; `None` if nobody answers, or may answer.
    pub(crate) async fn check(self, context: &Context, stream: &str) -> Option<bool> {
        if !self.seems_lost(context, stream).await? {
            return Some(false);
        }
        tokio::time::sleep(GONE_FOR).await;
        self.seems_lost(context, stream).await
    }

    /// Sends the notice that the stream began again.
    pub(crate) fn notify(self, context: &Context, stream: &str) {
        let (stream, last_sequence) = (shown(stream), self.sequence);
        context.client().hub().notify(NoticeKind::StreamReset { stream, last_sequence });
    }

    async fn seems_lost(self, context: &Context, stream: &str) -> Option<bool> {
        let subject = context.subject(format_args!("STREAM.INFO.{stream}"));
        let info = context.call_once::<Info>(subject, &json!({})).await;
        Some(self.is_not_of(&info.ok()?))
    }

    /// A mirror has the times and sequences of its origin, but may be behind it, and was made after the messages that it
    /// has.
    fn is_not_of(self, info: &Info) -> bool {
        let state = &info.state;
        let was_made_later = info.created > self.stored;
        let has_less = state.last_sequence < self.sequence;
        let has_others = state.messages > 0
            && state.first_sequence <= self.sequence
            && state.first_timestamp > self.stored;
        has_others || (info.config.mirror.is_none() && (was_made_later || has_less))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state of a stream that was made at second 10, with its first and its last message, and when the first was stored.
    fn info(first: u64, last: u64, first_stored: u32, mirror: bool) -> Info {
        let config =
            if mirror { json!({ "name": "S", "mirror": { "name": "O" } }) } else { json!({ "name": "S" }) };
        let mut config = config;
        for (field, value) in [
            ("retention", json!("limits")),
            ("max_consumers", json!(-1)),
            ("max_msgs", json!(-1)),
            ("max_bytes", json!(-1)),
            ("discard", json!("old")),
            ("max_age", json!(0)),
            ("storage", json!("memory")),
            ("num_replicas", json!(1)),
        ] {
            config[field] = value;
        }
        let at = |second: u32| format!("2026-01-01T00:00:{second:02}Z");
        let state = json!({
            "messages": (last + 1).saturating_sub(first), "bytes": 0, "first_seq": first, "first_ts": at(first_stored),
            "last_seq": last, "last_ts": at(first_stored), "consumer_count": 0
        });
        serde_json::from_value(json!({ "config": config, "created": at(10), "state": state })).unwrap()
    }

    fn mark(sequence: u64, second: u32) -> Mark {
        let mut mark = Mark { sequence, stored: info(1, 1, second, false).state.first_timestamp };
        mark.sequence = sequence;
        mark
    }

    #[test]
    fn a_stream_that_began_again_is_told_from_one_that_goes_on() {
        let same = [(mark(5, 20), info(1, 5, 11, false)), (mark(5, 20), info(9, 12, 30, false))];
        for (mark, info) in same {
            assert!(!mark.is_not_of(&info), "{mark:?} {info:?}");
        }
        let other = [
            (mark(5, 20), info(1, 4, 11, false)),
            (mark(5, 9), info(6, 9, 11, false)),
            (mark(5, 20), info(1, 9, 21, false)),
            (mark(5, 20), info(0, 0, 0, false)),
        ];
        for (mark, info) in other {
            assert!(mark.is_not_of(&info), "{mark:?} {info:?}");
        }
        assert!(!mark(5, 9).is_not_of(&info(1, 4, 8, true)), "a mirror may be behind");
        assert!(mark(5, 20).is_not_of(&info(1, 9, 21, true)), "the mirror of an origin that began again");
    }

    #[test]
    fn a_later_message_with_a_lower_sequence_is_of_another_stream() {
        let delivery = |stream_sequence, second| Delivery {
            delivered: 1,
            stream_sequence,
            consumer_sequence: 1,
            pending: 0,
            published: mark(0, second).stored,
        };
        let mark = mark(5, 20);
        assert!(mark.is_passed_by(&delivery(5, 21)) && mark.is_passed_by(&delivery(1, 30)));
        assert!(!mark.is_passed_by(&delivery(6, 21)), "the next one");
        assert!(!mark.is_passed_by(&delivery(5, 20)) && !mark.is_passed_by(&delivery(1, 11)), "copies");
    }
}
