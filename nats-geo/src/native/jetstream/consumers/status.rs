//! Status replies of a server to a request for messages.

use async_nats::{HeaderMap, Message, StatusCode};

/// A status, by what is to be done about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    /// The consumer lives, and has nothing now.
    Alive {
        /// The number of the last delivery that it has made.
        last_consumer_sequence: Option<u64>,
    },
    /// This request is over; so much of it was not delivered.
    Over(Rest),
    /// The next message has more bytes than this request had left.
    TooLarge(Rest),
    /// All requests are over: the consumer has another leader, or its server shuts down.
    Interrupted,
    /// No server answers for the consumer.
    Unserved,
    /// Too many requests wait at the consumer.
    Busy,
    /// The consumer does not accept this kind of request. Sending it again does not help.
    Refused(PullRefusal),
}

/// What is left of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Rest {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// Reason why the server delivers no further messages of a consumer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PullRefusal {
    /// The consumer was deleted.
    #[error("the consumer was deleted")]
    Deleted,
    /// The consumer is a push consumer: it delivers to a subject, and refuses pull requests.
    #[error("the consumer is push based: subscribe to its deliver subject, or create a pull consumer")]
    PushBased,
    /// The next message is larger than [`PullOptions::max_bytes`](super::PullOptions::max_bytes).
    #[error("the next message has more bytes than `max_bytes` allows ({bytes_max}): raise `max_bytes`")]
    TooLarge {
        /// The limit in bytes.
        bytes_max: usize,
    },
    /// The server refuses the pull request for another reason, which it names in this text.
    #[error("the server refused the pull request: {0}")]
    Other(String),
}

impl Status {
    /// `None` of a message that is one.
    pub(crate) fn of(message: &Message) -> Option<Self> {
        let status = message.status.filter(|status| *status != StatusCode::OK)?;
        Some(Self::read(status, message.description.as_deref().unwrap_or_default(), message.headers.as_ref()))
    }

    fn read(status: StatusCode, description: &str, headers: Option<&HeaderMap>) -> Self {
        let number = |name: &str| headers?.get(name)?.as_str().parse::<u64>().ok();
        let count = |name: &str| usize::try_from(number(name)?).ok();
        let rest = || {
            let bytes = count("Nats-Pending-Bytes").unwrap_or_default();
            count("Nats-Pending-Messages").map(|messages| Rest { messages, bytes })
        };
        // Servers have changed the case of these.
        let text = description.to_ascii_lowercase();
        match status.as_u16() {
            100 => Self::Alive { last_consumer_sequence: number("Nats-Last-Consumer") },
            409 if text == "consumer deleted" => Self::Refused(PullRefusal::Deleted),
            409 if text == "consumer is push based" => Self::Refused(PullRefusal::PushBased),
            409 if text.starts_with("exceeded maxrequest") => {
                Self::Refused(PullRefusal::Other(description.into()))
            }
            409 if text.starts_with("exceeded maxwaiting") => Self::Busy,
            409 if text == "message size exceeds maxbytes" => {
                rest().map_or(Self::Interrupted, Self::TooLarge)
            }
            404 | 408 | 409 | 423 => rest().map_or(Self::Interrupted, Self::Over),
            503 => Self::Unserved,
            code => Self::Refused(PullRefusal::Other(format!("{code} {description}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: u16, description: &str, headers: &[(&'static str, &str)]) -> Status {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        Status::read(StatusCode::from_u16(code).unwrap(), description, Some(&map))
    }

    #[test]
    fn a_request_that_is_over_says_what_is_left_of_it() {
        let pending = [("Nats-Pending-Messages", "7"), ("Nats-Pending-Bytes", "700")];
        let rest = Rest { messages: 7, bytes: 700 };
        assert_eq!(read(408, "Request Timeout", &pending), Status::Over(rest));
        assert_eq!(read(408, "Interest Expired", &pending), Status::Over(rest));
        assert_eq!(read(409, "Batch Completed", &pending), Status::Over(rest));
        assert_eq!(read(409, "Message Size Exceeds MaxBytes", &pending), Status::TooLarge(rest));
    }

    #[test]
    fn without_a_rest_all_requests_are_over() {
        assert_eq!(read(409, "Leadership Change", &[]), Status::Interrupted);
        assert_eq!(read(409, "Server Shutdown", &[]), Status::Interrupted);
        assert_eq!(read(404, "No Messages", &[]), Status::Interrupted);
    }

    #[test]
    fn heartbeats_say_what_was_delivered_last() {
        let last = [("Nats-Last-Consumer", "12"), ("Nats-Last-Stream", "40")];
        let alive = |last_consumer_sequence| Status::Alive { last_consumer_sequence };
        assert_eq!(read(100, "Idle Heartbeat", &last), alive(Some(12)));
        assert_eq!(read(100, "Idle Heartbeat", &[]), alive(None));
    }

    #[test]
    fn what_will_not_pass_is_told_from_what_will() {
        assert_eq!(read(409, "Consumer Deleted", &[]), Status::Refused(PullRefusal::Deleted));
        assert_eq!(read(409, "Consumer is push based", &[]), Status::Refused(PullRefusal::PushBased));
        let limit = "Exceeded MaxRequestBatch of 100";
        assert_eq!(read(409, limit, &[]), Status::Refused(PullRefusal::Other(limit.into())));
        let bad = Status::Refused(PullRefusal::Other("400 Bad Request".into()));
        assert_eq!(read(400, "Bad Request", &[]), bad);
        assert_eq!(read(409, "Exceeded MaxWaiting", &[]), Status::Busy);
        assert_eq!(read(503, "", &[]), Status::Unserved);
    }
}
