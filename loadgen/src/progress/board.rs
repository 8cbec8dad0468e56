//! The progress of a play, for readers outside of this terminal: the controller of an agent, and Prometheus.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::status::Status;
use crate::clock;

/// Where a play stood when somebody looked last. Its clones show the same.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Notes>>);

/// The content of a [`Board`].
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Clients and their operations.
    pub status: Status,
    /// The phase of the timeline; `None`: before the first one.
    pub phase: Option<String>,
    looked: Option<Instant>,
}

impl Board {
    /// Returns a copy of what it shows.
    pub fn read(&self) -> Notes {
        self.lock().clone()
    }

    /// Another play begins.
    pub(crate) fn clear(&self) {
        *self.lock() = Notes::default();
    }

    /// The clients have ended. Their operations stay counted.
    pub(crate) fn end(&self) {
        for region in &mut self.lock().status.regions {
            region.connected.fill(0);
            region.offline = 0;
        }
    }

    pub(super) fn begin_phase(&self, name: &str) {
        self.lock().phase = Some(name.to_owned());
    }

    /// Looks again, unless somebody has just looked: a look at very many clients takes a while.
    pub(super) fn look(&self, status: impl FnOnce() -> Status) {
        let mut notes = self.lock();
        if notes.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
            notes.status = status();
            notes.looked = Some(clock::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Twice for each sign of life of an agent.
const LOOK_EVERY: Duration = Duration::from_millis(500);
