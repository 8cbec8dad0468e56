//! Requests that all servers answer, each for itself: the system account's `$SYS.REQ.SERVER.PING.*`.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::{StatusCode, Subscriber};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::answers::{Connz, Envelope, Gatewayz, Leafz, ServerInfo, Statsz, UserInfo, Varz};
use super::connect::Connection;
use crate::clock;

/// The system account of a super-cluster.
#[derive(Debug)]
pub struct System {
    connection: Connection,
    /// Replies come to this and one more token.
    inbox: String,
    /// One subscription for all requests: one for each would change the counts of subscriptions that are shown.
    replies: Subscriber,
    requests: u64,
    timeout: Duration,
}

/// Answers of all servers to one request, in the order of their arrival.
#[derive(Debug)]
pub struct Gathered<T> {
    /// The answers.
    pub answers: Vec<Answered<T>>,
    /// Servers that are known, but did not answer in time.
    pub silent: usize,
    /// Answers that are none, with their servers.
    pub failed: Vec<GatherError>,
}

impl<T> Gathered<T> {
    /// Servers that answered, whatever it was.
    fn heard(&self) -> usize {
        self.answers.len() + self.failed.len()
    }

    /// The answers that are none, as texts.
    pub fn failures(&self) -> Vec<String> {
        self.failed.iter().map(ToString::to_string).collect()
    }
}

/// The answer of one server.
#[derive(Clone, Debug)]
pub struct Answered<T> {
    /// The server.
    pub server: ServerInfo,
    /// Its answer.
    pub data: T,
    /// The time between the request and the answer, over the one connection that there is.
    pub rtt: Duration,
}

/// A request and the type of its answers.
pub trait Ask: DeserializeOwned {
    /// The last token of its subject.
    const NAME: &'static str;

    /// Servers that must answer, as far as this answer tells.
    fn servers(&self) -> Option<usize> {
        None
    }
}

impl Ask for Statsz {
    const NAME: &'static str = "STATSZ";

    fn servers(&self) -> Option<usize> {
        (self.active_servers > 0).then_some(self.active_servers)
    }
}

impl Ask for Varz {
    const NAME: &'static str = "VARZ";
}

impl Ask for Gatewayz {
    const NAME: &'static str = "GATEWAYZ";
}

impl Ask for Connz {
    const NAME: &'static str = "CONNZ";
}

impl Ask for Leafz {
    const NAME: &'static str = "LEAFZ";
}

/// Reason why the system account gave no answers.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The user belongs to another account, or the servers have no system account.
    #[error(
        "no server answers `{subject}`: {whose}. Log in as a user of the system account: --user and --password, --creds, or \
         --context with a context of the nats CLI; servers name that account in `system_account`"
    )]
    NotSystem {
        /// The request.
        subject: String,
        /// Whose connection it is.
        whose: String,
    },
    /// The user may not ask.
    #[error(
        "the servers refuse `{subject}`: {reason}; let the user publish to `$SYS.REQ.>` and subscribe to its inbox"
    )]
    Denied {
        /// The request.
        subject: String,
        /// The server's words.
        reason: String,
    },
    /// Silence.
    #[error("no server answered `{subject}` within {} ms: choose a longer --timeout", limit.as_millis())]
    Silence {
        /// The request.
        subject: String,
        /// The time that was waited.
        limit: Duration,
    },
    /// Answers that are none.
    #[error("{server} answered `{subject}` with {reason}")]
    Answer {
        /// The request.
        subject: String,
        /// The server, if the answer names it.
        server: String,
        /// The error in it, or that of the parser.
        reason: String,
    },
    /// The connection failed.
    #[error("cannot send `{subject}`: {reason}")]
    Send {
        /// The request.
        subject: String,
        /// The client's error.
        reason: String,
    },
}

/// Without a number of servers to expect, silence of this length means that all have answered. It is longer than most
/// differences between the distances to two cities.
const QUIET: Duration = Duration::from_millis(300);

impl System {
    /// Subscribes to replies.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn new(connection: Connection, timeout: Duration) -> Result<Self, GatherError> {
        let inbox = connection.client.new_inbox();
        let subject = format!("{inbox}.*");
        let replies = connection.client.subscribe(subject.clone()).await;
        let replies = replies.map_err(|error| GatherError::Send { subject, reason: error.to_string() })?;
        Ok(Self { connection, inbox, replies, requests: 0, timeout })
    }

    /// Asks all servers. Ends when as many have answered as must, else after the time-out. If nobody knows how many must, it
    /// ends when no further answer comes for 300 ms.
    ///
    /// # Errors
    /// Nobody answered, for one of several reasons, or all answers are none.
    pub async fn ask<T: Ask>(&mut self, expected: Option<usize>) -> Result<Gathered<T>, GatherError> {
        self.ask_with(expected, String::new()).await
    }

    /// As [`Self::ask`], with options in JSON.
    ///
    /// # Errors
    /// As those of [`Self::ask`].
    pub async fn ask_with<T: Ask>(
        &mut self,
        expected: Option<usize>,
        options: String,
    ) -> Result<Gathered<T>, GatherError> {
        let subject = format!("$SYS.REQ.SERVER.PING.{}", T::NAME);
        self.requests += 1;
        let reply = format!("{}.{}", self.inbox, self.requests);
        let send = |reason: String| GatherError::Send { subject: subject.clone(), reason };
        let client = &self.connection.client;
        let started = clock::now();
        client
            .publish_with_reply(subject.clone(), reply.clone(), options.into())
            .await
            .map_err(|error| send(error.to_string()))?;
        let mut until = started + self.timeout;
        // Without a connection this would wait for the next one.
        match tokio::time::timeout_at(until.into(), client.flush()).await {
            Ok(flushed) => flushed.map_err(|error| send(error.to_string()))?,
            Err(_) => return Err(self.silence(subject)),
        }

        let mut gathered = Gathered { answers: Vec::new(), silent: 0, failed: Vec::new() };
        let (mut known, mut expected) = (BTreeSet::new(), expected);
        while expected.is_none_or(|expected| gathered.heard() < expected) {
            let waiting = tokio::time::timeout_at(until.into(), self.replies.next());
            let Ok(message) = waiting.await else { break };
            let now = clock::now();
            let message = message.ok_or_else(|| send("the connection is closed".to_owned()))?;
            if message.subject.as_str() != reply {
                continue; // a late answer to an earlier request
            }
            if message.status == Some(StatusCode::NO_RESPONDERS) {
                let whose = self.whose().await;
                return Err(GatherError::NotSystem { subject, whose });
            }
            match read::<T>(&subject, &message.payload, now.duration_since(started)) {
                Ok(answer) => {
                    expected = expected.max(answer.data.servers());
                    if known.insert(answer.server.id.clone()) {
                        gathered.answers.push(answer);
                    }
                }
                Err(error) => gathered.failed.push(error),
            }
            if expected.is_none() {
                until = (now + QUIET).min(started + self.timeout);
            }
        }
        if gathered.answers.is_empty() {
            return Err(gathered.failed.pop().unwrap_or_else(|| self.silence(subject)));
        }
        gathered.silent = expected.unwrap_or_default().saturating_sub(gathered.heard());
        Ok(gathered)
    }

    fn silence(&self, subject: String) -> GatherError {
        match self.connection.take_denied() {
            Some(reason) => GatherError::Denied { subject, reason },
            None => GatherError::Silence { subject, limit: self.timeout },
        }
    }

    /// Asks one server, with options in JSON.
    ///
    /// # Errors
    /// It did not answer in time, or its answer is none.
    pub async fn ask_server<T: Ask>(
        &self,
        server_id: &str,
        options: String,
    ) -> Result<Answered<T>, GatherError> {
        let subject = format!("$SYS.REQ.SERVER.{server_id}.{}", T::NAME);
        let started = clock::now();
        let asked = self.connection.client.request(subject.clone(), options.into());
        match tokio::time::timeout(self.timeout, asked).await {
            Ok(Ok(answer)) => read(&subject, &answer.payload, clock::now().duration_since(started)),
            Ok(Err(error)) => Err(GatherError::Send { subject, reason: error.to_string() }),
            Err(_) => Err(self.silence(subject)),
        }
    }

    /// Returns the connection, for orders to servers.
    pub fn client(&self) -> &async_nats::Client {
        &self.connection.client
    }

    /// Returns the account of this connection, if the server says it within `limit`.
    pub async fn account(&self, limit: Duration) -> Option<String> {
        let asked = self.connection.client.request("$SYS.REQ.USER.INFO", "".into());
        let answer = tokio::time::timeout(limit, asked).await.ok()?.ok()?;
        let info: Envelope<UserInfo> = serde_json::from_slice(&answer.payload).ok()?;
        info.data.map(|user| user.account).filter(|account| !account.is_empty())
    }

    /// Says whose connection it is, for an error.
    async fn whose(&self) -> String {
        match self.account(QUIET).await {
            Some(account) => format!("this user belongs to the account `{account}`"),
            None => "this user does not belong to the system account".to_owned(),
        }
    }
}

fn read<T: DeserializeOwned>(
    subject: &str,
    payload: &[u8],
    rtt: Duration,
) -> Result<Answered<T>, GatherError> {
    let wrong = |server: &str, reason| GatherError::Answer {
        subject: subject.to_owned(),
        server: server.to_owned(),
        reason,
    };
    let envelope: Envelope<T> =
        serde_json::from_slice(payload).map_err(|error| wrong("a server", error.to_string()))?;
    let server = envelope.server;
    match (envelope.data, envelope.error) {
        (Some(data), _) => Ok(Answered { server, data, rtt }),
        (None, Some(error)) => {
            Err(wrong(&server.name, format!("error {}: {}", error.code, error.description)))
        }
        (None, None) => Err(wrong(&server.name, "nothing".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_none_names_its_server() {
        let read = |text: &str| read::<Varz>("$SYS.X", text.as_bytes(), Duration::ZERO);
        assert_eq!(read(r#"{"server": {"name": "a"}, "data": {"leafnodes": 2}}"#).unwrap().data.leafnodes, 2);
        for (text, expected) in [
            (
                r#"{"server": {"name": "a"}, "error": {"code": 500, "description": "broken"}}"#,
                "a answered `$SYS.X` with error 500: broken",
            ),
            (r#"{"server": {"name": "a"}}"#, "a answered `$SYS.X` with nothing"),
            ("{}", "a server answered `$SYS.X` with missing field `server`"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
