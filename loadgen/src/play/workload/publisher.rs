//! A client that publishes numbered messages.

use std::sync::Arc;
use std::time::Instant;

use super::number::Number;
use super::sizes::Sizes;
use crate::clients::{Client, Outcome};
use crate::play::counts::accounts::{Account, Publisher as Whose};

/// One client's part of a workload of messages.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    pub(crate) client: Client,
    /// The token of the publisher is added to it.
    pub(crate) subject: String,
    pub(crate) account: Arc<Account>,
    /// The time from which messages count when they were due.
    pub(crate) origin: Instant,
    /// Size of each message.
    pub(crate) sizes: Sizes,
    /// Held while a message is numbered and handed to the client: else the tasks of two messages could overtake each other.
    pub(crate) in_order: Arc<tokio::sync::Mutex<()>>,
}

impl Publisher {
    /// Publishes the next message to a stream, and waits for the acknowledgement.
    pub(crate) async fn publish_to_stream(self, due: Instant) -> Outcome {
        let (message, payload) = self.next(due);
        let outcome = self.client.publish_to_stream(&self.subject, payload).await;
        if outcome == Outcome::Ok {
            self.account.acknowledge(message);
        }
        outcome
    }

    /// Publishes the next message without an acknowledgement, on a subject of its own.
    pub(crate) async fn publish(self, due: Instant) -> Outcome {
        let _in_order = self.in_order.lock().await;
        let (message, payload) = self.next(due);
        let subject = format!("{}.{}", self.subject, self.account.whose().number);
        let outcome = self.client.publish(&subject, payload).await;
        if outcome == Outcome::Ok {
            self.account.acknowledge(message);
        }
        outcome
    }

    fn next(&self, due: Instant) -> (u64, bytes::Bytes) {
        let Whose { population, number: publisher, .. } = self.account.whose();
        let message = self.account.attempt();
        let due = due.saturating_duration_since(self.origin);
        (message, Number { population, publisher, message, due }.payload(self.sizes.draw()))
    }
}
