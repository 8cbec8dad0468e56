//! Questions of a controller to one agent. The controller repeats a question until the agent answers or is lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::{HeaderMap, Request, RequestErrorKind};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::addresses::{NUMBER_HEADER, RUN_HEADER, VERSION, VERSION_HEADER, orders_of, parts_of, pulse_of};
use super::channel::{Channel, ChannelError};
use super::roster::AgentInfo;
use crate::clock;

/// The controller's link to one agent in one run.
#[derive(Debug)]
pub(crate) struct AgentLink {
    channel: Channel,
    agent: AgentInfo,
    run: String,
    /// Number of the next question.
    next: AtomicU64,
    pulse: watch::Receiver<Pulse>,
    listening: JoinHandle<()>,
}

/// The last sign of life.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    at: Instant,
    /// The state of its play, as JSON.
    pub(crate) status: Bytes,
}

/// Why an agent does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// It was silent for too long.
    #[error("no answer and no message for {} s; check whether the process and the machine of the agent still run", _0.as_secs())]
    Lost(Duration),
    /// The back channel does not come back.
    #[error("the back channel has not answered for {} s; check whether its NATS server still runs", _0.as_secs())]
    Away(Duration),
    /// It does not understand the question.
    #[error("{0}")]
    Refused(String),
}

impl AgentLink {
    /// Listens for signs of life.
    ///
    /// # Errors
    /// The back channel fails.
    pub(crate) async fn open(channel: &Channel, agent: AgentInfo, run: &str) -> Result<Self, ChannelError> {
        let failed = |error: &dyn std::fmt::Display| ChannelError::failed("listen to agents", error);
        let mut pulses =
            channel.client.subscribe(pulse_of(&agent.id)).await.map_err(|error| failed(&error))?;
        let (sender, pulse) = watch::channel(Pulse { at: clock::now(), status: Bytes::new() });
        let listening = tokio::spawn(async move {
            while let Some(message) = pulses.next().await {
                sender.send_replace(Pulse { at: clock::now(), status: message.payload });
            }
        });
        Ok(Self {
            channel: channel.clone(),
            agent,
            run: run.to_owned(),
            next: AtomicU64::new(0),
            pulse,
            listening,
        })
    }

    /// The agent's name.
    pub(crate) fn name(&self) -> &str {
        &self.agent.card.name
    }

    /// Its signs of life.
    pub(crate) fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.clone()
    }

    /// Asks, and waits for the answer as long as the agent gives signs of life.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub(crate) async fn ask(&self, content: Vec<u8>) -> Result<Bytes, LinkError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut headers = HeaderMap::new();
        headers.insert(VERSION_HEADER, VERSION);
        headers.insert(RUN_HEADER, self.run.as_str());
        headers.insert(NUMBER_HEADER, number.to_string());
        let (subject, content) = (orders_of(&self.agent.id), Bytes::from(content));
        // The agent is not to blame while the back channel itself is away.
        let (mut asked, mut away) = (clock::now(), None::<Instant>);
        loop {
            let request = Request::new().headers(headers.clone()).payload(content.clone());
            let request = request.timeout(Some(ASK_AGAIN_AFTER));
            match self.channel.client.send_request(subject.clone(), request).await {
                Ok(answer) => return read(&answer),
                Err(error) if error.kind() == RequestErrorKind::TimedOut => {}
                // The agent or the back channel is being started again, or is gone.
                Err(error) => {
                    tracing::debug!(%error, "a question was not asked");
                    tokio::time::sleep(PAUSE).await;
                }
            }
            if !self.channel.is_up() {
                let away = away.get_or_insert_with(clock::now).elapsed();
                if away > AWAY_AT_MOST {
                    return Err(LinkError::Away(away));
                }
                continue;
            }
            if away.take().is_some() {
                asked = clock::now();
            }
            let silent = self.pulse.borrow().at.max(asked).elapsed();
            if silent > LOST_AFTER {
                return Err(LinkError::Lost(silent));
            }
        }
    }

    /// Takes what the agent with this number has sent so far.
    ///
    /// # Errors
    /// The back channel fails.
    pub(crate) async fn take_parts(&self, number: u32) -> Result<Vec<Bytes>, ChannelError> {
        self.channel.take_parts(&parts_of(&self.run, number)).await
    }
}

impl Drop for AgentLink {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// The content of an agent's answer.
///
/// # Errors
/// The agent has refused the order.
pub(super) fn read(answer: &async_nats::Message) -> Result<Bytes, LinkError> {
    let refused = answer.headers.as_ref().and_then(|headers| headers.get("Nats-Service-Error"));
    match refused {
        Some(reason) => Err(LinkError::Refused(reason.to_string())),
        None => Ok(answer.payload.clone()),
    }
}

/// An agent that is at work answers when it is done. A question that was lost on its way is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// Ten signs of life did not come.
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(10);

/// Longer than a server needs to come back. Agents give a run up after the same time.
pub(crate) const AWAY_AT_MOST: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(200);
