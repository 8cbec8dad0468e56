//! `loadgen push`: brings a file to agents.

use std::path::PathBuf;
use std::time::Duration;

use super::files::{is_executable, name_of};
use super::opts::PushOpts;
use crate::ops::{AgentInfo, Channel, ChannelError, FileOrder, OfferError, roster};

/// Reason why a file is not at all agents.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The back channel fails.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The file is not in the back channel.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// It has a name that agents refuse.
    #[error("{0}; choose a name with --as NAME")]
    Name(String),
    /// No agent is there.
    #[error(
        "no agents are connected: start one for each region with `loadgen agent --region REGION --files DIR`"
    )]
    NoAgents,
    /// `--to` names no agent.
    #[error("--to {target}: no region and no agent has this name; choose one of {}", known.join(", "))]
    Target {
        /// The name that was given.
        target: String,
        /// All regions and agents.
        known: Vec<String>,
    },
    /// Some agents do not have it.
    #[error("{} of {agents} agents did not store {}:\n  {}", failed.len(), file.display(), failed.join("\n  "))]
    Failed {
        /// The file.
        file: PathBuf,
        /// Agents that should have it.
        agents: usize,
        /// Each of them that has not, with the reason.
        failed: Vec<String>,
    },
}

/// Brings a file to agents; returns a line for each.
///
/// # Errors
/// See [`PushError`].
pub async fn push(opts: PushOpts) -> Result<String, PushError> {
    let name = name_of(&opts.file, opts.name).map_err(PushError::Name)?;
    let channel = Channel::connect(&opts.ops, opts.ops_creds.as_deref(), "loadgen push").await?;
    let agents = chosen(roster(&channel).await?, &opts.to)?;
    let (size, sha256) = channel.offer_file(&opts.file).await?;
    let executable = is_executable(&opts.file);
    let order = FileOrder { name, size, sha256, executable };
    let limit = Duration::from_secs(opts.timeout.into());
    let ordered = agents.iter().map(|agent| channel.order_file(agent, &order, limit));
    let answers = futures_util::future::join_all(ordered).await;
    channel.withdraw_file(&order.sha256).await;
    let (mut stored, mut failed) = (Vec::new(), Vec::new());
    for (AgentInfo { card, .. }, answer) in agents.iter().zip(answers) {
        match answer {
            Ok(answer) => stored.push(format!("agent {} stored {}", card.name, answer.path.display())),
            Err(reason) => failed.push(format!("agent {}: {reason}", card.name)),
        }
    }
    if failed.is_empty() {
        stored.push(format!("{size} bytes, SHA-256 {}", order.sha256));
        Ok(stored.join("\n"))
    } else {
        Err(PushError::Failed { file: opts.file, agents: agents.len(), failed })
    }
}

/// The agents whose name or region is one of `targets`; all, if there are none.
fn chosen(agents: Vec<AgentInfo>, targets: &[String]) -> Result<Vec<AgentInfo>, PushError> {
    if agents.is_empty() {
        return Err(PushError::NoAgents);
    }
    let is_named =
        |agent: &AgentInfo, target: &String| [&agent.card.region, &agent.card.name].contains(&target);
    for target in targets {
        if !agents.iter().any(|agent| is_named(agent, target)) {
            let names = agents.iter().flat_map(|it| [it.card.region.clone(), it.card.name.clone()]);
            let known: std::collections::BTreeSet<_> = names.collect();
            return Err(PushError::Target { target: target.clone(), known: known.into_iter().collect() });
        }
    }
    let is_chosen =
        |agent: &AgentInfo| targets.is_empty() || targets.iter().any(|target| is_named(agent, target));
    Ok(agents.into_iter().filter(is_chosen).collect())
}
