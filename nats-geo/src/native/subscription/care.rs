//! If the application does not read a subscription, this module moves the messages of the subscription from async-nats
//! to a bounded buffer.
//!
//! async-nats limits the number of waiting messages of a subscription, not their bytes. A subscription that the
//! application reads takes messages directly from async-nats. If the application does not read for a short time, this
//! module moves the messages to the buffer of the subscription, which limits bytes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use crate::native::hub::lock;

/// The subscriptions of one client that may have to be looked after.
#[derive(Debug, Default)]
pub(crate) struct Care {
    /// Their ids.
    due: Mutex<Vec<u64>>,
    more: Notify,
}

impl Care {
    /// The subscriptions that are due, once there are any: they had a moment to be read.
    pub(crate) async fn due(&self) -> Vec<u64> {
        loop {
            let more = self.more.notified();
            if !lock(&self.due).is_empty() {
                tokio::time::sleep(MOMENT).await;
                return std::mem::take(&mut lock(&self.due));
            }
            more.await;
        }
    }
}

/// Wakes the task that reads a subscription, and has the subscription looked after.
#[derive(Debug)]
pub(super) struct FeedWaker {
    feed: u64,
    care: Arc<Care>,
    /// Waits to be looked after.
    is_due: AtomicBool,
    reader: AtomicWaker,
}

impl FeedWaker {
    pub(super) fn new(feed: u64, care: Arc<Care>) -> Self {
        Self { feed, care, is_due: AtomicBool::new(false), reader: AtomicWaker::new() }
    }

    /// From now on this task reads.
    pub(super) fn read_by(&self, reader: &Waker) {
        self.reader.register(reader);
    }

    /// Wakes the task that reads.
    pub(super) fn wake_reader(&self) {
        self.reader.wake();
    }

    /// There may be messages that are not read.
    pub(super) fn look_after(&self) {
        // Nearly always it waits for that already: this is on the way of every message.
        if !self.is_due.load(Ordering::Relaxed) && !self.is_due.swap(true, Ordering::AcqRel) {
            lock(&self.care.due).push(self.feed);
            self.care.more.notify_one();
        }
    }

    /// The subscription is looked after now.
    pub(super) fn looked_after(&self) {
        self.is_due.store(false, Ordering::Release);
    }
}

impl Wake for FeedWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.look_after();
        self.wake_reader();
    }
}

/// How long messages wait where only their number is bounded: a link of 10 Gbit/s brings 12 MB meanwhile.
const MOMENT: Duration = Duration::from_millis(10);
