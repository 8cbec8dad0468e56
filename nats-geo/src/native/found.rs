//! Servers that the client found by a DNS name.

use std::net::IpAddr;

use super::Auth;
use super::servers::Address;
use super::target::{Scheme, Target};

/// One server of a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    pub(crate) address: Address,
    /// The name that its certificate must be for, if the address is a number.
    pub(crate) held_to: Option<String>,
    /// Where to dial, most promising first.
    pub(crate) resolved: Vec<IpAddr>,
    /// Its share of clients among servers that are equally near; 0 counts as 1.
    pub(crate) weight: u32,
}

/// What all servers of a name have in common.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) name: String,
    pub(crate) scheme: Scheme,
    pub(crate) region: Option<String>,
    pub(crate) auth: Auth,
}

/// News about a name: the servers that it has now, best first, or why that is not known.
#[derive(Debug)]
pub(crate) struct Finding {
    /// Which name, in the order in which they were given.
    pub(crate) origin: usize,
    pub(crate) servers: Result<Vec<Found>, String>,
}

impl Origin {
    /// How to get to one of its servers.
    pub(crate) fn target(&self, found: Found, auth: Auth) -> Target {
        let Found { address, held_to, resolved, weight: _ } = found;
        let scheme = self.scheme;
        Target {
            address,
            scheme,
            held_to,
            asks_for_tls: false,
            unproven: None,
            awaits_tls: false,
            resolved,
            reached: None,
            detour: false,
            auth,
        }
    }
}
