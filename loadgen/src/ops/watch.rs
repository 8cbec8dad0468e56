//! The messages by which agents and the controller report a run to all watchers.

use async_nats::Message;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, select};
use serde::{Deserialize, Serialize};

use super::addresses::{STATE, pulse_of};
use super::channel::{Channel, ChannelError};

/// The run that goes on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, schemars::JsonSchema)]
pub struct RunState {
    /// Name of its scenario.
    pub scenario: String,
    /// The phase of its timeline; `None`: before the first one.
    pub phase: Option<String>,
}

/// A sentence that was heard.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Of an agent, with the state of its clients as JSON.
    Agent(String, Bytes),
    /// Of the controller.
    Controller(RunState),
}

impl Channel {
    /// Says which run goes on. Nobody has to hear it.
    pub(crate) async fn tell(&self, state: &RunState) {
        // Two texts: that cannot fail.
        let content = serde_json::to_vec(state).unwrap_or_default();
        if let Err(error) = self.client.publish(STATE, content.into()).await {
            tracing::debug!(%error, "nobody hears of the run");
        }
    }

    /// Listens to all agents and to the controller.
    ///
    /// # Errors
    /// The back channel fails.
    pub(crate) async fn listen(&self) -> Result<BoxStream<'static, Heard>, ChannelError> {
        let failed = |error: &dyn std::fmt::Display| ChannelError::failed("listen to agents", error);
        let pulses = self.client.subscribe(pulse_of("*")).await.map_err(|error| failed(&error))?;
        let states = self.client.subscribe(STATE).await.map_err(|error| failed(&error))?;
        // Another version of loadgen may say something else.
        Ok(select(pulses, states).filter_map(|message| std::future::ready(read(&message))).boxed())
    }
}

fn read(message: &Message) -> Option<Heard> {
    if message.subject.as_str() == STATE {
        return serde_json::from_slice(&message.payload).ok().map(Heard::Controller);
    }
    let id = message.subject.strip_prefix(pulse_of("").as_str())?;
    Some(Heard::Agent(id.to_owned(), message.payload.clone()))
}
