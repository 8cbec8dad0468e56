//! Publishes that a stream acknowledges.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::subject::ToSubject;
use async_nats::{HeaderMap, Message, Subject};
use bytes::Bytes;

use super::ack::Answer;
use super::api::Repeat;
use super::question::Question;
use super::{Ack, Context, LastTry, PublishError};
use crate::native::RequestError;
use crate::native::observe::events::event;
use crate::native::publish::bad_header;

impl Context {
    /// Publishes a message and waits until a stream has stored it.
    ///
    /// The client gives the message a new `Nats-Msg-Id`. It resends the message with the same id after a lost link,
    /// after a move from a silent link, or when no reply arrives in time. If the stream has stored the message already,
    /// it recognises the id within its duplicate window, and stores the message only once. The client also resends the
    /// message while no stream answers on the subject, because the stream may have no leader at this moment.
    /// [`PublishOptions`](super::PublishOptions) limits the tries. If the stream refuses the message, and would refuse
    /// it again, the call returns an error at once.
    ///
    /// Messages keep their order if the application waits for each acknowledgement before the next publish. If several
    /// publishes wait at the same time, the stream may store a resent message after the others.
    ///
    /// # Errors
    /// No stream acknowledged the message. The documentation of each variant of [`PublishError`] says whether a stream
    /// may have stored it.
    pub async fn publish(&self, subject: impl ToSubject, payload: Bytes) -> Result<Ack, PublishError> {
        self.publish_with_headers(subject, HeaderMap::new(), payload).await
    }

    /// Publishes with headers, like [`publish`](Self::publish). With your own `Nats-Msg-Id`, your application can repeat
    /// a publish safely, even after a restart. `Nats-Expected-Last-Sequence` and similar headers make a publish
    /// conditional.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), nats_geo::jetstream::PublishError> {
    /// use async_nats::HeaderMap;
    /// use async_nats::header::NATS_MESSAGE_ID;
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert(NATS_MESSAGE_ID, "order-4711");
    /// client.jetstream().publish_with_headers("orders.new", headers, "one lamp".into()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as [`publish`](Self::publish).
    pub async fn publish_with_headers(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Ack, PublishError> {
        self.publish_by(&subject.to_subject(), headers, payload).await
    }

    /// As [`publish_with_headers`](Self::publish_with_headers), where every try may have a subject of its own.
    pub(crate) async fn publish_by(
        &self,
        way: &impl Way,
        mut headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Ack, PublishError> {
        check(&headers)?;
        let message_id = self.identify(&mut headers)?;
        let mut question = Question::new(self, way, Some(headers), payload, Repeat::Harmless);
        loop {
            let answer = question.ask().await;
            let (tries, subject) = (question.tries(), question.subject().clone());
            let (last, may_pass) = match settle(&subject, answer, tries) {
                Ok(Outcome::Stored(ack)) => return Ok(ack),
                Ok(Outcome::Again(last)) => (last, true),
                Err(error) if question.unconfirmed => (LastTry::behind_others(error)?, false),
                Err(error) => return Err(error),
            };
            question.unconfirmed |= last.is_unconfirmed();
            event!(NOT_ACKNOWLEDGED, %subject, tries, reason = %last, "no acknowledgement arrived");
            if !may_pass || !question.may_ask_again().await {
                let (waited, unconfirmed) = (question.waited(), question.unconfirmed);
                return Err(PublishError::GaveUp { tries, waited, last, unconfirmed, message_id });
            }
        }
    }

    /// The message's id: the caller's, or a fresh one.
    fn identify(&self, headers: &mut HeaderMap) -> Result<String, PublishError> {
        let given: Vec<_> = headers.get_all(NATS_MESSAGE_ID).map(|id| id.as_str().to_owned()).collect();
        match given.as_slice() {
            [] => {
                let fresh = self.ids.next();
                headers.insert(NATS_MESSAGE_ID, fresh.as_str());
                Ok(fresh)
            }
            [id] if !id.trim().is_empty() => Ok(id.clone()),
            _ => Err(PublishError::BadMessageId),
        }
    }
}

/// Where the next try of a publish goes.
pub(crate) trait Way: Sync {
    fn subject(&self) -> impl Future<Output = Subject> + Send;
}

impl<W: Way> Way for &W {
    async fn subject(&self) -> Subject {
        W::subject(self).await
    }
}

impl Way for Subject {
    async fn subject(&self) -> Self {
        self.clone()
    }
}

/// What becomes of a publish after one try.
enum Outcome {
    Stored(Ack),
    Again(LastTry),
}

fn settle(
    subject: &Subject,
    answer: Result<Message, RequestError>,
    tries: u32,
) -> Result<Outcome, PublishError> {
    match answer.map(|message| Answer::parse(&message.payload)) {
        Ok(Answer::Stored { stream, sequence, duplicate, domain }) => {
            Ok(Outcome::Stored(Ack { stream, sequence, duplicate, domain, tries }))
        }
        Ok(Answer::Refused(refused)) if refused.will_pass() => Ok(Outcome::Again(LastTry::Refused(refused))),
        Ok(Answer::Refused(refused)) => Err(refused.into()),
        Ok(Answer::Foreign) => Err(PublishError::NotAStream { subject: subject.to_string() }),
        Err(error) => LastTry::new(error).map(Outcome::Again),
    }
}

fn check(headers: &HeaderMap) -> Result<(), PublishError> {
    bad_header(headers).map_or(Ok(()), |name| Err(PublishError::BadHeader { name }))
}

/// Doubled after each try, up to a bound; half of it is random, so that publishers do not come back in step.
pub(crate) fn pause_after(tries: u32) -> Duration {
    let doubled = PAUSE.saturating_mul(1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX));
    let random = RandomState::new().hash_one(tries) as u32;
    doubled.min(PAUSE_MAX).mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

/// A round trip between neighbouring regions: how long interest in a subject takes to follow a change.
const PAUSE: Duration = Duration::from_millis(25);

/// An election takes seconds; waiting longer would notice its end late.
const PAUSE_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_are_never_none() {
        for tries in [1, 2, 5, 8, 12, 32, 33, u32::MAX] {
            let doubled =
                PAUSE.saturating_mul(1_u32.checked_shl(tries - 1).unwrap_or(u32::MAX)).min(PAUSE_MAX);
            let pause = pause_after(tries);
            assert!(pause >= doubled / 2 && pause <= doubled, "{tries}: {pause:?}");
        }
        assert!(pause_after(1) <= PAUSE && pause_after(12) >= PAUSE_MAX / 2);
    }

    #[test]
    fn a_header_value_with_a_line_break_is_refused() {
        let headers: HeaderMap =
            serde_json::from_str(r#"{"A":["fine"],"Note":["a\r\nNats-Msg-Id: b"]}"#).unwrap();
        assert_eq!(check(&headers), Err(PublishError::BadHeader { name: "Note".into() }));
        assert_eq!(check(&HeaderMap::new()), Ok(()));
    }
}
