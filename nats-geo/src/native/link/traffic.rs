//! This module counts the traffic of a link. The counts show whether the link is alive.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What has moved on a link since it was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Traffic {
    /// Bytes that came in.
    pub(super) received: u64,
    /// Messages that left the command channel for the write buffer.
    pub(super) sent: u64,
    /// A PING has not left our own buffers.
    pub(super) ping_unwritten: bool,
    /// The answer to one may still wait behind what was written before.
    pub(super) under_way: bool,
}

impl Traffic {
    /// Returns whether the link has shown life since `earlier`. Bytes that merely entered the kernel are none: a
    /// blackhole swallows those too. But while our own PING is queued behind others that move, or behind bulk that
    /// may take this long, its answer cannot be expected yet.
    pub(crate) const fn is_progress_since(self, earlier: Self) -> bool {
        self.received > earlier.received
            || self.under_way
            || (self.ping_unwritten && self.sent > earlier.sent)
    }
}

/// Counts a PING that has not left our own buffers.
pub(super) struct Unwritten<'a>(&'a AtomicUsize);

impl<'a> Unwritten<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Unwritten<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
