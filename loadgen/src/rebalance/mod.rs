//! `loadgen rebalance`: orders clients of full servers to move, until all servers of a cluster have the same number of
//! clients.
//!
//! After a rolling restart, the server that restarted last has no clients, and no client moves by itself
//! (<https://github.com/nats-io/nats-server/issues/1556>). This folder counts clients over the system account ([`crate::look`]),
//! plans batches, and sends the order that puts one client into lame duck mode. It closes no connection. It must not know
//! how a super-cluster is started.

pub mod opts;
pub mod report;

mod asked;
mod clients;
mod plan;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use futures_util::future::join_all;

use crate::client_order::ClientOrder;
use crate::clock;
use crate::look::connect::{Login, OpenError};
use crate::look::gather::{GatherError, System};
use crate::plan::PlanError;
use crate::stdout;
use asked::Asked;
use clients::{Cluster, Counter, Look};
use opts::RebalanceOpts;
use plan::{Batch, excess, is_even, next_batch, whole_plan};
use report::{BatchRow, Ended, RebalanceReport, ResultRow};

/// A rebalancing, with checked options.
#[derive(Clone, Debug)]
pub struct RebalancePlan {
    login: Login,
    /// Time that one request waits for answers.
    timeout: Duration,
    cluster: Option<String>,
    /// Clients of a cluster that are asked at once.
    batch: usize,
    pause: Duration,
    /// Percent of the mean.
    within: u8,
    at_most: Option<usize>,
    patience: Duration,
    dry_run: bool,
    json: bool,
}

/// Reason why a rebalancing ended early.
#[derive(Debug, thiserror::Error)]
pub enum RebalanceError {
    /// No connection.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system account did not answer.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// The servers do not say which account is the system account.
    #[error(
        "no server answers `$SYS.REQ.USER.INFO`: choose a longer --timeout, or permit this user to publish to `$SYS.REQ.>`"
    )]
    NoAccount,
    /// There is no such cluster.
    #[error("--cluster names `{name}`, which is not among the clusters {}", known.join(", "))]
    UnknownCluster {
        /// The name.
        name: String,
        /// The clusters that answered.
        known: Vec<String>,
    },
    /// A server does not carry out the order.
    #[error(
        "{server} refused to ask client {cid} to move: {reason}; this order needs nats-server 2.10, and a user who may publish \
         to `$SYS.REQ.SERVER.>`"
    )]
    Refused {
        /// The server.
        server: String,
        /// The number of the client there.
        cid: u64,
        /// The server's words.
        reason: String,
    },
    /// A server that had answered does not answer any more, so nobody knows how many clients it has.
    #[error(
        "{server} no longer answers: look at the server with `loadgen servers`, choose a longer --timeout, and start the \
         command again; clients that loadgen already asked to move still move"
    )]
    Silent {
        /// The server.
        server: String,
    },
    /// The standard output does not take the text.
    #[error(
        "cannot write to the standard output: {0}; clients that loadgen already asked to move still move"
    )]
    Output(io::Error),
}

impl RebalancePlan {
    /// Checks the options.
    ///
    /// # Errors
    /// The login is incomplete, or a file of it cannot be read.
    pub fn new(opts: RebalanceOpts) -> Result<Self, PlanError> {
        Ok(Self {
            login: Login::of(&opts.connect)?,
            timeout: opts.connect.timeout(),
            cluster: opts.cluster,
            batch: opts.batch.into(),
            pause: opts.pause,
            within: opts.within,
            // On a machine with smaller pointers, that many clients do not fit.
            at_most: opts.at_most.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            patience: opts.patience,
            dry_run: opts.dry_run,
            json: opts.json,
        })
    }
}

/// Rebalances, and prints. Returns whether the servers of each cluster are even; a sentence on standard error says why they are not.
///
/// # Errors
/// The first look failed, or a later one; or a server refused an order.
pub async fn run(plan: RebalancePlan) -> Result<bool, RebalanceError> {
    let report = play(&plan).await?;
    if plan.json {
        // Numbers, texts and lists always have a JSON form.
        print(&serde_json::to_string_pretty(&report).unwrap_or_default())?;
    }
    if let Some(failure) = report.failure() {
        eprintln!("loadgen: {failure}");
    }
    Ok(report.even)
}

/// Rebalances. With `json` in the options, it prints nothing. Dropping the future ends it before the next batch.
///
/// # Errors
/// As those of [`run`].
pub async fn play(plan: &RebalancePlan) -> Result<RebalanceReport, RebalanceError> {
    let system = System::new(plan.login.open().await?, plan.timeout).await?;
    let counter = Counter::new(system, plan.cluster.clone(), plan.timeout).await?;
    let rebalancing =
        Rebalancing { plan, counter, asked: Asked::default(), efforts: BTreeMap::new(), batches: Vec::new() };
    rebalancing.run().await
}

/// A rebalancing under way.
struct Rebalancing<'a> {
    plan: &'a RebalancePlan,
    counter: Counter,
    asked: Asked,
    /// By cluster.
    efforts: BTreeMap<String, Effort>,
    batches: Vec<BatchRow>,
}

/// Whether asking still helps.
#[derive(Debug)]
struct Effort {
    /// The lowest excess so far.
    lowest: usize,
    /// Clients asked when it was reached.
    asked: usize,
}

/// The next thing to do in a cluster.
enum Step {
    /// Ask clients.
    Ask(Batch),
    /// Clients that were asked may still leave.
    Wait,
    /// Nothing more.
    End(Ended),
}

impl Rebalancing<'_> {
    async fn run(mut self) -> Result<RebalanceReport, RebalanceError> {
        let mut look = self.counter.look().await?;
        let before: Vec<_> = look.clusters.iter().map(Cluster::row).collect();
        self.say(|| report::clusters("Before", &before, self.plan.within))?;
        if self.plan.dry_run {
            return self.dry_run(&look);
        }
        let results = loop {
            self.asked.settle(&look.clusters, clock::now(), self.plan.patience)?;
            let steps: Vec<_> = look.clusters.iter().map(|cluster| self.step(cluster)).collect();
            let ended: Vec<_> = steps
                .iter()
                .filter_map(|step| if let Step::End(ended) = step { Some(*ended) } else { None })
                .collect();
            if ended.len() == look.clusters.len() {
                break look
                    .clusters
                    .iter()
                    .zip(ended)
                    .map(|(cluster, ended)| self.result(cluster, ended))
                    .collect();
            }
            for (cluster, step) in look.clusters.iter().zip(steps) {
                if let Step::Ask(batch) = step {
                    self.ask(cluster, batch).await?;
                }
            }
            tokio::time::sleep(self.plan.pause).await;
            let next = self.counter.look().await?;
            next.has_all_of(&look)?;
            look = next;
        };
        let report = self.report(before, &look, results);
        self.say(|| report::clusters("After", &report.after, self.plan.within))?;
        self.say(|| report.sentences())?;
        Ok(report)
    }

    /// Prints the batches as one per server.
    fn dry_run(mut self, look: &Look) -> Result<RebalanceReport, RebalanceError> {
        let mut results = Vec::new();
        for cluster in &look.clusters {
            let counts = cluster.counts();
            let is_even = is_even(&counts, self.plan.within);
            results.push(self.result(cluster, if is_even { Ended::Even } else { Ended::DryRun }));
            if is_even {
                continue;
            }
            for batch in whole_plan(&counts, self.plan.within, self.left_to_ask()) {
                let row = batch_row(cluster, batch);
                self.say(|| row.dry_line())?;
                self.batches.push(row);
            }
        }
        let before: Vec<_> = look.clusters.iter().map(Cluster::row).collect();
        let report = self.report(before, look, results);
        self.say(|| report.sentences())?;
        Ok(report)
    }

    /// Decides about a cluster whose clients have just been counted.
    fn step(&mut self, cluster: &Cluster) -> Step {
        let (plan, counts) = (self.plan, cluster.counts());
        let tally = self.asked.tally(&cluster.name);
        let loads: Vec<_> = cluster.servers.iter().map(|server| self.asked.load(server)).collect();
        let above = excess(&counts);
        let effort = self.efforts.entry(cluster.name.clone());
        let effort = effort.or_insert(Effort { lowest: above, asked: 0 });
        if above < effort.lowest {
            *effort = Effort { lowest: above, asked: tally.asked };
        }
        let in_vain = tally.asked - effort.asked;
        let is_in_vain = in_vain >= (2 * effort.lowest).max(3 * plan.batch).max(TRIES);
        let left = self.left_to_ask();
        if !is_in_vain
            && left > 0
            && let Some(batch) = next_batch(&loads, plan.within, plan.batch.min(left))
        {
            return Step::Ask(batch);
        }
        if tally.waiting > 0 {
            return Step::Wait;
        }
        Step::End(match () {
            () if is_even(&counts, plan.within) => Ended::Even,
            () if left == 0 => Ended::AtMost,
            () if is_in_vain => Ended::NoEffect,
            () => Ended::AllAsked,
        })
    }

    /// Clients that may still be asked.
    fn left_to_ask(&self) -> usize {
        self.plan.at_most.map_or(usize::MAX, |limit| limit.saturating_sub(self.asked.len()))
    }

    /// Orders the server to ask the clients that it has had for the longest time.
    async fn ask(&mut self, cluster: &Cluster, batch: Batch) -> Result<(), RebalanceError> {
        let server = &cluster.servers[batch.server];
        let unasked = server.clients.iter().filter(|client| !self.asked.has(server, client));
        let (system, id) = (self.counter.system.client(), &server.id);
        // All at once: far servers would make a batch slow.
        let orders = unasked.take(batch.clients).map(async |client| {
            let result = ClientOrder::LameDuck.send(system, id, client.cid).await;
            (client, result.map(|()| clock::now()))
        });
        for (client, result) in join_all(orders).await {
            self.asked.add(cluster, server, client, result);
        }
        let row = batch_row(cluster, batch);
        self.say(|| row.line(self.asked.tally(&cluster.name)))?;
        self.batches.push(row);
        Ok(())
    }

    fn result(&self, cluster: &Cluster, ended: Ended) -> ResultRow {
        let tally = self.asked.tally(&cluster.name);
        let (asked, moved, stayed) = (tally.asked, tally.moved, tally.stayed);
        ResultRow { cluster: cluster.name.clone(), ended, asked, moved, stayed }
    }

    fn report(
        &self,
        before: Vec<report::ClusterRow>,
        last: &Look,
        results: Vec<ResultRow>,
    ) -> RebalanceReport {
        RebalanceReport {
            within_percent: self.plan.within,
            dry_run: self.plan.dry_run,
            silent: last.silent,
            before,
            batches: self.batches.clone(),
            after: last.clusters.iter().map(Cluster::row).collect(),
            even: results.iter().all(|result| result.ended == Ended::Even),
            results,
            stayed: self.asked.stayed(),
        }
    }

    /// Prints a text while it happens. JSON comes at the end.
    fn say(&self, text: impl FnOnce() -> String) -> Result<(), RebalanceError> {
        if self.plan.json { Ok(()) } else { print(&text()) }
    }
}

/// Clients of small clusters that are asked without effect before the command gives up.
const TRIES: usize = 12;

fn batch_row(cluster: &Cluster, batch: Batch) -> BatchRow {
    let server = &cluster.servers[batch.server];
    BatchRow {
        cluster: cluster.name.clone(),
        server: server.name.clone(),
        clients: server.clients.len(),
        mean: cluster.row().mean(),
        asked: batch.clients,
    }
}

fn print(text: &str) -> Result<(), RebalanceError> {
    stdout::print(text).map_err(RebalanceError::Output)
}
