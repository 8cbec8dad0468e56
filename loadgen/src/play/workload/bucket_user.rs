//! A client that writes and reads keys of a bucket.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::OnceCell;

use super::number::Number;
use super::sizes::Sizes;
use crate::clients::{Bucket, Client, Outcome};
use crate::play::counts::accounts::{Account, Publisher};
use crate::play::counts::tallies::{Seen, Tallies, Turns, Whose};

/// One client's part of a workload of keys and values.
#[derive(Clone, Debug)]
pub(crate) struct BucketUser {
    pub(crate) client: Client,
    /// The bucket's name.
    pub(crate) bucket: String,
    pub(crate) opened: Arc<OnceCell<Bucket>>,
    pub(crate) account: Arc<Account>,
    /// The time from which messages count when they were due.
    pub(crate) origin: Instant,
    /// Size of each value.
    pub(crate) sizes: Sizes,
    pub(crate) whose: Whose,
    pub(crate) tallies: Tallies,
    pub(crate) state: Arc<Mutex<State>>,
}

/// The values of a client, as it knows them.
#[derive(Debug)]
pub(crate) struct State {
    turns: Turns,
    /// The key of the highest acknowledged revision.
    last: Option<Written>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Written {
    key: String,
    revision: u64,
}

impl State {
    /// `gets`: the share of gets, 0 to 1.
    pub(crate) const fn new(gets: f64) -> Self {
        Self { turns: Turns::new(gets), last: None }
    }

    fn acknowledged(&mut self, key: &str, revision: u64) {
        if self.last.as_ref().is_none_or(|last| last.revision < revision) {
            self.last = Some(Written { key: key.to_owned(), revision });
        }
    }
}

impl Written {
    /// A read that began after an acknowledgement must not return an earlier revision.
    fn seen(&self, found: Option<u64>) -> Seen {
        if found.is_none_or(|found| found < self.revision) { Seen::Stale } else { Seen::Right }
    }
}

impl BucketUser {
    /// Puts or gets, by turns. The first operation is a put.
    pub(crate) async fn put_or_get(self, due: Instant) -> Outcome {
        let written = {
            let mut state = self.lock();
            let is_get = state.turns.next_is_get();
            state.last.clone().filter(|_| is_get)
        };
        match written {
            Some(written) => {
                let get = async {
                    let found = self.open().await?.get(&written.key).await?;
                    Ok(written.seen(found))
                };
                self.tallies.measure(&self.whose, true, due, get).await
            }
            None => self.tallies.measure(&self.whose, false, due, self.put(due)).await,
        }
    }

    async fn put(&self, due: Instant) -> Result<Seen, Outcome> {
        let bucket = self.open().await?;
        let Publisher { population, number: publisher, .. } = self.account.whose();
        let message = self.account.attempt();
        let key = key(publisher, message);
        let due = due.saturating_duration_since(self.origin);
        let value = Number { population, publisher, message, due }.payload(self.sizes.draw());
        let revision = bucket.put(&key, value).await?;
        self.account.acknowledge(message);
        self.lock().acknowledged(&key, revision);
        Ok(Seen::Right)
    }

    async fn open(&self) -> Result<&Bucket, Outcome> {
        self.opened.get_or_try_init(|| self.client.bucket(&self.bucket)).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key gets some values and is then left alone: the bucket's history keeps all of them, so that none is lost unseen.
fn key(publisher: u64, message: u64) -> String {
    format!("{publisher}.{}", message / VALUES_PER_KEY)
}

/// Revisions of each key that a bucket keeps: as many as the server allows.
pub(crate) const HISTORY: i64 = 64;

/// Leaves room in the history for values that are stored twice.
const VALUES_PER_KEY: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_stale_if_it_is_older_than_what_was_acknowledged_before() {
        let mut state = State::new(0.5);
        state.acknowledged("7.0", 20);
        state.acknowledged("7.0", 18);
        let last = state.last.unwrap();
        assert_eq!(last, Written { key: "7.0".into(), revision: 20 });
        let seen = [None, Some(18), Some(20), Some(21)].map(|found| last.seen(found));
        assert_eq!(seen, [Seen::Stale, Seen::Stale, Seen::Right, Seen::Right]);
        assert_eq!((key(7, 31), key(7, 32)), ("7.0".to_owned(), "7.1".to_owned()));
    }
}
