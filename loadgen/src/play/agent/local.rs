//! An agent in this process: it manages its clients, and carries out one order after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::orders::{Answer, Counted, Counts, Order, Seen};
use super::timebase::Timebase;
use crate::clock;
use crate::play::PlayError;
use crate::play::counts::accounts::Accounts;
use crate::play::counts::tallies::Tallies;
use crate::play::dialer::{Dialer, Hosts};
use crate::play::phases::Phases;
use crate::play::population::crowd::Crowd;
use crate::play::population::member::Load;
use crate::play::routes::Routes;
use crate::play::workload::objects::AllSlots;
use crate::progress::Progress;
use crate::scenario::{ClientPlan, Share};

/// The part of a scenario that an agent plays.
#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
pub(crate) struct Part {
    /// Number of the agent in the play, which tells its messages from those of the others.
    pub(crate) agent: u32,
    /// Its clients and their work.
    pub(crate) plan: ClientPlan,
    /// Its share of each region in which it has clients.
    pub(crate) shares: BTreeMap<String, Share>,
    /// How its clients reach the servers.
    pub(crate) routes: Routes,
    /// Seed of the play.
    pub(crate) seed: u64,
}

/// An agent of this process. Dropping it ends its clients.
#[derive(Debug)]
pub(crate) struct Local {
    orders: mpsc::Sender<Ask>,
    task: JoinHandle<()>,
}

/// An order, and where the answer goes.
type Ask = (Order, oneshot::Sender<Result<Answer, PlayError>>);

impl Local {
    /// Starts it.
    ///
    /// # Errors
    /// Its clients have no address to dial.
    pub(crate) fn start(
        part: Part,
        time: Timebase,
        hosts: Hosts,
        progress: Progress,
    ) -> Result<Self, PlayError> {
        let stage = Stage::new(part, time, hosts, progress)?;
        let (orders, received) = mpsc::channel(1);
        Ok(Self { orders, task: tokio::spawn(run(stage, received)) })
    }

    /// Gives an order, and returns when it is done.
    pub(crate) async fn ask(&self, order: Order) -> Result<Answer, PlayError> {
        let (answer, answered) = oneshot::channel();
        self.orders.send((order, answer)).await.map_err(|_| PlayError::AgentEnded)?;
        answered.await.map_err(|_| PlayError::AgentEnded)?
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Until all clients have ended, or nobody gives orders any more.
async fn run(mut stage: Stage, mut orders: mpsc::Receiver<Ask>) {
    loop {
        let ask = tokio::select! {
            biased;
            ask = orders.recv() => ask,
            () = stage.crowd.turn() => continue,
        };
        let Some((order, answer)) = ask else { return };
        // The asking task may have ended.
        if matches!(order, Order::Finish) {
            let _ = answer.send(Ok(Answer::Seen(Box::new(stage.finish().await))));
            return;
        }
        let _ = answer.send(stage.carry_out(order).await);
    }
}

/// Everything that the agent plays with.
struct Stage {
    plan: Arc<ClientPlan>,
    seed: u64,
    time: Timebase,
    crowd: Crowd,
    phases: Phases,
    counters: Counters,
}

/// Counters of messages, operations and objects.
struct Counters {
    accounts: Accounts,
    tallies: Tallies,
    slots: AllSlots,
}

impl Counters {
    fn counted(&self) -> Counted {
        Counted { stores: self.tallies.records(), sent: self.accounts.sent(), stored: self.slots.stored() }
    }
}

impl Stage {
    fn new(part: Part, time: Timebase, hosts: Hosts, progress: Progress) -> Result<Self, PlayError> {
        let Part { agent, plan, shares, routes, seed } = part;
        let (plan, phases) = (Arc::new(plan), Phases::default());
        let dialer = Arc::new(Dialer::new(Arc::clone(&plan), routes, hosts, seed)?);
        Ok(Self {
            crowd: Crowd::new((Arc::clone(&plan), shares), dialer, progress),
            plan,
            seed,
            time,
            counters: Counters {
                accounts: Accounts::of_agent(agent),
                tallies: Tallies::new(phases.clone()),
                slots: AllSlots::default(),
            },
            phases,
        })
    }

    async fn carry_out(&mut self, order: Order) -> Result<Answer, PlayError> {
        match order {
            Order::Connect => self.crowd.connect_first().await?,
            Order::Begin { at, subjects } => self.crowd.begin(Load {
                seed: self.seed,
                start: self.time.instant(at),
                origin: self.time.origin(),
                subjects,
                accounts: self.counters.accounts.clone(),
                tallies: self.counters.tallies.clone(),
                slots: self.counters.slots.clone(),
            }),
            Order::Phase(at) => self.phases.begin(self.time.instant(at)),
            Order::Renew => self.crowd.renew().await,
            Order::Resize(at) => self.crowd.resize(at),
            Order::Reconnect { population } => self.crowd.reconnect_all(population),
            Order::Exchange(change) => self.crowd.begin_change(change),
            Order::EndExchange { fault } => self.crowd.end_change(fault),
            Order::Count => return Ok(Answer::Counts(self.counts())),
            Order::Report => {
                let clients = self.crowd.report(clock::now());
                return Ok(Answer::Seen(Box::new(Seen { clients, counted: self.counters.counted() })));
            }
            Order::Finish => return Err(PlayError::AgentEnded),
        }
        Ok(Answer::Done)
    }

    fn counts(&self) -> Counts {
        let populations = 0..self.plan.populations.len();
        Counts {
            at_server: self.crowd.by_server(),
            of_population: populations.map(|population| (population, self.crowd.size(population))).collect(),
        }
    }

    async fn finish(self) -> Seen {
        let clients = self.crowd.finish(clock::now()).await;
        Seen { clients, counted: self.counters.counted() }
    }
}
