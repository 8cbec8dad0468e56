//! The controller's clock, over the back channel.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use tokio::task::JoinHandle;

use super::addresses::clock_of;
use super::channel::{Channel, ChannelError};
use crate::clock;

/// Answers questions for the time since the origin of a run. Dropping it ends the run for its agents.
#[derive(Debug)]
pub(crate) struct ClockServer(JoinHandle<()>);

impl ClockServer {
    /// # Errors
    /// The back channel fails.
    pub(crate) async fn start(channel: &Channel, run: &str, origin: Instant) -> Result<Self, ChannelError> {
        let client = channel.client.clone();
        let failed = |error: &dyn std::fmt::Display| ChannelError::failed("listen for agents", error);
        let mut questions = client.subscribe(clock_of(run)).await.map_err(|error| failed(&error))?;
        // Agents may ask as soon as they know of the run.
        client.flush().await.map_err(|error| failed(&error))?;
        Ok(Self(tokio::spawn(async move {
            while let Some(question) = questions.next().await {
                let Some(reply) = question.reply else { continue };
                let now = origin.elapsed().as_nanos().to_string();
                if let Err(error) = client.publish(reply, now.into()).await {
                    tracing::debug!(%error, "an agent does not learn the time");
                }
            }
        })))
    }
}

impl Drop for ClockServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One question for the controller's time, with its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// When the agent asked, by its own clock.
    pub(crate) asked: Instant,
    /// The answer: time since the origin, by the controller's clock.
    pub(crate) answer: Duration,
    /// When the answer came.
    pub(crate) answered: Instant,
}

/// Asks the controller for the time since the origin of a run.
///
/// # Errors
/// Nobody answers.
pub(crate) async fn read_clock(channel: &Channel, run: &str) -> Result<Reading, ChannelError> {
    let failed = |error: &dyn std::fmt::Display| ChannelError::failed("read the controller's clock", error);
    let asked = clock::now();
    let request = channel.client.request(clock_of(run), "".into());
    let answer = tokio::time::timeout(ANSWER_LIMIT, request).await;
    let answer = answer.map_err(|_| failed(&"no answer"))?.map_err(|error| failed(&error))?;
    let answered = clock::now();
    let nanos = std::str::from_utf8(&answer.payload).ok().and_then(|text| text.parse().ok());
    let nanos = nanos.ok_or_else(|| failed(&"the answer is not a number"))?;
    Ok(Reading { asked, answer: Duration::from_nanos(nanos), answered })
}

/// Many round trips around the earth.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
