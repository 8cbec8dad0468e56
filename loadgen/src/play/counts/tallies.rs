//! Puts and gets, counted and timed in bounded memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::clients::Outcome;
use crate::clock;
use crate::play::StoreRecord;
use crate::play::phases::Phases;
use crate::record::histograms::{micros, new_histogram};

/// The puts and gets of a play.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tallies {
    phases: Phases,
    tallies: Arc<Mutex<BTreeMap<Key, Tally>>>,
}

/// Whose operations.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Whose {
    pub(crate) workload: usize,
    pub(crate) population: usize,
    pub(crate) region: String,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    whose: Whose,
    phase: usize,
    is_get: bool,
}

#[derive(Debug)]
struct Tally {
    begun: u64,
    stale: u64,
    corrupt: u64,
    /// Of those that succeeded.
    latency: Histogram<u32>,
}

/// The result that an operation returned when it succeeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Seen {
    /// The expected value.
    Right,
    /// An older value than the client has written before.
    Stale,
    /// Content that nobody has written.
    Corrupt,
}

impl Tallies {
    pub(crate) fn new(phases: Phases) -> Self {
        Self { phases, tallies: Arc::default() }
    }

    /// Waits for an operation that was due at a time, and counts it in the phase of that time. One that is dropped counts as failed.
    pub(crate) async fn measure(
        &self,
        whose: &Whose,
        is_get: bool,
        due: Instant,
        operation: impl Future<Output = Result<Seen, Outcome>>,
    ) -> Outcome {
        let key = Key { whose: whose.clone(), phase: self.phases.at(due), is_get };
        self.lock().entry(key.clone()).or_insert_with(Tally::new).begun += 1;
        let seen = match operation.await {
            Ok(seen) => seen,
            Err(outcome) => return outcome,
        };
        let took = clock::now().saturating_duration_since(due);
        let mut tallies = self.lock();
        let tally = tallies.entry(key).or_insert_with(Tally::new);
        tally.latency.saturating_record(micros(took));
        match seen {
            Seen::Right => {}
            Seen::Stale => tally.stale += 1,
            Seen::Corrupt => tally.corrupt += 1,
        }
        Outcome::Ok
    }

    /// Returns all sums.
    pub(crate) fn records(&self) -> Vec<StoreRecord> {
        let record = |(key, tally): (&Key, &Tally)| StoreRecord {
            workload: key.whose.workload,
            population: key.whose.population,
            region: key.whose.region.clone(),
            phase: key.phase,
            is_get: key.is_get,
            begun: tally.begun,
            stale: tally.stale,
            corrupt: tally.corrupt,
            latency: tally.latency.clone(),
        };
        self.lock().iter().map(record).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn new() -> Self {
        Self { begun: 0, stale: 0, corrupt: 0, latency: new_histogram() }
    }
}

/// Takes gets and puts in turn, so that their shares hold at every time.
#[derive(Debug)]
pub(crate) struct Turns {
    gets: f64,
    owed: f64,
}

impl Turns {
    /// `gets`: the share of gets, 0 to 1.
    pub(crate) const fn new(gets: f64) -> Self {
        Self { gets, owed: 0.0 }
    }

    /// Returns whether the next operation is a get.
    pub(crate) fn next_is_get(&mut self) -> bool {
        self.owed += self.gets;
        // Shares such as 0.1 have no exact sum.
        let is_get = self.owed > 1.0 - 1e-9;
        if is_get {
            self.owed -= 1.0;
        }
        is_get
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gets_have_their_share_of_turns() {
        for (gets, expected) in [(0.0, 0), (0.1, 10), (0.5, 50), (0.8, 80), (1.0, 100)] {
            let mut turns = Turns::new(gets);
            let count = (0..100).filter(|_| turns.next_is_get()).count();
            assert_eq!(count, expected, "of {gets}");
        }
        let mut turns = Turns::new(0.5);
        let four: Vec<_> = (0..4).map(|_| turns.next_is_get()).collect();
        assert_eq!(four, [false, true, false, true]);
    }

    #[tokio::test]
    async fn operations_that_fail_or_are_dropped_are_failures() {
        let phases = Phases::default();
        let due = clock::now();
        phases.begin(due);
        let tallies = Tallies::new(phases);
        let whose = Whose { workload: 0, population: 1, region: "lon".into() };
        let measure = |result| tallies.measure(&whose, true, due, async move { result });
        assert_eq!(measure(Ok(Seen::Right)).await, Outcome::Ok);
        assert_eq!(measure(Ok(Seen::Stale)).await, Outcome::Ok);
        assert_eq!(measure(Err(Outcome::Failed)).await, Outcome::Failed);
        let never = tallies.measure(&whose, true, due, std::future::pending());
        assert!(tokio::time::timeout(std::time::Duration::from_millis(1), never).await.is_err());
        let records = tallies.records();
        let [only] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((only.begun, only.latency.len(), only.stale, only.corrupt), (4, 2, 1, 0));
    }
}
