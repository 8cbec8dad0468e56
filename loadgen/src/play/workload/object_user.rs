//! A client that writes and reads objects.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::number::Number;
use super::sizes::Sizes;
use crate::clients::{Client, Objects, Outcome};
use crate::play::counts::accounts::{Account, Publisher};
use crate::play::counts::tallies::{Seen, Tallies, Turns, Whose};
use crate::record::ledger::Got;

/// One client's part of a workload of objects.
#[derive(Clone, Debug)]
pub(crate) struct ObjectUser {
    pub(crate) client: Client,
    /// The name of the object store.
    pub(crate) store: String,
    pub(crate) opened: Arc<OnceCell<Objects>>,
    pub(crate) account: Arc<Account>,
    /// Size of each object.
    pub(crate) sizes: Sizes,
    pub(crate) whose: Whose,
    pub(crate) tallies: Tallies,
    pub(crate) turns: Arc<Mutex<Turns>>,
    /// Held by a put: two puts of one name would replace each other in any order.
    pub(crate) one_put: Arc<tokio::sync::Mutex<()>>,
    pub(crate) slots: Arc<Slots>,
}

/// The objects of one client, which it replaces in turn so that a store does not grow.
#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) account: Arc<Account>,
    newest: Mutex<Newest>,
}

/// The objects that a client has stored.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct StoredObjects {
    pub(crate) whose: Publisher,
    /// Those that the store must have.
    pub(crate) expected: Vec<u64>,
    /// Those that were replaced, and those that somebody has read since.
    pub(crate) got: Got,
}

#[derive(Debug, Default)]
struct Newest {
    /// The acknowledged object of each slot, by its number.
    acknowledged: [Option<u64>; SLOTS],
    /// The last of them.
    last: Option<u64>,
    /// Those that were replaced.
    replaced: Got,
}

impl Slots {
    pub(crate) fn new(account: Arc<Account>) -> Self {
        Self { account, newest: Mutex::default() }
    }

    pub(crate) fn stored(&self) -> StoredObjects {
        let newest = self.lock();
        StoredObjects {
            whose: self.account.whose(),
            expected: newest.acknowledged.iter().flatten().copied().collect(),
            got: newest.replaced.clone(),
        }
    }

    /// A put of this object begins. The earlier object of its slot can no longer be looked for, so it counts as found.
    fn begin(&self, number: u64) {
        let mut newest = self.lock();
        if let Some(replaced) = newest.acknowledged[slot(number)].take() {
            newest.replaced.deliver(replaced);
        }
    }

    fn acknowledge(&self, number: u64) {
        self.account.acknowledge(number);
        let mut newest = self.lock();
        newest.acknowledged[slot(number)] = Some(number);
        newest.last = Some(number);
    }

    fn last(&self) -> Option<u64> {
        self.lock().last
    }

    fn lock(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Publisher {
    /// The name of an object.
    pub(crate) fn object(&self, number: u64) -> String {
        format!("{}.{}", self.number, slot(number))
    }
}

impl ObjectUser {
    /// Puts or gets, by turns. The first operation is a put.
    pub(crate) async fn put_or_get(self, due: Instant) -> Outcome {
        let last = self.slots.last();
        let is_get = self.turns.lock().unwrap_or_else(PoisonError::into_inner).next_is_get();
        let number = last.filter(|_| is_get);
        match number {
            Some(number) => self.tallies.measure(&self.whose, true, due, self.get(number)).await,
            None => self.tallies.measure(&self.whose, false, due, self.put()).await,
        }
    }

    async fn put(&self) -> Result<Seen, Outcome> {
        let store = self.open().await?;
        let _one_at_a_time = self.one_put.lock().await;
        let number = self.account.attempt();
        self.slots.begin(number);
        let whose = self.account.whose();
        store.put(&whose.object(number), &content(whose, number, self.sizes.draw())).await?;
        self.slots.acknowledge(number);
        Ok(Seen::Right)
    }

    async fn get(&self, number: u64) -> Result<Seen, Outcome> {
        let whose = self.account.whose();
        let found = self.open().await?.get(&whose.object(number)).await?;
        Ok(look(whose, number, &found))
    }

    async fn open(&self) -> Result<&Objects, Outcome> {
        self.opened.get_or_try_init(|| self.client.objects(&self.store)).await
    }
}

/// Compares an object with what the client wrote: at least object `number`, every byte of it.
pub(crate) fn look(whose: Publisher, number: u64, found: &[u8]) -> Seen {
    let Some(read) = Number::read(found) else { return Seen::Corrupt };
    let is_own = (read.population, read.publisher) == (whose.population, whose.number);
    if !is_own || found != content(whose, read.message, found.len()) {
        Seen::Corrupt
    } else if read.message < number {
        Seen::Stale
    } else {
        Seen::Right
    }
}

/// The number of an object, and bytes that no other object and no other place has.
fn content(whose: Publisher, number: u64, bytes: usize) -> Bytes {
    let Publisher { population, number: publisher, .. } = whose;
    let head = Number { population, publisher, message: number, due: Duration::ZERO }.payload(0);
    let mut content = Vec::with_capacity(bytes + 8);
    content.extend_from_slice(&head);
    // Numbers of publishers of different agents differ in their upper half only.
    let mut word = publisher.wrapping_mul(SPREAD).wrapping_add(number).wrapping_mul(SPREAD);
    while content.len() < bytes {
        word = word.wrapping_add(SPREAD);
        content.extend_from_slice(&(word ^ word >> 29).to_be_bytes());
    }
    content.truncate(bytes.max(head.len()));
    content.into()
}

const fn slot(number: u64) -> usize {
    (number % SLOTS as u64) as usize
}

/// A get takes less time than a client needs to come back to the slot.
const SLOTS: usize = 8;

/// The golden ratio in 64 bits: multiples of it differ in all places.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::play::counts::accounts::{Accounts, AllGot, totals};

    #[test]
    fn every_byte_of_an_object_is_looked_at() {
        let accounts = Accounts::default();
        let account = accounts.open(0, 1).whose();
        let other = accounts.open(0, 1).whose();
        let object = content(account, 9, 1_000);
        assert_eq!(object.len(), 1_000);
        assert_eq!(look(account, 9, &object), Seen::Right);
        assert_eq!(look(account, 1, &object), Seen::Right, "a later one of its slot");
        assert_eq!(look(account, 17, &object), Seen::Stale);
        assert_eq!(look(other, 9, &object), Seen::Corrupt);
        assert_eq!(look(account, 9, b"cut"), Seen::Corrupt);
        let mut spoilt = object.to_vec();
        spoilt[777] ^= 1;
        assert_eq!(look(account, 9, &spoilt), Seen::Corrupt);
    }

    #[test]
    fn no_two_objects_share_a_part() {
        let agents = [Accounts::of_agent(0), Accounts::of_agent(1), Accounts::of_agent(2)];
        let publishers = agents.iter().flat_map(|agent| [agent.open(0, 0).whose(), agent.open(0, 0).whose()]);
        let objects: Vec<_> =
            publishers.flat_map(|whose| (0..4).map(move |number| content(whose, number, 1_000))).collect();
        let parts: std::collections::BTreeSet<_> = objects.iter().map(|object| &object[24..]).collect();
        assert_eq!(parts.len(), objects.len());
    }

    #[test]
    fn an_object_that_was_replaced_counts_as_found() {
        let accounts = Accounts::default();
        let slots = Slots::new(accounts.open(0, 0));
        for _ in 0..=SLOTS {
            let number = slots.account.attempt();
            slots.begin(number);
            slots.acknowledge(number);
        }
        let StoredObjects { whose, expected, got } = slots.stored();
        assert_eq!(
            (expected.len(), expected[0], whose.object(expected[0])),
            (SLOTS, SLOTS as u64, "0.0".into())
        );
        let got = AllGot::from([(whose.number, got)]);
        let totals = totals(&accounts.sent(), 0, &got)[&0];
        assert_eq!((totals.lost(), totals.delivered), (SLOTS as u64, 1), "nobody has looked yet");
        let unconfirmed = slots.account.attempt();
        slots.begin(unconfirmed);
        assert_eq!(slots.stored().expected.len(), SLOTS - 1, "slot 1 may have either object");
    }
}
