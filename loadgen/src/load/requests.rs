//! Operations of one client by an open-loop schedule, such as echo requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::task::{JoinHandle, JoinSet};

use super::pacer::Pacer;
use crate::clients::{Client, Outcome};
use crate::clock;

/// The subject that responders in every region serve.
pub const ECHO: &str = "loadgen.echo";

/// The subject of the micro service that scenarios start in every region.
pub const SERVICE: &str = "loadgen.service";

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// When it was to be sent.
    pub intended: Instant,
    /// When it was sent.
    pub sent: Instant,
    /// When it ended.
    pub done: Instant,
    /// How.
    pub outcome: Outcome,
}

/// How many operations ended so far, for those who watch.
#[derive(Debug, Default)]
pub struct Counts {
    ok: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    /// Those that succeeded, and those that did not.
    pub fn get(&self) -> (u64, u64) {
        (self.ok.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

/// Operations that ended.
#[derive(Clone, Debug)]
struct Ended {
    /// `None` for operations that nobody looks at one by one.
    ops: Option<Arc<Mutex<Vec<Op>>>>,
    counts: Arc<Counts>,
}

impl Ended {
    fn add(&self, op: Op) {
        let counter = if op.outcome == Outcome::Ok { &self.counts.ok } else { &self.counts.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Some(ops) = &self.ops {
            ops.lock().unwrap_or_else(PoisonError::into_inner).push(op);
        }
    }
}

/// When the operations of a client begin.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// At times that do not depend on the answers: users who do not know of each other. An outage hides none of them.
    Open(Pacer),
    /// So many at once, from a time on, each after the one before it: workers with a queue. An outage holds them up, so their latency
    /// leaves out the operations that never began.
    Closed {
        /// When the first ones begin.
        start: Instant,
        /// How many at once.
        concurrency: u16,
    },
}

impl From<Pacer> for Schedule {
    fn from(pacer: Pacer) -> Self {
        Self::Open(pacer)
    }
}

/// Operations of one client, running: by an open schedule whether the earlier ones have ended or not.
#[derive(Debug)]
pub struct Requests {
    task: JoinHandle<()>,
    ended: Ended,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Requests {
    /// Sends `per_second` requests from `start` on.
    pub fn start(client: Client, start: Instant, per_second: u16, payload: Bytes) -> Self {
        Self::of(Pacer::new(start, per_second), move |_| {
            let (client, payload) = (client.clone(), payload.clone());
            async move { client.request(ECHO, payload).await }
        })
    }

    /// Begins operations by a schedule, and gives each the time when it should begin.
    pub fn of<F>(
        schedule: impl Into<Schedule>,
        operation: impl Fn(Instant) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        Self::begin(schedule.into(), Ended { ops: Some(Arc::default()), counts: Arc::default() }, operation)
    }

    /// Does the same as [`of`](Self::of), but keeps no operation: for messages that ledgers and histograms count.
    pub fn uncounted<F>(
        schedule: impl Into<Schedule>,
        operation: impl Fn(Instant) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        Self::begin(schedule.into(), Ended { ops: None, counts: Arc::default() }, operation)
    }

    fn begin<F>(
        schedule: Schedule,
        ended: Ended,
        operation: impl Fn(Instant) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let task = match schedule {
            Schedule::Open(pacer) => tokio::spawn(run(operation, pacer, ended.clone(), stopped)),
            Schedule::Closed { start, concurrency } => {
                tokio::spawn(run_closed(operation, (start, concurrency), ended.clone(), stopped))
            }
        };
        Self { task, ended, stop }
    }

    /// How many operations ended so far.
    pub fn counts(&self) -> &Counts {
        &self.ended.counts
    }

    /// Returns the operations that have ended since the last time.
    pub fn drain(&self) -> Vec<Op> {
        let ops = self.ended.ops.as_ref();
        ops.map(|ops| std::mem::take(&mut *ops.lock().unwrap_or_else(PoisonError::into_inner)))
            .unwrap_or_default()
    }

    /// Stops sending and returns all operations. Those that are not answered yet had the rest of the fault and
    /// count as timed out: a stock client would keep them for ten seconds more.
    pub async fn finish(self) -> Vec<Op> {
        // The task holds the other end as long as it runs.
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a request task panicked");
        }
        let Some(ops) = self.ended.ops else { return Vec::new() };
        std::mem::take(&mut *ops.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts the load of all these clients, each at its own rate and its own phase of the period: in step, they would queue
/// behind each other.
pub fn start_all(clients: impl ExactSizeIterator<Item = (Client, u16)>) -> Vec<Requests> {
    let (start, count) = (clock::now(), clients.len().max(1) as u32);
    let started = clients.zip(0..).map(|((client, rate), number)| {
        let phase = Duration::from_secs(1) / u32::from(rate.max(1)) / count * number;
        Requests::start(client, start + phase, rate, Bytes::from_static(b"ping"))
    });
    started.collect()
}

async fn run<F>(
    operation: impl Fn(Instant) -> F,
    mut pacer: Pacer,
    ended: Ended,
    mut stopped: tokio::sync::watch::Receiver<bool>,
) where
    F: Future<Output = Outcome> + Send + 'static,
{
    let mut in_flight = JoinSet::new();
    loop {
        let intended = tokio::select! {
            biased;
            _ = stopped.changed() => break,
            intended = pacer.tick() => intended,
        };
        in_flight.spawn(one(operation(intended), intended, ended.clone(), stopped.clone()));
        while in_flight.try_join_next().is_some() {}
    }
    while in_flight.join_next().await.is_some() {}
}

/// So many loops, each of which begins an operation when its last one has ended.
async fn run_closed<F>(
    operation: impl Fn(Instant) -> F,
    (start, concurrency): (Instant, u16),
    ended: Ended,
    stopped: tokio::sync::watch::Receiver<bool>,
) where
    F: Future<Output = Outcome> + Send + 'static,
{
    let work = async || {
        tokio::time::sleep_until(start.into()).await;
        // An error means that the sender is gone: that is the end too.
        while stopped.has_changed().is_ok_and(|_| !*stopped.borrow()) {
            let now = clock::now();
            if one(operation(now), now, ended.clone(), stopped.clone()).await == Outcome::Failed {
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    };
    join_all((0..concurrency).map(|_| work())).await;
}

/// Waits for one operation, and keeps it if somebody looks at it.
async fn one(
    operation: impl Future<Output = Outcome>,
    intended: Instant,
    ended: Ended,
    stopped: tokio::sync::watch::Receiver<bool>,
) -> Outcome {
    let sent = clock::now();
    let outcome = tokio::select! {
        outcome = operation => outcome,
        () = end_of(stopped) => Outcome::TimedOut,
    };
    ended.add(Op { intended, sent, done: clock::now(), outcome });
    outcome
}

/// The end of the load, and a moment for answers that are on their way.
async fn end_of(mut stopped: tokio::sync::watch::Receiver<bool>) {
    // An error means that the sender is gone: that is the end too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
    tokio::time::sleep(LAST_ANSWERS).await;
}

/// An application waits before it tries again. Without a pause, a closed loop that is refused at once would do nothing else.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Longer than the longest round trip of the built-in table, with a hop through another region.
const LAST_ANSWERS: Duration = Duration::from_millis(700);

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    /// Begins a closed loop whose operations wait for a permit. Returns it with the number of operations that have begun.
    fn closed(concurrency: u16, gate: &Arc<Semaphore>, outcome: Outcome) -> (Requests, Arc<AtomicU64>) {
        let (begun, gate) = (Arc::new(AtomicU64::new(0)), Arc::clone(gate));
        let counted = Arc::clone(&begun);
        let schedule = Schedule::Closed { start: clock::now(), concurrency };
        let operations = Requests::of(schedule, move |_| {
            let (begun, gate) = (Arc::clone(&counted), Arc::clone(&gate));
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                outcome
            }
        });
        (operations, begun)
    }

    async fn until(begun: &AtomicU64, count: u64) {
        while begun.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_closed_loop_begins_an_operation_when_one_ends() {
        let gate = Arc::new(Semaphore::new(0));
        let (operations, begun) = closed(3, &gate, Outcome::Ok);
        until(&begun, 3).await;
        gate.add_permits(7);
        until(&begun, 10).await;
        let ops = operations.finish().await;
        let count = |outcome| ops.iter().filter(|op| op.outcome == outcome).count();
        assert_eq!((count(Outcome::Ok), count(Outcome::TimedOut), ops.len()), (7, 3, 10));
        assert_eq!(begun.load(Ordering::SeqCst), 10, "no more than three at once");
    }

    #[tokio::test]
    async fn a_closed_loop_pauses_after_a_failure() {
        let gate = Arc::new(Semaphore::new(2));
        let (operations, begun) = closed(1, &gate, Outcome::Failed);
        until(&begun, 2).await;
        let ops = operations.finish().await;
        assert!(ops[1].intended - ops[0].done >= PAUSE_AFTER_FAILURE);
    }
}
