//! The ways in which the S3 of these tests handles a request.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The treatment of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    /// S3 answers.
    Serve,
    /// 503, and nothing happens.
    Unavailable,
    /// 403, and nothing happens.
    Deny,
    /// The connection breaks while the request is on its way.
    BreakRequest,
    /// S3 does what is asked, and the connection breaks before its answer.
    BreakAnswer,
    /// The connection breaks in the middle of the answer.
    TruncateAnswer,
    /// S3 answers late.
    Slow,
}

/// Chooses fates by a seed.
pub(crate) struct Fates {
    /// One of them for so many of a hundred requests.
    faults: Vec<Fate>,
    percent: u64,
    /// Requests that are served before any fault.
    spared: u64,
    state: Mutex<u64>,
    seen: AtomicU64,
    failed: AtomicU64,
}

impl Fates {
    /// Every request is served.
    pub(crate) fn kind() -> Self {
        Self::new(&[Fate::Serve], 0)
    }

    /// So many of a hundred requests meet one of these fates.
    pub(crate) fn new(faults: &[Fate], percent: u64) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            faults: faults.to_vec(),
            percent,
            spared: 0,
            state: Mutex::new(SEED),
            seen: zero(),
            failed: zero(),
        }
    }

    /// All requests after the first `spared` ones meet this fate.
    pub(crate) fn after(spared: u64, fate: Fate) -> Self {
        Self { spared, ..Self::new(&[fate], 100) }
    }

    pub(crate) fn next(&self) -> Fate {
        if self.seen.fetch_add(1, Ordering::SeqCst) < self.spared {
            return Fate::Serve;
        }
        let drawn = {
            // xorshift64: the same seed gives the same fates.
            let mut state = self.state.lock().unwrap();
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            *state >> 11
        };
        if drawn % 100 >= self.percent {
            return Fate::Serve;
        }
        self.failed.fetch_add(1, Ordering::SeqCst);
        self.faults[(drawn / 100) as usize % self.faults.len()]
    }

    /// How many requests there were.
    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    /// How many of them met a fault.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
