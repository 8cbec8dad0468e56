//! The faults of a play: their order in time (`schedule`), the servers that they hit (`strike`), the links (`links`),
//! the resolvers (`resolvers`), the clients (`clients`), the configurations of servers (`configure`), and rolling
//! replacements (`roll`). `inject` injects faults, records them and undoes them.
//!
//! This folder decides the time and the target of each fault. It must not break anything itself: `cluster` does that.

mod clients;
mod configure;
pub(crate) mod inject;
pub(crate) mod links;
pub(crate) mod resolvers;
mod roll;
pub(crate) mod schedule;
pub(crate) mod strike;
