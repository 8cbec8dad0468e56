//! The faults of a play: their order in time (`schedule`), the servers that they hit (`strike`), the links (`links`), the
//! resolvers (`resolvers`), the clients (`clients`), the configurations of servers (`configure`), rolling replacements (`roll`), and what injects, records and undoes them (`inject`).
//!
//! Owns the decision what breaks when. Must not break anything itself: `cluster` does.

mod clients;
mod configure;
pub(crate) mod inject;
pub(crate) mod links;
pub(crate) mod resolvers;
mod roll;
pub(crate) mod schedule;
pub(crate) mod strike;
