//! The errors of publishing to a stream.

use std::time::Duration;

use super::Refused;
use crate::native::{RequestError, publish};

/// Reason why a stream did not acknowledge a message.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The client did not send the message, because the message is not valid or the client is closed.
    #[error(transparent)]
    NotSent(publish::PublishError),
    /// No client could read the header. A header name must have only visible ASCII characters except `:`. A value must
    /// have no line break. The client did not send the message.
    #[error(
        "the header `{name}` is not valid: a name must have visible ASCII characters except `:`, and a value must not have line breaks; \
         encode it, for example in percent-encoding"
    )]
    BadHeader {
        /// The header.
        name: String,
    },
    /// The message has several ids, or an empty id, which a stream would ignore. The client did not send the message.
    #[error("`Nats-Msg-Id` must be one value that is not empty; leave the header out to get a new id")]
    BadMessageId,
    /// The server does not permit this user to subscribe to inboxes, so no acknowledgement could arrive. The client did
    /// not send the message.
    #[error(
        "this user may not subscribe to its inbox, so no acknowledgement could arrive; permit `_INBOX.>`"
    )]
    NoInbox,
    /// The server does not permit this user to publish to the subject. Nothing was stored.
    #[error("the server denied the publish to `{subject}`: {text}; permit this user to publish there")]
    Denied {
        /// The subject.
        subject: String,
        /// The server's error.
        text: String,
    },
    /// The stream refused the message. The client does not repeat it, because the stream would refuse it again.
    #[error("the stream refuses the message: {0}")]
    Refused(#[from] Refused),
    /// The reply is not an acknowledgement of a stream.
    #[error(
        "the reply on `{subject}` is not from a stream: a service listens there, and no stream has that subject; \
         create the stream, or check the subject"
    )]
    NotAStream {
        /// The subject.
        subject: String,
    },
    /// No acknowledgement arrived within the limits of [`PublishOptions`](super::PublishOptions).
    #[error(
        "no acknowledgement after {tries} tries in {waited:?}: {last}; the message {}",
        if *.unconfirmed { "may have been stored" } else { "was not stored" }
    )]
    GaveUp {
        /// The number of tries.
        tries: u32,
        /// The time since the first try.
        waited: Duration,
        /// Reason why the last try failed.
        last: LastTry,
        /// Whether the stream may have stored the message in one of the tries. If so, publish the message again with the
        /// same [`message_id`](Self::GaveUp::message_id) within the stream's duplicate window: the stream then stores it
        /// only once.
        unconfirmed: bool,
        /// The message's `Nats-Msg-Id`.
        message_id: String,
    },
}

/// Reason why the last try failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LastTry {
    /// No stream answers: no stream has the subject, or the stream has no leader now.
    #[error("no stream answers on `{subject}`: no stream has that subject, or the stream has no leader now")]
    NoStream {
        /// The subject.
        subject: String,
    },
    /// No server answers on this subject of the JetStream API.
    #[error(
        "no server answers on `{subject}`: the stream has no leader now or does not exist, or JetStream is off"
    )]
    NoJetStream {
        /// The subject.
        subject: String,
    },
    /// No server answers on the JetStream API of a domain.
    #[error(
        "no server answers in JetStream domain `{domain}`: it does not exist, no leaf node reaches it, or the stream has no \
         leader now; check the name, and the leaf-node connections with `nats server report leafnodes`"
    )]
    NoDomain {
        /// The domain.
        domain: String,
    },
    /// The client did not send the message: no link was live in time, or the client was closed.
    #[error(transparent)]
    Unavailable(publish::PublishError),
    /// The current server does not permit this user to subscribe to the client's inbox, so no answer could arrive. The
    /// client did not send the message.
    #[error("this user may not subscribe to its inbox, so no answer could arrive; permit `_INBOX.>`")]
    NoInbox,
    /// The server of the active link does not permit this user to publish to the subject.
    #[error("the server denied the publish to `{subject}`; permit this user to publish there")]
    Denied {
        /// The subject.
        subject: String,
    },
    /// No answer arrived within the time of one try.
    #[error("no answer within {waited:?}")]
    TimedOut {
        /// The time limit.
        waited: Duration,
    },
    /// The link of the try was lost.
    #[error("the connection was lost")]
    LinkLost,
    /// The stream could not answer yet, or it refused a message that an earlier try may have stored.
    #[error(transparent)]
    Refused(Refused),
}

impl LastTry {
    /// Why a request failed, if another one may succeed.
    pub(crate) fn new(error: RequestError) -> Result<Self, PublishError> {
        match error {
            RequestError::NoResponders { subject } => Ok(Self::NoStream { subject }),
            RequestError::TimedOut { waited } => Ok(Self::TimedOut { waited }),
            RequestError::LinkLost => Ok(Self::LinkLost),
            RequestError::NotSent(error @ publish::PublishError::Unavailable { .. }) => {
                Ok(Self::Unavailable(error))
            }
            RequestError::NotSent(error) => Err(PublishError::NotSent(error)),
            RequestError::Denied { subject, text } => Err(PublishError::Denied { subject, text }),
            RequestError::NoInbox => Err(PublishError::NoInbox),
        }
    }

    /// Of a try behind others that may have been stored: what is said of the last one is not true of all.
    pub(crate) fn behind_others(error: PublishError) -> Result<Self, PublishError> {
        match error {
            PublishError::Refused(refused) => Ok(Self::Refused(refused)),
            PublishError::NotSent(error) => Ok(Self::Unavailable(error)),
            PublishError::Denied { subject, .. } => Ok(Self::Denied { subject }),
            PublishError::NoInbox => Ok(Self::NoInbox),
            error => Err(error),
        }
    }

    /// Returns whether the stream may have stored what was sent.
    pub(crate) const fn is_unconfirmed(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::LinkLost => true,
            Self::Refused(refused) => refused.is_in_process(),
            Self::NoStream { .. }
            | Self::NoJetStream { .. }
            | Self::NoDomain { .. }
            | Self::Unavailable(_)
            | Self::Denied { .. }
            | Self::NoInbox => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn giving_up_says_whether_the_message_may_be_in_the_stream() {
        let error = |last: LastTry| {
            let unconfirmed = last.is_unconfirmed();
            let (tries, waited, message_id) = (3, Duration::from_secs(2), "order-7".to_owned());
            PublishError::GaveUp { tries, waited, last, unconfirmed, message_id }.to_string()
        };
        assert_eq!(
            error(LastTry::LinkLost),
            "no acknowledgement after 3 tries in 2s: the connection was lost; the message may have been stored"
        );
        let refused =
            |error_code| LastTry::Refused(Refused { code: 409, error_code, description: "busy".into() });
        assert!(refused(10_158).is_unconfirmed(), "one with this id is being stored");
        assert!(!refused(10_167).is_unconfirmed(), "it was dropped");
        let none = LastTry::NoStream { subject: "orders".into() };
        assert!(error(none).ends_with("has no leader now; the message was not stored"));
    }
}
