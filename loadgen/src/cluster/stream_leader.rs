//! This module moves the leader of a stream to another of its servers.

use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use serde_json::{Value, json};

use super::SuperCluster;
use super::streams::{self, CreateStreamsError, Owner};
use crate::clock;
use crate::topology::render::created;

/// Another server leads a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StreamLeaderMoved {
    /// The server that led before.
    pub from: String,
    /// The server that leads now.
    pub to: String,
    /// When the old leader confirmed that it stepped down.
    pub stepped_down_at: Instant,
}

/// Why the leader of a stream did not move.
#[derive(Debug, thiserror::Error)]
pub enum StepDownError {
    /// loadgen could not connect as a user of the stream's account.
    #[error("cannot request another leader of stream `{stream}`: {error}")]
    Connect {
        /// The stream.
        stream: String,
        /// The error.
        error: CreateStreamsError,
    },
    /// JetStream said no, most often because there is no such stream.
    #[error("cannot move the leader of stream `{stream}`: {reason}")]
    Refused {
        /// The stream.
        stream: String,
        /// JetStream's answer.
        reason: String,
    },
    /// Nobody else can lead it.
    #[error(
        "cannot move the leader of stream `{stream}`, because the stream has one replica: give it 3 replicas in one region"
    )]
    OneReplica {
        /// The stream.
        stream: String,
    },
    /// It stepped down, and no other server took over.
    #[error("stream `{stream}` has no new leader after {:.0} s; the old leader was {leader}", limit.as_secs_f64())]
    Stayed {
        /// The stream.
        stream: String,
        /// The server that stepped down.
        leader: String,
        /// How long loadgen waited.
        limit: Duration,
    },
}

impl SuperCluster {
    /// Lets the leader of a stream step down, and waits until another of its servers leads. loadgen looks for the stream in the
    /// account and the domain that the topology says, and for any other stream in the first account of applications.
    ///
    /// # Errors
    /// See [`StepDownError`].
    pub async fn step_down_stream_leader(&self, stream: &str) -> Result<StreamLeaderMoved, StepDownError> {
        let known = created(&self.topology).into_iter().find(|known| known.name == stream);
        let owner = known.as_ref().map(Owner::of).unwrap_or_default();
        let context = streams::context(self, &owner).await;
        let context = context.map_err(|error| StepDownError::Connect { stream: stream.to_owned(), error })?;
        let info = ask(&context, stream, "STREAM.INFO").await?;
        if info["config"]["num_replicas"] == 1 {
            return Err(StepDownError::OneReplica { stream: stream.to_owned() });
        }
        let from = leader(&info).to_owned();
        ask(&context, stream, "STREAM.LEADER.STEPDOWN").await?;
        let stepped_down_at = clock::now();
        let to = wait_for_another(&context, stream, &from, self.ready_limit).await?;
        Ok(StreamLeaderMoved { from, to, stepped_down_at })
    }
}

async fn wait_for_another(
    context: &Context,
    stream: &str,
    old: &str,
    limit: Duration,
) -> Result<String, StepDownError> {
    let deadline = clock::now() + limit;
    loop {
        // Between two leaders nobody answers.
        if let Ok(info) = ask(context, stream, "STREAM.INFO").await
            && !leader(&info).is_empty()
            && leader(&info) != old
        {
            return Ok(leader(&info).to_owned());
        }
        if clock::now() >= deadline {
            return Err(StepDownError::Stayed { stream: stream.to_owned(), leader: old.to_owned(), limit });
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// How often the stream is asked for its leader: an election among servers of one region takes some 100 ms.
const ASK_AGAIN: Duration = Duration::from_millis(50);

async fn ask(context: &Context, stream: &str, order: &str) -> Result<Value, StepDownError> {
    let refused = |reason: String| StepDownError::Refused { stream: stream.to_owned(), reason };
    let answer = context.request::<_, _, Value>(format!("{order}.{stream}"), &json!({})).await;
    let answer = answer.map_err(|error| refused(error.to_string()))?;
    match answer.get("error") {
        None => Ok(answer),
        Some(error) => Err(refused(error["description"].as_str().unwrap_or("no description").to_owned())),
    }
}

fn leader(info: &Value) -> &str {
    info["cluster"]["leader"].as_str().unwrap_or_default()
}
