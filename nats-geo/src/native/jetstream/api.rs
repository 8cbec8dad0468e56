//! Requests to the JetStream API. The client repeats idempotent requests after a failed try or a move.

use std::time::Duration;

use async_nats::{Message, Request, StatusCode, Subject};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::question::Question;
use super::{Context, LastTry, PublishError, Refused};
use crate::native::clock::{now, since};
use crate::native::{RequestError, publish};

/// Whether a request may be executed twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Repeat {
    /// Twice is as good as once.
    Harmless,
    /// The client does not send the request again if it may have been executed.
    Harmful,
}

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Patience {
    /// Within the bounds of [`PublishOptions`](super::PublishOptions).
    Full,
    /// One short try: whoever asks will ask again.
    Once,
}

impl Context {
    /// Asks the API, and reads what it answers.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        subject: String,
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<T, ApiError> {
        let payload = self.call_raw(subject.clone(), body, repeat).await?;
        parse(&subject, &payload)
    }

    /// As [`call`](Self::call); the answer is no refusal, and otherwise as it came.
    pub(crate) async fn call_raw(
        &self,
        subject: String,
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<Bytes, ApiError> {
        let body = encode(&subject, body)?;
        let answer = self.repeated(&subject, repeat, body, refusal).await?;
        Ok(answer.payload)
    }

    /// A message of the stream from any server that has it, the nearest first; `None` if there is none.
    pub(crate) async fn direct(
        &self,
        subject: String,
        body: Option<&impl Serialize>,
    ) -> Result<Option<Message>, ApiError> {
        let body = body.map(|body| encode(&subject, body)).transpose()?.unwrap_or_default();
        let check = |message: &Message| match message.status {
            Some(StatusCode::OK | StatusCode::NOT_FOUND) | None => Ok(()),
            Some(status) => Err(Refused {
                code: status.as_u16(),
                error_code: 0,
                description: message.description.clone().unwrap_or_default(),
            }),
        };
        let answer = self.repeated(&subject, Repeat::Harmless, body, check).await?;
        Ok((answer.status != Some(StatusCode::NOT_FOUND)).then_some(answer))
    }

    /// One try, without patience: whoever asks again does so in its own time.
    pub(crate) async fn call_once<T: DeserializeOwned>(
        &self,
        subject: String,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        let body = encode(&subject, body)?;
        let request = Request::new().payload(body).timeout(Some(ONCE_TIMEOUT.min(self.options.try_timeout)));
        let started = now();
        let answer = self.client().send_request(subject.clone(), request).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                return Err(ApiError::gave_up(&subject, 1, since(started), self.last_try(error)?, false));
            }
        };
        refusal(&answer).map_err(|refused| ApiError::Refused { refused, unconfirmed: false })?;
        parse(&subject, &answer.payload)
    }

    async fn repeated(
        &self,
        subject: &str,
        repeat: Repeat,
        payload: Bytes,
        check: impl Fn(&Message) -> Result<(), Refused>,
    ) -> Result<Message, ApiError> {
        let mut question = Question::new(self, Subject::from(subject), None, payload, repeat);
        loop {
            let answer = question.ask().await;
            let (tries, unconfirmed) = (question.tries(), question.unconfirmed);
            let last = match answer {
                Ok(answer) => match check(&answer) {
                    Ok(()) => return Ok(answer),
                    Err(refused) if refused.code_is_unavailable() => LastTry::Refused(refused),
                    Err(refused) => return Err(ApiError::Refused { refused, unconfirmed }),
                },
                Err(error) => self.last_try(error)?,
            };
            question.unconfirmed |= last.is_unconfirmed();
            tracing::debug!(target: "nats_geo", %subject, tries, reason = %last, "JetStream did not answer");
            let is_over = question.unconfirmed && repeat == Repeat::Harmful;
            if is_over || !question.may_ask_again().await {
                return Err(ApiError::gave_up(subject, tries, question.waited(), last, question.unconfirmed));
            }
        }
    }

    fn last_try(&self, error: RequestError) -> Result<LastTry, ApiError> {
        match LastTry::new(error) {
            Ok(LastTry::NoStream { subject }) => Ok(match self.domain() {
                Some(domain) => LastTry::NoDomain { domain: domain.to_owned() },
                None => LastTry::NoJetStream { subject },
            }),
            Ok(last) => Ok(last),
            Err(PublishError::NoInbox) => Err(ApiError::NoInbox),
            Err(PublishError::Denied { subject, text }) => Err(ApiError::Denied { subject, text }),
            Err(PublishError::NotSent(error)) => Err(ApiError::NotSent(error)),
            Err(error) => Err(ApiError::BadAnswer { subject: String::new(), why: error.to_string() }),
        }
    }
}

/// Reason why a JetStream request failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The name of a stream, a consumer or a bucket is invalid. Nothing was sent.
    #[error(
        "`{name}` is not a name of a {what}: it is empty, or contains white space or one of `.`, `*`, `>`, `/` and `\\`"
    )]
    BadName {
        /// The kind of object: stream, consumer or bucket.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The name is not one token of a subject, so it cannot be a JetStream domain. Nothing was sent.
    #[error(
        "`{domain}` is not a JetStream domain: it is empty, or contains white space or one of `.`, `*` and `>`"
    )]
    BadDomain {
        /// The name.
        domain: String,
    },
    /// The API prefix is not a valid subject, or has wildcards. Nothing was sent.
    #[error(
        "`{prefix}` is not an API prefix: use tokens with `.` between them, such as `$JS.hub.API`, without white space, \
         `*` and `>`"
    )]
    BadPrefix {
        /// The prefix.
        prefix: String,
    },
    /// A mirror or a source names a domain and an external API prefix. Nothing was sent.
    #[error(
        "source `{source_name}` has the domain `{domain}` and an external API prefix: set only one of them"
    )]
    DomainAndExternal {
        /// The stream of the source.
        source_name: String,
        /// The domain.
        domain: String,
    },
    /// The name of a key-value or object store is invalid. Nothing was sent.
    #[error("`{name}` is not a name of a bucket: use letters, digits, `-` and `_`")]
    BadBucket {
        /// The name.
        name: String,
    },
    /// The requested history of the bucket is longer than the limit of all NATS clients. Nothing was sent.
    #[error("bucket `{bucket}` cannot keep {history} entries of each key: use at most {limit}")]
    HistoryTooLong {
        /// The bucket.
        bucket: String,
        /// The requested number of entries of each key.
        history: i64,
        /// The largest number.
        limit: i64,
    },
    /// The client did not send the request, because the request is invalid or the client is closed.
    #[error(transparent)]
    NotSent(publish::PublishError),
    /// The server does not permit this user to subscribe to inboxes, so no answer could arrive. The client did not send
    /// the request.
    #[error("this user may not subscribe to its inbox, so no answer could arrive; permit `_INBOX.>`")]
    NoInbox,
    /// The server does not permit this user to send the request. Nothing was executed.
    #[error("the server denied the request to `{subject}`: {text}; permit this user to publish there")]
    Denied {
        /// The subject of the request.
        subject: String,
        /// The server's error.
        text: String,
    },
    /// JetStream refused the request. The client does not repeat it, because JetStream would refuse it again.
    #[error("JetStream refuses: {refused}")]
    Refused {
        /// The refusal.
        refused: Refused,
        /// Whether an earlier try got no answer, so that JetStream may have executed the request.
        unconfirmed: bool,
    },
    /// The reply is not a JetStream API response.
    #[error("the reply on `{subject}` is not a JetStream API response: {why}")]
    BadAnswer {
        /// The subject of the request.
        subject: String,
        /// The problem.
        why: String,
    },
    /// No answer arrived within the limits of [`PublishOptions`](super::PublishOptions).
    #[error(
        "no answer on `{subject}` after {tries} tries in {waited:?}: {last}{}",
        if *.unconfirmed { "; it may have been executed" } else { "" }
    )]
    GaveUp {
        /// The subject of the request.
        subject: String,
        /// Number of tries.
        tries: u32,
        /// The time since the first try.
        waited: Duration,
        /// Reason why the last try failed.
        last: LastTry,
        /// Whether JetStream may have executed the request in one of the tries.
        unconfirmed: bool,
    },
}

impl ApiError {
    /// Returns the refusal, if JetStream refused the request.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused { refused, .. } => Some(refused),
            _ => None,
        }
    }

    /// Returns whether the stream, the consumer or the message does not exist.
    pub fn is_not_found(&self) -> bool {
        self.refused().is_some_and(Refused::is_not_found)
    }

    /// Returns whether a later retry is pointless.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Refused { refused, .. } => (400..500).contains(&refused.code),
            Self::NotSent(error) => !matches!(error, publish::PublishError::Unavailable { .. }),
            Self::GaveUp { .. } => false,
            Self::BadName { .. }
            | Self::BadDomain { .. }
            | Self::BadPrefix { .. }
            | Self::DomainAndExternal { .. }
            | Self::BadBucket { .. }
            | Self::HistoryTooLong { .. }
            | Self::NoInbox
            | Self::Denied { .. }
            | Self::BadAnswer { .. } => true,
        }
    }

    fn gave_up(subject: &str, tries: u32, waited: Duration, last: LastTry, unconfirmed: bool) -> Self {
        let unconfirmed = unconfirmed || last.is_unconfirmed();
        Self::GaveUp { subject: subject.to_owned(), tries, waited, last, unconfirmed }
    }
}

/// Refuses what would not stay one token of a subject, or one file name at the server.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), ApiError> {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '.' | '*' | '>' | '/' | '\\');
    if name.is_empty() || name.contains(is_bad) {
        return Err(ApiError::BadName { what, name: name.to_owned() });
    }
    Ok(())
}

/// Refuses what other clients of key-value and object stores do not take for the name of one.
pub(crate) fn check_bucket(name: &str) -> Result<(), ApiError> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || !name.chars().all(is_fine) {
        return Err(ApiError::BadBucket { name: name.to_owned() });
    }
    Ok(())
}

fn encode(subject: &str, body: &impl Serialize) -> Result<Bytes, ApiError> {
    let bad = |error: serde_json::Error| ApiError::BadAnswer {
        subject: subject.to_owned(),
        why: format!("writing the request as JSON failed: {error}"),
    };
    serde_json::to_vec(body).map(Bytes::from).map_err(bad)
}

pub(crate) fn parse<T: DeserializeOwned>(subject: &str, payload: &[u8]) -> Result<T, ApiError> {
    let bad = |error: serde_json::Error| ApiError::BadAnswer {
        subject: subject.to_owned(),
        why: error.to_string(),
    };
    serde_json::from_slice(payload).map_err(bad)
}

/// What the API refuses comes as JSON, too.
fn refusal(message: &Message) -> Result<(), Refused> {
    #[derive(Deserialize)]
    struct Answer {
        error: Option<Refused>,
    }
    match serde_json::from_slice(&message.payload) {
        Ok(Answer { error: Some(refused) }) => Err(refused),
        // What is no JSON at all is found by whoever reads the rest.
        Ok(Answer { error: None }) | Err(_) => Ok(()),
    }
}

/// Twice the way around the world and back, on a busy server.
const ONCE_TIMEOUT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_token_and_one_file_name() {
        for name in ["ORDERS", "orders-2", "KV_config", "é"] {
            assert_eq!(check_name("stream", name), Ok(()));
        }
        for name in ["", "a b", "a.b", "*", ">", "a/b", "a\\b", "a\tb"] {
            let error = check_name("stream", name).unwrap_err();
            assert_eq!(error, ApiError::BadName { what: "stream", name: name.into() });
        }
    }

    #[test]
    fn what_will_pass_is_told_from_what_will_not() {
        let refused = |code, error_code| ApiError::Refused {
            refused: Refused { code, error_code, description: "because".into() },
            unconfirmed: false,
        };
        assert!(refused(404, 10_059).is_final() && refused(404, 10_059).is_not_found());
        assert!(!refused(500, 10_118).is_final(), "a stream that is offline may come back");
        let last = LastTry::NoJetStream { subject: "$JS.API.INFO".into() };
        let silent = ApiError::gave_up("$JS.API.INFO", 3, ONCE_TIMEOUT, last, false);
        assert!(!silent.is_final());
        assert!(!silent.to_string().contains("may have been executed"), "{silent}");
    }
}
