//! All agents of a play, as one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use super::local::{Local, Part};
use super::muster::{Controller, Mustered};
use super::orders::{Answer, Counts, Order, Seen};
use super::remote::Remote;
use super::timebase::Timebase;
use crate::play::PlayError;
use crate::play::dialer::Hosts;
use crate::play::routes::Routes;
use crate::progress::Progress;
use crate::scenario::{ClientPlan, Share};

/// The agents that play the clients: one of this process, or some of other machines.
#[derive(Debug)]
pub(crate) enum Agents {
    /// One of this process.
    Here(Local),
    /// Those of other machines.
    There(Mustered),
}

/// The end of a play, by its agents.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    /// The results of all agents.
    pub(crate) seen: Seen,
    /// A line about each agent of another machine.
    pub(crate) lines: Vec<String>,
    /// A line about each of them that was lost.
    pub(crate) lost: Vec<String>,
    /// Bound of the error of their times, by the controller's clock.
    pub(crate) clock_error: Duration,
}

/// Agents of other machines. One that is lost plays no more, and the others go on.
#[derive(Debug)]
pub(crate) struct Remotes {
    agents: Vec<Remote>,
    /// Why those that are lost are lost, in the order of `agents`.
    lost: Mutex<Vec<Option<String>>>,
}

impl Remotes {
    pub(crate) fn new(agents: Vec<Remote>) -> Self {
        let lost = Mutex::new(vec![None; agents.len()]);
        Self { agents, lost }
    }

    /// Gives an order to all that are there, and returns their answers.
    async fn ask(&self, order: &Order) -> Result<Vec<Answer>, PlayError> {
        let there: Vec<_> = {
            let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            (0..self.agents.len()).filter(|index| lost[*index].is_none()).collect()
        };
        let asked = there.iter().map(|index| self.agents[*index].ask(order.clone()));
        let mut answers = Vec::new();
        for (index, answer) in there.iter().zip(join_all(asked).await) {
            match answer {
                Ok(answer) => answers.push(answer),
                // Without its clients, there is nothing to measure.
                Err(error) if matches!(order, Order::Connect | Order::Begin { .. }) => return Err(error),
                Err(error) => self.is_lost(*index, &error),
            }
        }
        if answers.is_empty() { Err(self.all_lost()) } else { Ok(answers) }
    }

    /// Without an agent that is left, there is nothing to go on for.
    fn all_lost(&self) -> PlayError {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        PlayError::AgentsLost { reasons: lost.iter().flatten().cloned().collect::<Vec<_>>().join("; ") }
    }

    fn is_lost(&self, index: usize, error: &PlayError) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(error.to_string());
    }

    /// Returns the results of all agents, those of lost ones until they were lost, and a line about each lost one.
    pub(super) async fn seen(&self) -> Result<(Seen, Vec<String>), PlayError> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (mut all, mut lines) = (Seen::default(), Vec::new());
        for (agent, lost) in self.agents.iter().zip(lost) {
            let (seen, until) = agent.seen().await?;
            all.add(seen);
            lines.extend(lost.map(|reason| {
                let until = until.as_secs_f64();
                format!("{reason}; the agent's results later than {until:.1} s after the first connect are missing")
            }));
        }
        Ok((all, lines))
    }
}

impl Agents {
    /// Starts an agent here, or shares the clients among those of the controller.
    ///
    /// # Errors
    /// A region has no agent, or an agent cannot play its part.
    pub(crate) async fn gather(
        controller: Option<&Controller>,
        (plan, routes, seed): (ClientPlan, Routes, u64),
        (time, hosts): (Timebase, Hosts),
        progress: &Progress,
    ) -> Result<Self, PlayError> {
        if let Some(controller) = controller {
            return Ok(Self::There(controller.muster(&plan, (&routes, seed, time), progress).await?));
        }
        let shares = plan.regions.iter().map(|region| (region.clone(), Share::ALL)).collect();
        let part = Part { agent: 0, plan, shares, routes, seed };
        Ok(Self::Here(Local::start(part, time, hosts, progress.clone())?))
    }

    /// How long before the start of the timeline the agents must know of it.
    pub(crate) const fn head_start(&self) -> Duration {
        match self {
            Self::Here(_) => Duration::ZERO,
            Self::There(_) => HEAD_START,
        }
    }

    /// Gives an order, and returns when it is done.
    pub(crate) async fn obey(&self, order: Order) -> Result<(), PlayError> {
        self.ask(order).await.map(drop)
    }

    /// Returns the numbers of clients.
    pub(crate) async fn counts(&self) -> Result<Counts, PlayError> {
        let mut sum = Counts::default();
        for answer in self.ask(Order::Count).await? {
            if let Answer::Counts(counts) = answer {
                sum.add(counts);
            }
        }
        Ok(sum)
    }

    /// Ends all clients.
    pub(crate) async fn finish(self) -> Result<Finished, PlayError> {
        match (self.ask(Order::Finish).await, self) {
            (Ok(answers), Self::Here(_)) => {
                let seen = answers.into_iter().find_map(|answer| match answer {
                    Answer::Seen(seen) => Some(*seen),
                    Answer::Done | Answer::Counts(_) | Answer::Sent { .. } => None,
                });
                Ok(Finished { seen: seen.ok_or(PlayError::AgentEnded)?, ..Finished::default() })
            }
            (Ok(answers), Self::There(mustered)) => mustered.finish(&answers).await,
            // They have seen something before.
            (Err(PlayError::AgentsLost { .. }), Self::There(mustered)) => mustered.finish(&[]).await,
            (Err(error), _) => Err(error),
        }
    }

    async fn ask(&self, order: Order) -> Result<Vec<Answer>, PlayError> {
        tracing::debug!(?order, "an order to the agents");
        match self {
            Self::Here(local) => local.ask(order).await.map(|answer| vec![answer]),
            Self::There(mustered) => mustered.remotes.ask(&order).await,
        }
    }
}

/// Longer than an order takes around the earth, on a busy machine.
const HEAD_START: Duration = Duration::from_secs(1);
