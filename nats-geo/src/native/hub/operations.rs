//! Operations that a drain waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts operations that are under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operations(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// How many, and [`CLOSED`] once no other may begin.
    count: AtomicUsize,
    /// Told when the last one has ended.
    none: Notify,
}

/// One operation; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Operation(Arc<Shared>);

impl Operations {
    /// Begins an operation, unless no other may begin.
    pub(crate) fn begin(&self) -> Option<Operation> {
        if self.0.count.fetch_add(1, Ordering::AcqRel) & CLOSED == 0 {
            return Some(Operation(Arc::clone(&self.0)));
        }
        self.0.end();
        None
    }

    /// No other operation may begin.
    pub(crate) fn close(&self) {
        self.0.count.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// Returns once none is under way.
    pub(crate) async fn none(&self) {
        loop {
            let none = self.0.none.notified();
            if self.0.count.load(Ordering::Acquire) & !CLOSED == 0 {
                return;
            }
            none.await;
        }
    }
}

impl Shared {
    fn end(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) & !CLOSED == 1 {
            self.none.notify_waiters();
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// More operations than that cannot be under way.
const CLOSED: usize = 1 << (usize::BITS - 1);

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn who_waits_is_told_when_the_last_one_has_ended() {
        let operations = Operations::default();
        let (first, second) = (operations.begin().unwrap(), operations.begin());
        let mut none = std::pin::pin!(operations.none());
        assert!(none.as_mut().now_or_never().is_none());
        operations.close();
        assert!(operations.begin().is_none(), "no other may begin");
        drop((first, second));
        none.await;
    }
}
