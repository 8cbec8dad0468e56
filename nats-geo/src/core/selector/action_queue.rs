//! The queue of decisions that the driver has not taken yet.

use std::collections::VecDeque;

use super::super::{Action, ConnId, EndpointId, PingId, ProbeConfig, ProbeId};

/// A queue of actions in the room that its most frequent ones need: an `Action` can hold two places with their names.
#[derive(Clone, Debug, Default)]
pub(super) struct ActionQueue {
    queue: VecDeque<Item>,
}

#[derive(Clone, Debug)]
enum Item {
    Ping(ConnId, PingId),
    Probe(ProbeId, EndpointId),
    Other(Box<Action>),
}

impl ActionQueue {
    pub(super) fn push(&mut self, action: Action) {
        self.queue.push_back(match action {
            Action::Ping { conn, ping } => Item::Ping(conn, ping),
            other => Item::Other(Box::new(other)),
        });
    }

    /// `Action::Probe`, with the time-out of the configuration.
    pub(super) fn push_probe(&mut self, probe: ProbeId, endpoint: EndpointId) {
        self.queue.push_back(Item::Probe(probe, endpoint));
    }

    /// The oldest.
    pub(super) fn pop(&mut self, config: &ProbeConfig) -> Option<Action> {
        let Some(item) = self.queue.pop_front() else {
            // The room that a start or an outage took: a PING and a PROBE are what usually comes next.
            self.queue.shrink_to(2);
            return None;
        };
        Some(match item {
            Item::Ping(conn, ping) => Action::Ping { conn, ping },
            Item::Probe(probe, endpoint) => Action::Probe { probe, endpoint, timeout: config.timeout },
            Item::Other(action) => *action,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    #[cfg(feature = "sim")]
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
