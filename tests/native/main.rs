//! The client on a real super-cluster: lon, ams and dal at their true distances, and whatever can happen to them.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod doors;
mod journal;
mod load;
mod reading;
mod travellers;
mod world;

mod at_least_once;
mod bystanders;
mod consumers;
mod domains;
mod ending;
mod fail_back;
mod faults;
mod health_checks;
mod home;
mod jetstream;
mod lame_duck;
mod outage;
mod passwords;
mod security;
mod service;
mod simulated;
mod simulated_stock;
mod virtual_stream;
