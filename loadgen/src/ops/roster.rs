//! The agents that are present.

use std::time::Duration;

use async_nats::service::Info;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};

use super::addresses::SERVICE;
use super::channel::{Channel, ChannelError};
use super::post::AgentCard;

/// An agent that is there.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AgentInfo {
    /// Its number in the back channel, which a new process of the same name does not have.
    pub id: String,
    /// The facts that it tells about itself.
    #[serde(flatten)]
    pub card: AgentCard,
}

/// Asks which agents are there, by region and name.
///
/// # Errors
/// The back channel fails.
pub async fn roster(channel: &Channel) -> Result<Vec<AgentInfo>, ChannelError> {
    let failed = |error: &dyn std::fmt::Display| ChannelError::failed("list agents", error);
    let inbox = channel.client.new_inbox();
    let mut answers = channel.client.subscribe(inbox.clone()).await.map_err(|error| failed(&error))?;
    let question = format!("$SRV.INFO.{SERVICE}");
    channel.client.publish_with_reply(question, inbox, "".into()).await.map_err(|error| failed(&error))?;
    let mut agents: Vec<AgentInfo> = Vec::new();
    while let Ok(Some(answer)) = tokio::time::timeout(SILENCE, answers.next()).await {
        // Without an agent, the server itself answers that nobody is there.
        if let Ok(info) = serde_json::from_slice::<Info>(&answer.payload) {
            agents.extend(agent(&info));
        }
    }
    agents.sort_by(|a, b| (&a.card.region, &a.card.name, &a.id).cmp(&(&b.card.region, &b.card.name, &b.id)));
    Ok(agents)
}

fn agent(info: &Info) -> Option<AgentInfo> {
    let get = |key: &str| info.metadata.get(key).cloned();
    Some(AgentInfo {
        id: info.id.clone(),
        card: AgentCard {
            name: get("name")?,
            region: get("region")?,
            host: get("host")?,
            pid: get("pid")?.parse().ok()?,
            cores: get("cores")?.parse().ok()?,
            version: info.version.clone(),
        },
    })
}

/// After so long without a further answer, all have answered: a round trip around the earth, and a busy machine.
const SILENCE: Duration = Duration::from_millis(500);
