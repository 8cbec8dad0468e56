//! Messages of consumers, and their acknowledgements.

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

/// A message that a consumer has delivered. It dereferences to [`async_nats::Message`]. The client sends acknowledgements
/// over the current live link, even if the message arrived over another link.
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
    /// Number of deliveries of this message, including this one.
    pub delivered: u64,
    /// Sequence of the message in the stream.
    pub stream_sequence: u64,
    /// Number of this delivery among all deliveries of the consumer.
    pub consumer_sequence: u64,
    /// Number of messages of the stream that this consumer has not delivered yet.
    pub pending: u64,
    /// Time at which the stream stored the message.
    pub published: DateTime,
}

impl Message {
    pub(crate) fn new(inner: async_nats::Message, delivery: Delivery, context: Context) -> Self {
        Self { inner, delivery, context }
    }

    /// Returns the position of the message in the stream, and the number of this delivery.
    pub const fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Returns the message without its delivery data.
    pub fn into_inner(self) -> async_nats::Message {
        self.inner
    }

    /// Acknowledges the message. The server does not confirm the acknowledgement: if the link is lost at this moment,
    /// JetStream may redeliver the message. [`double_ack`](Self::double_ack) waits for the confirmation.
    ///
    /// # Errors
    /// The client could not send the acknowledgement.
    pub async fn ack(&self) -> Result<(), AckError> {
        self.tell(Bytes::from_static(b"+ACK")).await
    }

    /// Requests that JetStream redelivers the message, after `delay` or at once.
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

    /// Reports that work on the message continues, so that `ack_wait` begins again.
    ///
    /// # Errors
    /// The client could not send the acknowledgement.
    pub async fn progress(&self) -> Result<(), AckError> {
        self.tell(Bytes::from_static(b"+WPI")).await
    }

    /// Ends the delivery of the message: JetStream does not redeliver the message, although the application has not
    /// processed it.
    ///
    /// # Errors
    /// The client could not send the acknowledgement.
    pub async fn term(&self) -> Result<(), AckError> {
        self.tell(Bytes::from_static(b"+TERM")).await
    }

    /// Acknowledges the message, and waits until the server has confirmed the acknowledgement. Without an answer, the
    /// client resends the acknowledgement, within the limits of [`PublishOptions`](super::PublishOptions). The server
    /// ignores a second acknowledgement.
    ///
    /// ```no_run
    /// # async fn example(message: nats_geo::jetstream::Message) -> Result<(), nats_geo::jetstream::AckError> {
    /// message.double_ack().await?; // JetStream does not redeliver this message
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The client could not send the acknowledgement, or no server answered.
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
    /// The message has no reply subject, because its consumer needs no acknowledgements.
    #[error("the message has no reply subject: it does not come from a consumer with acknowledgements")]
    NoReply,
    /// The client could not send the acknowledgement.
    #[error("the acknowledgement was not sent: {0}")]
    NotSent(#[from] publish::PublishError),
    /// The client did not send the acknowledgement, because no answer could arrive.
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
