//! The controller's side of a play with agents on other machines: it finds the agents, and distributes the clients over
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::fleet::{Finished, Remotes};
use super::local::Part;
use super::orders::Answer;
use super::remote::{Assignment, Pem, Remote};
use super::timebase::Timebase;
use crate::clock;
use crate::ops::{AgentInfo, AgentLink, Channel, ClockServer, Pulse, RunState, roster};
use crate::play::PlayError;
use crate::play::routes::Routes;
use crate::progress::{Progress, Status};
use crate::record::stats::millis;
use crate::scenario::{ClientPlan, Share};

/// Who gives orders to agents of other machines.
#[derive(Clone, Debug)]
pub struct Controller {
    /// The back channel.
    pub channel: Channel,
    /// How many agents must be there before a play begins.
    pub agents: usize,
    /// How long it waits for them.
    pub patience: Duration,
    /// Name of the scenario, for everybody who watches.
    pub scenario: String,
}

/// The agents of one play.
#[derive(Debug)]
pub(crate) struct Mustered {
    pub(crate) remotes: Remotes,
    lines: Vec<String>,
    /// Bound of the error of their times at the beginning.
    clock_error: Duration,
    /// Agents give a run up whose clock is gone.
    _clock: ClockServer,
    showing: JoinHandle<()>,
}

impl Mustered {
    /// Collects the results, after these answers to the order to finish.
    ///
    /// # Errors
    /// The back channel fails.
    pub(crate) async fn finish(self, answers: &[Answer]) -> Result<Finished, PlayError> {
        let (seen, lost) = self.remotes.seen().await?;
        let at_end = answers.iter().filter_map(|answer| match answer {
            Answer::Sent { clock_error } => *clock_error,
            Answer::Done | Answer::Counts(_) | Answer::Seen(_) => None,
        });
        let clock_error = at_end.chain([self.clock_error]).max().unwrap_or_default();
        Ok(Finished { seen, lines: self.lines.clone(), lost, clock_error })
    }
}

impl Drop for Mustered {
    fn drop(&mut self) {
        self.showing.abort();
    }
}

impl Controller {
    /// Waits for the agents, and gives each its part.
    ///
    /// # Errors
    /// A region has no agent, or an agent cannot play its part.
    pub(crate) async fn muster(
        &self,
        plan: &ClientPlan,
        (routes, seed, time): (&Routes, u64, Timebase),
        progress: &Progress,
    ) -> Result<Mustered, PlayError> {
        let run = format!("{:016x}", crate::seed::random());
        self.channel.create_parts().await?;
        let clock = ClockServer::start(&self.channel, &run, time.origin()).await?;
        let agents = self.wait_for_agents(plan, progress).await?;
        let tls = routes.tls.as_ref().map(Pem::read).transpose().map_err(PlayError::Certificates)?;
        let taking = (0..).zip(agents.iter().zip(shares(plan, &agents))).map(|(number, (agent, shares))| {
            let part =
                Part { agent: number, plan: plan.share(&shares), shares, routes: routes.clone(), seed };
            let assignment = Assignment { part, tls: tls.clone() };
            self.take(agent, &run, (assignment, time))
        });
        let (mut remotes, mut lines, mut pulses) = (Vec::new(), Vec::new(), Vec::new());
        let mut clock_error = Duration::ZERO;
        for (remote, line, error) in try_join_all(taking).await? {
            progress.note(&line);
            clock_error = clock_error.max(error);
            lines.push(line);
            pulses.push(remote.pulse());
            remotes.push(remote);
        }
        let showing = tokio::spawn(show(pulses, progress.clone(), self.clone()));
        Ok(Mustered { remotes: Remotes::new(remotes), lines, clock_error, _clock: clock, showing })
    }

    async fn take(
        &self,
        agent: &AgentInfo,
        run: &str,
        (assignment, time): (Assignment, Timebase),
    ) -> Result<(Remote, String, Duration), PlayError> {
        let link = AgentLink::open(&self.channel, agent.clone(), run).await?;
        let card = &agent.card;
        let (remote, error) = Remote::take(link, assignment, time).await?;
        let line = format!(
            "agent {} plays {} (host {}, process {}, loadgen {}, clock ± {:.3} ms)",
            card.name,
            card.region,
            card.host,
            card.pid,
            card.version,
            millis(error)
        );
        Ok((remote, line, error))
    }

    /// The agents of regions that have clients, as soon as there are enough.
    async fn wait_for_agents(
        &self,
        plan: &ClientPlan,
        progress: &Progress,
    ) -> Result<Vec<AgentInfo>, PlayError> {
        let started = clock::now();
        let mut said = None;
        loop {
            let mut agents = roster(&self.channel).await?;
            agents.retain(|agent| plan.regions_with_clients().any(|region| *region == agent.card.region));
            let there: BTreeSet<&str> = agents.iter().map(|agent| agent.card.region.as_str()).collect();
            let missing = plan.regions_with_clients().filter(|region| !there.contains(region.as_str()));
            let missing: Vec<String> = missing.cloned().collect();
            if missing.is_empty() && agents.len() >= self.agents {
                return Ok(agents);
            }
            if started.elapsed() > self.patience {
                let (there, wanted) = (agents.len(), self.agents);
                return Err(if missing.is_empty() {
                    PlayError::FewAgents { there, wanted }
                } else {
                    PlayError::NoAgents { there, missing: missing.join(", ") }
                });
            }
            let line = if missing.is_empty() {
                format!("waiting for agents: {} of {} are there", agents.len(), self.agents)
            } else {
                format!("waiting for agents: {} are connected, none for {}", agents.len(), missing.join(", "))
            };
            if said.as_ref() != Some(&line) {
                progress.doing(&line);
                said = Some(line);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Each agent's share of its region.
fn shares(plan: &ClientPlan, agents: &[AgentInfo]) -> Vec<BTreeMap<String, Share>> {
    let mut dealt: BTreeMap<&str, u32> = BTreeMap::new();
    let of = |region: &str| agents.iter().filter(|agent| agent.card.region == region).count() as u32;
    let share = |agent: &AgentInfo| {
        let region = plan.regions.iter().find(|region| **region == agent.card.region)?;
        let index = dealt.entry(region).or_default();
        let share = Share { index: *index, of: of(region) };
        *index += 1;
        Some((region.clone(), share))
    };
    agents.iter().map(share).map(|share| share.into_iter().collect()).collect()
}

/// Shows what all agents see together, and tells everybody of the run.
async fn show(pulses: Vec<watch::Receiver<Pulse>>, progress: Progress, controller: Controller) {
    for turn in 0_u32.. {
        if turn % TELL_EVERY == 0 {
            let state = RunState { scenario: controller.scenario.clone(), phase: progress.phase() };
            controller.channel.tell(&state).await;
        }
        progress.status(|| {
            let seen = pulses.iter().filter_map(|pulse| serde_json::from_slice(&pulse.borrow().status).ok());
            let sum = seen.reduce(|mut all: Status, status| {
                all.add(status);
                all
            });
            sum.unwrap_or_default()
        });
        tokio::time::sleep(SHOW_EVERY).await;
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Once a second.
const TELL_EVERY: u32 = 4;

/// Signs of life come once a second.
const SHOW_EVERY: Duration = Duration::from_millis(250);
