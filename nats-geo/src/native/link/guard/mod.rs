//! This module protects links from messages that async-nats cannot read: async-nats closes the connection after such a
//! message.
//!
//! Every client that may publish can send such a message, for example with a header without a colon, or with invalid
//! UTF-8. When a link ends without a reason although its server runs, such a message may be the cause. For a while,
//! links then use a [relay](relay::lead) in this process, which removes unreadable parts. The relay copies all traffic,
//! so links use it only when they need it. WebSocket links never use the relay.
//!
//! The relay reads INFO before async-nats sends CONNECT, so it can refuse a wrong server before the credentials leave
//! this process. Therefore links without TLS also use the relay at an advertised address, unless a probe has just found
//! the right server there: see [`Target::must_prove_itself`].
//!
//! [`Target::must_prove_itself`]: crate::native::target::Target::must_prove_itself

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::native::clock::{now, since};
use crate::native::hub::lock;

mod relay;
pub(super) use relay::lead;

mod scrub;
pub(crate) use scrub::Scrubbed;

/// Whether links of one client need protection.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Servers whose link ended without a reason, and when, by server id. A server that starts again has another id.
    suspicions: BTreeMap<String, Instant>,
    /// When a link last ended so although its server lives, or a message could not be read.
    needed: Option<Instant>,
}

impl Guard {
    /// A link to this server ended, and nothing says why.
    pub(super) fn ended_without_reason(&self, server_id: &str) {
        let mut state = lock(&self.state);
        state.suspicions.retain(|_, at| since(*at) < SUSPICION);
        if state.suspicions.len() < SUSPICIONS_MAX {
            state.suspicions.insert(server_id.to_owned(), now());
        }
    }

    /// This server lives. Returns whether a link to it has ended without a reason, so that links are guarded from now on.
    pub(crate) fn lives(&self, server_id: &str) -> bool {
        let mut state = lock(&self.state);
        let is_suspect = state.suspicions.remove(server_id).is_some_and(|at| since(at) < SUSPICION);
        if is_suspect {
            state.needed = Some(now());
        }
        is_suspect
    }

    /// A message could not be read.
    fn was_needed(&self) {
        lock(&self.state).needed = Some(now());
    }

    /// Returns whether a link that is opened now is to be guarded.
    pub(super) fn is_on(&self) -> bool {
        lock(&self.state).needed.is_some_and(|at| since(at) < GUARDED)
    }
}

/// Longer than a stream waits before it delivers an unacknowledged message again by default (30 s).
const SUSPICION: Duration = Duration::from_secs(60);

/// As many servers as a client talks to within a minute, and more.
const SUSPICIONS_MAX: usize = 64;

/// How long new links are guarded. Whoever sends one such message sends others: every one costs a link without the guard.
const GUARDED: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_guarded_when_one_ended_though_its_server_lives() {
        let guard = Guard::default();
        guard.ended_without_reason("A");
        assert!(!guard.lives("B") && !guard.is_on(), "the server is dead, or was started again");
        assert!(guard.lives("A") && guard.is_on());
        assert!(!guard.lives("A"), "one end is one suspicion");
    }
}
