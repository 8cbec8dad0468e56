//! A flow of numbered messages, which shows the messages that are lost and those that arrive twice.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use tokio::task::JoinHandle;

use super::pacer::Pacer;
use crate::clients::{Client, prove_subscribed};
use crate::clock;

/// Distribution of messages over the subscribers of a flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Every subscriber has a subject of its own, and its share of the messages.
    Plain,
    /// All subscribers form one queue group.
    Queue,
}

/// Counts of a flow, for one subscriber (plain) or for the group (queue).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Tally {
    /// Published messages.
    pub sent: u64,
    /// Messages that were never delivered.
    pub lost: u64,
    /// Deliveries beyond the first.
    pub doubled: u64,
}

/// A running flow.
#[derive(Debug)]
pub struct Flow {
    name: String,
    ledgers: Vec<Ledger>,
    receivers: Vec<JoinHandle<()>>,
    feeder: Option<(JoinHandle<u64>, tokio::sync::watch::Sender<bool>)>,
}

/// How often which number was delivered.
#[derive(Clone, Debug, Default)]
struct Ledger(Arc<Mutex<Vec<u8>>>);

/// A flow that could not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the publisher and its subscribers: {0}")]
pub struct FlowError(String);

impl Flow {
    /// Subscribes the clients and publishes `per_second` messages, in all, through the server at `feeder_url`.
    ///
    /// # Errors
    /// A subscription or the publisher could not be set up.
    pub async fn start(
        kind: Kind,
        name: &str,
        clients: &[Client],
        feeder_url: &str,
        per_second: u16,
    ) -> Result<Self, FlowError> {
        let subjects = match kind {
            Kind::Plain => (0..clients.len()).map(|number| format!("{name}.{number}")).collect(),
            Kind::Queue => vec![name.to_owned()],
        };
        let ledgers: Vec<_> = subjects.iter().map(|_| Ledger::default()).collect();
        let group = (kind == Kind::Queue).then_some("loadgen");
        let subscribe = async |(number, client): (usize, &Client)| {
            let which = number % subjects.len();
            let messages = client.subscribe(&subjects[which], group).await.map_err(FlowError)?;
            Ok(tokio::spawn(receive(messages, ledgers[which].clone())))
        };
        let receivers = try_join_all(clients.iter().enumerate().map(subscribe)).await?;
        let publisher =
            async_nats::connect(feeder_url).await.map_err(|error| FlowError(error.to_string()))?;
        await_interest(&publisher, &subjects, &ledgers).await?;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let feeder = tokio::spawn(feed(publisher, subjects, per_second, stopped));
        Ok(Self { name: name.to_owned(), ledgers, receivers, feeder: Some((feeder, stop)) })
    }

    /// Stops publishing, waits until everything has arrived or nothing comes any more, and counts.
    pub async fn finish(mut self) -> Vec<Tally> {
        let Some((feeder, stop)) = self.feeder.take() else { return Vec::new() };
        // The feeder holds the other end as long as it runs.
        let _ = stop.send(true);
        let rounds = feeder.await.unwrap_or_default();
        let limit = clock::now() + SETTLE_LIMIT;
        while self.ledgers.iter().any(|ledger| ledger.tally(rounds).lost > 0) && clock::now() < limit {
            tokio::time::sleep(SETTLE_STEP).await;
        }
        self.receivers.iter().for_each(JoinHandle::abort);
        for (number, ledger) in self.ledgers.iter().enumerate() {
            tracing::debug!(flow = self.name, number, lost = ?ledger.lost_ranges(rounds), sent = rounds);
        }
        self.ledgers.iter().map(|ledger| ledger.tally(rounds)).collect()
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.receivers.iter().for_each(JoinHandle::abort);
    }
}

impl Ledger {
    fn count(&self, number: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = number as usize;
        if counts.len() <= index {
            counts.resize(index + 1, 0);
        }
        counts[index] = counts[index].saturating_add(1);
    }

    /// Number 0 is what interest is tried with; 1 to `sent` are the flow.
    fn tally(&self, sent: u64) -> Tally {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |number: u64| counts.get(number as usize).copied().unwrap_or(0);
        let lost = (1..=sent).filter(|number| count(*number) == 0).count() as u64;
        let doubled = (1..=sent).map(|number| u64::from(count(number).saturating_sub(1))).sum();
        Tally { sent, lost, doubled }
    }

    /// The same as ranges, to see in a log when it was.
    fn lost_ranges(&self, sent: u64) -> Vec<(u64, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for number in (1..=sent).filter(|number| counts.get(*number as usize).copied().unwrap_or(0) == 0) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => ranges.push((number, number)),
            }
        }
        ranges
    }

    fn has_begun(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

async fn receive(mut messages: futures_util::stream::BoxStream<'static, Bytes>, ledger: Ledger) {
    while let Some(payload) = messages.next().await {
        if let Ok(number) = <[u8; 8]>::try_from(payload.as_ref()) {
            ledger.count(u64::from_be_bytes(number));
        }
    }
}

/// Interest in the subjects must have crossed routes and gateways before loss can be anybody's fault.
async fn await_interest(
    publisher: &async_nats::Client,
    subjects: &[String],
    ledgers: &[Ledger],
) -> Result<(), FlowError> {
    let failed = |error: String| FlowError(error);
    prove_subscribed(publisher).await.map_err(failed)?;
    let limit = clock::now() + INTEREST_LIMIT;
    while !ledgers.iter().all(Ledger::has_begun) {
        if clock::now() > limit {
            return Err(FlowError(format!(
                "no interest in {} within {INTEREST_LIMIT:?}",
                subjects.join(", ")
            )));
        }
        for subject in subjects {
            publish(publisher, subject, 0).await.map_err(failed)?;
        }
        tokio::time::sleep(SETTLE_STEP).await;
    }
    Ok(())
}

/// Publishes number 1, 2, ... to the subjects in turn, a few per wake-up. Returns the last number, which each
/// subject has got.
async fn feed(
    publisher: async_nats::Client,
    subjects: Vec<String>,
    per_second: u16,
    stopped: tokio::sync::watch::Receiver<bool>,
) -> u64 {
    let mut pacer = Pacer::new(clock::now(), (per_second / BATCH).max(1));
    let turns = subjects.len() as u64;
    let mut published = 0;
    while !*stopped.borrow() || !published_evenly(published, turns) {
        let _: Instant = pacer.tick().await;
        for _ in 0..BATCH {
            let (number, subject) = (published / turns + 1, &subjects[(published % turns) as usize]);
            published += 1;
            if let Err(error) = publish(&publisher, subject, number).await {
                tracing::error!(error, "the feeder cannot publish");
            }
        }
    }
    // What is still in the client's buffer when it is dropped would count as lost.
    if let Err(error) = prove_subscribed(&publisher).await {
        tracing::error!(error, "the feeder's last messages may not have left");
    }
    published / turns
}

/// Returns whether all subjects have got equally many messages.
const fn published_evenly(published: u64, turns: u64) -> bool {
    published.is_multiple_of(turns)
}

async fn publish(publisher: &async_nats::Client, subject: &str, number: u64) -> Result<(), String> {
    let payload = Bytes::copy_from_slice(&number.to_be_bytes());
    publisher.publish(subject.to_owned(), payload).await.map_err(|error| error.to_string())
}

/// After the last message was published, whatever has not arrived within this time is lost.
const SETTLE_LIMIT: Duration = Duration::from_secs(1);

/// Messages per wake-up of the feeder: at 1000 per second one every 5 ms, which saves the machine four of five
/// packets and system calls on the whole way.
const BATCH: u16 = 5;

/// How often to look.
const SETTLE_STEP: Duration = Duration::from_millis(20);

/// Interest crosses a gateway within one RTT; the rest is for a busy machine.
const INTEREST_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_sees_what_is_lost_and_what_is_doubled() {
        let ledger = Ledger::default();
        for number in [0, 0, 1, 2, 2, 2, 5] {
            ledger.count(number);
        }
        assert_eq!(ledger.tally(6), Tally { sent: 6, lost: 3, doubled: 2 });
        assert_eq!(ledger.tally(2), Tally { sent: 2, lost: 0, doubled: 2 });
        assert_eq!(ledger.lost_ranges(6), [(3, 4), (6, 6)]);
    }
}
