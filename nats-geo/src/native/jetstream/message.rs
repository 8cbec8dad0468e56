//! Messages of consumers, and their acknowledgement.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use async_nats::Subject;
use async_nats::datetime::{self, DateTime};
use bytes::Bytes;

use super::api::Repeat;
use super::question::Question;
use super::{Context, LastTry, PublishError};
use crate::native::publish;

/// A message that a consumer has delivered: dereferences to [`async_nats::Message`]. Acknowledgements take the link
/// that is live when they are made, whichever link the message came in on.
#[derive(Clone, Debug)]
pub struct Message {
    inner: async_nats::Message,
    delivery: Delivery,
    context: Context,
}

/// Position of a message in its stream, and the number of this delivery.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// Number of its deliveries, with this one.
    pub delivered: u64,
    /// Its sequence in the stream.
    pub stream_sequence: u64,
    /// The number of this delivery among all of the consumer.
    pub consumer_sequence: u64,
    /// Number of messages of the stream that this consumer has not delivered yet.
    pub pending: u64,
    /// Time at which the stream stored it.
    pub published: DateTime,
}

impl Message {
    pub(crate) fn new(inner: async_nats::Message, delivery: Delivery, context: Context) -> Self {
        Self { inner, delivery, context }
    }

    /// Returns its position in the stream, and the number of this delivery.
    pub const fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Returns the message without its delivery.
    pub fn into_inner(self) -> async_nats::Message {
        self.inner
    }

    /// Acknowledges the message. The server does not confirm it: if the link is lost now, JetStream may redeliver the
    /// message. [`double_ack`](Self::double_ack) waits for the confirmation.
    ///
    /// # Errors
    /// The client could not send the acknowledgement.
    pub async fn ack(&self) -> Result<(), AckError> {
        self.tell(Bytes::from_static(b"+ACK")).await
    }

    /// Wants the message again, after `delay` or at once.
    ///
    /// # Errors
    /// The client could not send the acknowledgement.
    pub async fn nak(&self, delay: Option<Duration>) -> Result<(), AckError> {
        let answer = match delay {
            None => Bytes::from_static(b"-NAK"),
            Some(delay) => format!(r#"-NAK {{"delay":{}}}"#, delay.as_nanos()).into(),
        };
        self.tell(answer).await
    }

    /// Tells the stream that work on the message continues, so that `ack_wait` begins again.
    ///
    /// # Errors
    /// The client could not send the acknowledgement.
    pub async fn progress(&self) -> Result<(), AckError> {
        self.tell(Bytes::from_static(b"+WPI")).await
    }

    /// Ends the delivery of the message: JetStream does not redeliver it, though it was not processed.
    ///
    /// # Errors
    /// The client could not send the acknowledgement.
    pub async fn term(&self) -> Result<(), AckError> {
        self.tell(Bytes::from_static(b"+TERM")).await
    }

    /// Says that the message is done, and waits until the server has noted it. Without an answer the client resends the
    /// acknowledgement, within the bounds of [`PublishOptions`](super::PublishOptions). A second one does no harm.
    ///
    /// ```no_run
    /// # async fn example(message: nats_geo::jetstream::Message) -> Result<(), nats_geo::jetstream::AckError> {
    /// message.double_ack().await?; // this message will not come again
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The client could not send it, or no server answered.
    pub async fn double_ack(&self) -> Result<(), AckError> {
        let reply = self.reply()?;
        let mut question = Question::new(&self.context, reply, None, "+ACK".into(), Repeat::Harmless);
        loop {
            let last = match question.ask().await {
                Ok(_) => return Ok(()),
                Err(error) => LastTry::new(error),
            };
            let (last, may_pass) = match last {
                Ok(last) => (last, true),
                Err(error) if question.unconfirmed => {
                    (LastTry::behind_others(error).map_err(AckError::NotAsked)?, false)
                }
                Err(error) => return Err(AckError::NotAsked(error)),
            };
            question.unconfirmed |= last.is_unconfirmed();
            if !may_pass || !question.may_ask_again().await {
                let (tries, waited) = (question.tries(), question.waited());
                return Err(AckError::Unconfirmed { tries, waited, last });
            }
        }
    }

    async fn tell(&self, answer: Bytes) -> Result<(), AckError> {
        let reply = self.reply()?;
        Ok(self.context.client().publish(reply, answer).await?)
    }

    fn reply(&self) -> Result<Subject, AckError> {
        self.inner.reply.clone().ok_or(AckError::NoReply)
    }
}

impl Deref for Message {
    type Target = async_nats::Message;

    fn deref(&self) -> &async_nats::Message {
        &self.inner
    }
}

impl From<Message> for async_nats::Message {
    fn from(message: Message) -> Self {
        message.inner
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delivered, stream_sequence, consumer_sequence, pending, .. } = self;
        write!(f, "{stream_sequence} (delivery {consumer_sequence}, time {delivered}, {pending} to follow)")
    }
}

impl Delivery {
    /// Reads `$JS.ACK.[domain.account.]stream.consumer.delivered.sequence.consumer_sequence.time.pending[.more]`.
    pub(crate) fn parse(reply: &str) -> Option<Self> {
        let rest = reply.strip_prefix("$JS.ACK.")?;
        // The short form is that of servers before 2.2; the long one may grow at its end.
        let names = match rest.split('.').count() {
            7 => 2,
            9.. => 4,
            _ => return None,
        };
        let mut numbers = rest.split('.').skip(names);
        let mut number = || numbers.next()?.parse::<u64>().ok();
        Some(Self {
            delivered: number()?,
            stream_sequence: number()?,
            consumer_sequence: number()?,
            published: datetime::from_nanos(number()?.into()).ok()?,
            pending: number()?,
        })
    }
}

/// Reason why an acknowledgement failed, or why its result is unknown.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// The message has no reply subject: its consumer wants no acknowledgement.
    #[error("the message has no reply subject: it does not come from a consumer with acknowledgements")]
    NoReply,
    /// It was not sent.
    #[error("the acknowledgement was not sent: {0}")]
    NotSent(#[from] publish::PublishError),
    /// It was not sent, as no answer could arrive.
    #[error("the acknowledgement was not sent: {0}")]
    NotAsked(PublishError),
    /// The client sent the acknowledgement, but the server did not confirm it. JetStream may redeliver the message.
    #[error("the acknowledgement was not confirmed after {tries} tries in {waited:?}: {last}")]
    Unconfirmed {
        /// Number of tries.
        tries: u32,
        /// Time since the first try.
        waited: Duration,
        /// Reason why the last try failed.
        last: LastTry,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_read_from_both_forms_of_the_reply() {
        let published = datetime::from_nanos(1_790_230_470_084_404_000).unwrap();
        let expected =
            Delivery { delivered: 3, stream_sequence: 100, consumer_sequence: 7, pending: 42, published };
        for reply in [
            "$JS.ACK.events.durable.3.100.7.1790230470084404000.42",
            "$JS.ACK._.hash.events.durable.3.100.7.1790230470084404000.42",
            "$JS.ACK.hub.hash.events.durable.3.100.7.1790230470084404000.42.token.more",
        ] {
            assert_eq!(Delivery::parse(reply), Some(expected), "{reply}");
        }
    }

    #[test]
    fn what_is_no_delivery_is_none() {
        for reply in ["", "_INBOX.a.1", "$JS.ACK.events", "$JS.ACK.a.b.1.2.3.4.5.6", "$JS.ACK.a.b.1.2.x.4.5"]
        {
            assert_eq!(Delivery::parse(reply), None, "{reply}");
        }
    }
}
