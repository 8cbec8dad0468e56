//! The load on the super-cluster during a fault.
//!
//! This folder owns requests on an open-loop schedule (`requests`, timed by `pacer`, at a rate that may change:
//! `ramp`). It also owns flows of numbered messages with a ledger of losses and duplicates (`flow`), and the services
//! that answer (`responder`). It must not know faults or reports.

pub mod flow;
pub mod pacer;
pub mod ramp;
pub mod requests;
pub mod responder;
