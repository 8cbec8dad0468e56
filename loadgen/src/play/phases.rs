//! The phases of a play as they begin.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

/// When each phase began. An undo can delay the later ones, so nobody knows them before they begin.
#[derive(Clone, Debug, Default)]
pub(super) struct Phases(Arc<RwLock<Vec<Instant>>>);

impl Phases {
    /// The next phase begins, or the last one ends.
    pub(super) fn begin(&self, at: Instant) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(at);
    }

    /// Returns the index of the phase at a time. Times before the first one belong to it.
    pub(super) fn at(&self, at: Instant) -> usize {
        let begun = self.0.read().unwrap_or_else(PoisonError::into_inner);
        begun.partition_point(|begin| *begin <= at).saturating_sub(1)
    }

    /// Returns the begin and the end of each phase that is over.
    pub(super) fn spans(&self) -> Vec<(Instant, Instant)> {
        let begun = self.0.read().unwrap_or_else(PoisonError::into_inner);
        begun.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }
}
