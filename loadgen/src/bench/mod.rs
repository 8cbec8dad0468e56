//! `loadgen bench`: plain throughput against any NATS server, as `nats bench` measures it.
//!
//! This folder owns the options (`opts`), the work of one client (`work`, `jetstream`) and the result (`result`). It
//! must not start servers, and must not know faults.

mod jetstream;
pub mod opts;
mod result;
mod work;

use std::time::Instant;

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

pub use result::{BenchResult, ResponseTimes};

use crate::clock;
use crate::look::connect::{Connection, Login, OpenError};
use crate::record::histograms::new_histogram;
use opts::BenchCommand;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// No connection.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The server refuses, or the connection ended.
    #[error("{what} failed: {reason}")]
    Failed {
        /// The operation.
        what: &'static str,
        /// In the client's words.
        reason: String,
    },
}

impl BenchError {
    fn of(what: &'static str, error: impl std::fmt::Display) -> Self {
        Self::Failed { what, reason: error.to_string() }
    }
}

/// The work that one client did.
#[derive(Debug)]
struct Share {
    began: Instant,
    ended: Instant,
    messages: u64,
    /// Microseconds of each operation; `None` where nobody waits for a single one.
    times: Option<Histogram<u64>>,
}

impl Share {
    fn new() -> Self {
        let now = clock::now();
        Self { began: now, ended: now, messages: 0, times: None }
    }

    fn timed() -> Self {
        Self { times: Some(new_histogram()), ..Self::new() }
    }

    /// One operation that began at this time has ended.
    fn done(&mut self, began: Instant) {
        self.messages += 1;
        if let Some(times) = &mut self.times {
            times.saturating_record(crate::record::histograms::micros(began.elapsed()));
        }
    }

    fn end(mut self) -> Self {
        self.ended = clock::now();
        self
    }
}

/// Connects all clients, lets them work at once, and sums up.
///
/// # Errors
/// A client does not connect, or the server refuses something.
pub async fn run(login: Login, command: BenchCommand) -> Result<BenchResult, BenchError> {
    let bench = command.bench();
    let mut connections: Vec<Connection> = Vec::new();
    for _ in 0..bench.clients {
        connections.push(login.open().await?);
    }
    if let Some(first) = connections.first() {
        jetstream::prepare(&command, first).await?;
    }
    let mut working = JoinSet::new();
    for (number, connection) in (0..).zip(connections) {
        let command = command.clone();
        working.spawn(async move { one(&command, number, &connection).await });
    }
    let mut shares = Vec::new();
    while let Some(share) = working.join_next().await {
        shares.push(share.map_err(|error| BenchError::of("a client", error))??);
    }
    Ok(result::sum(&command, &shares))
}

/// The work of one client.
async fn one(command: &BenchCommand, number: u32, connection: &Connection) -> Result<Share, BenchError> {
    let bench = command.bench();
    let client = &connection.client;
    let share = share_of(bench.msgs, bench.clients, number);
    match command {
        BenchCommand::Pub(opts) => work::publish(client, opts, share).await,
        BenchCommand::Sub(opts) => work::subscribe(client, opts).await,
        BenchCommand::Serve(opts) => work::serve(client, opts, share).await,
        BenchCommand::Request(opts) => work::request(client, opts, share).await,
        BenchCommand::JsPub(opts) => jetstream::publish(connection, opts, share).await,
        BenchCommand::JsConsume(opts) => jetstream::consume(connection, opts, share).await,
        BenchCommand::KvPut(opts) => jetstream::put(connection, opts, (number, share)).await,
        BenchCommand::KvGet(opts) => jetstream::get(connection, opts, (number, share)).await,
    }
}

/// The first clients take what does not divide evenly.
fn share_of(messages: u64, clients: u32, number: u32) -> u64 {
    let clients = u64::from(clients);
    messages / clients + u64::from(u64::from(number) < messages % clients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        for (messages, clients) in [(10, 3), (3, 10), (100, 7)] {
            let shares: u64 = (0..clients).map(|number| share_of(messages, clients, number)).sum();
            assert_eq!(shares, messages);
        }
    }
}
