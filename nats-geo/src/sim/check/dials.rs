//! No client dials more often than `budget_per_second` and `budget_burst` permit, or more servers at once than the
//! limit of concurrent dials.

use std::collections::BTreeSet;

use super::{Checker, per_client};
use crate::core::{Action, Call, ConnId, Event, Time};
use crate::sim::{Seen, World};

#[derive(Debug)]
pub(crate) struct Dials(Vec<Client>);

#[derive(Debug, Default)]
struct Client {
    spent: f64,
    at: Time,
    in_flight: BTreeSet<ConnId>,
}

impl Dials {
    pub(crate) fn new(world: &World) -> Self {
        Self(per_client(world))
    }
}

impl Checker for Dials {
    fn rule(&self) -> &'static str {
        "the dial budget is kept"
    }

    fn see(&mut self, seen: &Seen, world: &World) -> Result<(), String> {
        match seen {
            Seen::Decided { client, at, action: Action::Open { conn, .. } } => {
                let config = world.config(*client);
                // The standby's dials are no part of the race.
                if config.warm_standby {
                    return Ok(());
                }
                let state = &mut self.0[*client];
                let refilled = at.since(state.at).as_secs_f64() * config.dial.budget_per_second;
                state.spent = (state.spent - refilled).max(0.0) + 1.0;
                state.at = state.at.max(*at);
                state.in_flight.insert(*conn);
                // Rounding of a token.
                if state.spent > f64::from(config.dial.budget_burst) + 1e-6 {
                    return Err(format!("client {client} has spent {:.3} dials", state.spent));
                }
                if state.in_flight.len() > config.dial.in_flight_max {
                    return Err(format!("client {client} dials {:?} at once", state.in_flight));
                }
            }
            Seen::Decided { client, action: Action::Close { conn, .. }, .. } => {
                self.0[*client].in_flight.remove(conn);
            }
            Seen::Called {
                client,
                call: Call::Event(Event::Opened { conn, .. } | Event::OpenFailed { conn, .. }),
            } => _ = self.0[*client].in_flight.remove(conn),
            _ => {}
        }
        Ok(())
    }
}
