//! Tests of the whole client with real servers.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "../support/mod.rs"]
mod support;

mod asked_again;
mod at_least_once;
mod backlog;
mod basics;
mod began_again;
mod consumers;
mod costs_itself;
mod customized;
mod dns;
mod dns_changes;
mod dns_server;
mod draining;
mod failover;
mod gossip;
mod handover;
mod health_checks;
mod jetstream;
mod objects;
mod publishing;
mod refusals;
mod servers;
mod service;
mod service_end;
mod slow_consumers;
mod stores;
mod unreadable;
mod urls;
