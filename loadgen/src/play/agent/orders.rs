//! The orders that an agent takes, and its answers. Times are those since the origin of the play, by the controller's clock.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::play::counts::accounts::AllSent;
use crate::play::population::crowd::Change;
use crate::play::workload::object_user::StoredObjects;
use crate::play::{ClientRecord, StoreRecord};

/// An order to an agent.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    /// The first clients connect.
    Connect,
    /// Clients begin to do what the workloads ask for.
    Begin {
        /// The start of the timeline.
        at: Duration,
        /// Subjects or buckets of the workloads that have one.
        subjects: BTreeMap<usize, String>,
    },
    /// The next phase begins, or the last one ends.
    Phase(Duration),
    /// All clients end, and as many new ones connect.
    Renew,
    /// The numbers of clients become those of the stages at this time of the timeline.
    Resize(Duration),
    /// All clients of a population close and connect again.
    Reconnect {
        /// Index of the population.
        population: usize,
    },
    /// Some clients end, and others begin in their place.
    Exchange(Change),
    /// This fault exchanges no more clients.
    EndExchange {
        /// Number of the fault.
        fault: usize,
    },
    /// How many clients there are.
    Count,
    /// The answer is a report of everything since the last one. Only the agent itself asks for it.
    #[serde(skip)]
    Report,
    /// All clients end. The answer is the last report.
    Finish,
}

impl Order {
    /// Whether the timeline waits until it is done. The others have times of their own, and may come late while the back channel is away.
    pub(crate) const fn is_awaited(&self) -> bool {
        match self {
            Self::Connect | Self::Begin { .. } | Self::Renew | Self::Count | Self::Report | Self::Finish => {
                true
            }
            Self::Phase(_)
            | Self::Resize(_)
            | Self::Reconnect { .. }
            | Self::Exchange(_)
            | Self::EndExchange { .. } => false,
        }
    }
}

/// The answer to an order.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is done.
    Done,
    /// To [`Order::Count`].
    Counts(Counts),
    /// To [`Order::Report`] and [`Order::Finish`].
    Seen(Box<Seen>),
    /// To [`Order::Finish`], of an agent of another machine: it has sent everything.
    Sent {
        /// Bound of the error of its times; `None`: it is not known.
        clock_error: Option<Duration>,
    },
}

/// Numbers of clients.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, schemars::JsonSchema)]
pub(crate) struct Counts {
    /// By population and the server that they are connected to.
    pub(crate) at_server: BTreeMap<usize, BTreeMap<String, u32>>,
    /// By population.
    pub(crate) of_population: BTreeMap<usize, u32>,
}

impl Counts {
    /// Adds those of another agent.
    pub(crate) fn add(&mut self, other: Self) {
        for (population, of) in other.at_server {
            let sum = self.at_server.entry(population).or_default();
            for (server, count) in of {
                *sum.entry(server).or_default() += count;
            }
        }
        for (population, count) in other.of_population {
            *self.of_population.entry(population).or_default() += count;
        }
    }

    /// Clients at a server: of one population, or of all.
    pub(crate) fn at(&self, server: &str, population: Option<usize>) -> u32 {
        let chosen = self.at_server.iter().filter(|(number, _)| population.is_none_or(|it| it == **number));
        chosen.filter_map(|(_, of)| of.get(server)).sum()
    }
}

/// A report of an agent.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The operations and moves of its clients since its last report.
    pub(crate) clients: Vec<ClientRecord>,
    /// Its counts from the beginning.
    pub(crate) counted: Counted,
}

/// Counts of an agent.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) stores: Vec<StoreRecord>,
    /// The messages that its clients published.
    pub(crate) sent: AllSent,
    /// The objects that its clients stored.
    pub(crate) stored: Vec<StoredObjects>,
}

impl Seen {
    /// Adds what another agent saw.
    pub(crate) fn add(&mut self, other: Self) {
        self.clients.extend(other.clients);
        self.counted.stores.extend(other.counted.stores);
        self.counted.sent.extend(other.counted.sent);
        self.counted.stored.extend(other.counted.stored);
    }
}
