//! Operations of one client by an open-loop schedule, such as echo requests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::{JoinHandle, JoinSet};

use super::pacer::Pacer;
use crate::clients::{Client, Outcome};
use crate::clock;

/// The subject that responders in every region serve.
pub const ECHO: &str = "loadgen.echo";

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

/// Operations of one client, running: one after the other by the schedule, whether the earlier ones have ended or not.
#[derive(Debug)]
pub struct Requests {
    task: JoinHandle<()>,
    /// Those that ended.
    ops: Arc<Mutex<Vec<Op>>>,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Requests {
    /// Sends `per_second` requests from `start` on.
    pub fn start(client: Client, start: Instant, per_second: u16, payload: Bytes) -> Self {
        Self::of(start, per_second, move || {
            let (client, payload) = (client.clone(), payload.clone());
            async move { client.request(ECHO, payload).await }
        })
    }

    /// Begins `per_second` operations from `start` on.
    pub fn of<F>(start: Instant, per_second: u16, operation: impl Fn() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let ops = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let task = tokio::spawn(run(operation, Pacer::new(start, per_second), Arc::clone(&ops), stopped));
        Self { task, ops, stop }
    }

    /// Stops sending and returns all operations. Those that are not answered yet had the rest of the fault and
    /// count as timed out: a stock client would keep them for ten seconds more.
    pub async fn finish(self) -> Vec<Op> {
        // The task holds the other end as long as it runs.
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a request task panicked");
        }
        std::mem::take(&mut *self.ops.lock().unwrap_or_else(PoisonError::into_inner))
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
    operation: impl Fn() -> F,
    mut pacer: Pacer,
    ops: Arc<Mutex<Vec<Op>>>,
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
        let (operation, ops, stopped) = (operation(), Arc::clone(&ops), stopped.clone());
        in_flight.spawn(async move {
            let sent = clock::now();
            let outcome = tokio::select! {
                outcome = operation => outcome,
                () = ended(stopped) => Outcome::TimedOut,
            };
            let op = Op { intended, sent, done: clock::now(), outcome };
            ops.lock().unwrap_or_else(PoisonError::into_inner).push(op);
        });
        while in_flight.try_join_next().is_some() {}
    }
    while in_flight.join_next().await.is_some() {}
}

/// The end of the load, and a moment for answers that are on their way.
async fn ended(mut stopped: tokio::sync::watch::Receiver<bool>) {
    // An error means that the sender is gone: that is the end too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
    tokio::time::sleep(LAST_ANSWERS).await;
}

/// Longer than the longest round trip of the built-in table, with a hop through another region.
const LAST_ANSWERS: Duration = Duration::from_millis(700);
