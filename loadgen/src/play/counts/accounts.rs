//! The messages that the clients of a play sent, by publisher.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::record::ledger::{Got, Sent, Totals};

/// The accounts of all publishers of an agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    /// The number of its first publisher.
    first: u64,
    accounts: Arc<Mutex<Vec<Arc<Account>>>>,
}

/// The messages that one client publishes for one workload.
#[derive(Debug)]
pub(crate) struct Account {
    whose: Publisher,
    sent: Mutex<Sent>,
}

/// A client that publishes for a workload.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Publisher {
    /// Index of the workload.
    pub(crate) workload: usize,
    /// Index of the client's population.
    pub(crate) population: usize,
    /// Its number: no other publisher of the play has it.
    pub(crate) number: u64,
}

/// The messages that all publishers of a play have sent.
pub(crate) type AllSent = BTreeMap<Publisher, Sent>;

/// The messages that an observer got, by publisher.
pub(crate) type AllGot = BTreeMap<u64, Got>;

impl Accounts {
    /// For the agent with this number.
    pub(crate) fn of_agent(agent: u32) -> Self {
        Self { first: u64::from(agent) << AGENT_BITS, accounts: Arc::default() }
    }

    /// Opens the account of a new publisher.
    pub(crate) fn open(&self, workload: usize, population: usize) -> Arc<Account> {
        let mut accounts = self.lock();
        let number = self.first + accounts.len() as u64;
        let whose = Publisher { workload, population, number };
        let account = Arc::new(Account { whose, sent: Mutex::default() });
        accounts.push(Arc::clone(&account));
        account
    }

    /// Returns what all publishers have sent so far.
    pub(crate) fn sent(&self) -> AllSent {
        self.lock().iter().map(|account| (account.whose, account.lock().clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Account>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// The publisher.
    pub(crate) const fn whose(&self) -> Publisher {
        self.whose
    }

    /// Returns the number of the next message, which is attempted now.
    pub(crate) fn attempt(&self) -> u64 {
        self.lock().attempt()
    }

    /// The message was acknowledged, or accepted by the client.
    pub(crate) fn acknowledge(&self, message: u64) {
        self.lock().acknowledge(message);
    }

    fn lock(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the sums of a workload and one of its observers, by population.
pub(crate) fn totals(sent: &AllSent, workload: usize, got: &AllGot) -> BTreeMap<usize, Totals> {
    let nothing = Got::default();
    let mut sums: BTreeMap<usize, Totals> = BTreeMap::new();
    for (whose, sent) in sent.iter().filter(|(whose, _)| whose.workload == workload) {
        let totals = sent.totals(got.get(&whose.number).unwrap_or(&nothing));
        sums.entry(whose.population).or_default().add(&totals);
    }
    sums
}

/// More publishers than an agent has; a message has room for 48 bits, so for 65 535 agents.
const AGENT_BITS: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_observer_misses_its_own_messages() {
        let (accounts, others) = (Accounts::of_agent(0), Accounts::of_agent(1));
        let (other, account) = (others.open(1, 2), accounts.open(1, 2));
        assert_ne!(other.whose(), account.whose());
        assert!(accounts.open(0, 0).whose().number > account.whose().number);
        let (mut first, mut second) = (AllGot::new(), AllGot::new());
        for _ in 0..3 {
            let message = account.attempt();
            account.acknowledge(message);
            first.entry(account.whose().number).or_default().deliver(message);
        }
        let got = second.entry(account.whose().number).or_default();
        assert!(got.deliver(2));
        assert!(!got.deliver(2), "a second time");
        other.acknowledge(other.attempt());
        let mut sent = accounts.sent();
        sent.extend(others.sent());
        let of = |got: &AllGot| totals(&sent, 1, got)[&2];
        assert_eq!((of(&first).lost(), of(&second).lost()), (1, 3), "one of them is the other agent's");
        assert_eq!((of(&second).duplicated, of(&second).attempted), (1, 4));
        assert_eq!(totals(&sent, 0, &first)[&0].attempted, 0);
    }
}
