//! No client sends more probes than `budget_per_minute` permits.

use super::{Checker, per_client};
use crate::core::{Action, Call, Event, Time};
use crate::sim::{Seen, World};

#[derive(Debug)]
pub(crate) struct Probes(Vec<Client>);

#[derive(Debug, Default)]
struct Client {
    spent: f64,
    at: Time,
    in_flight: usize,
}

impl Probes {
    pub(crate) fn new(world: &World) -> Self {
        Self(per_client(world))
    }
}

impl Checker for Probes {
    fn rule(&self) -> &'static str {
        "the probe budget is kept"
    }

    fn see(&mut self, seen: &Seen, world: &World) -> Result<(), String> {
        match seen {
            Seen::Decided { client, at, action: Action::Probe { .. } } => {
                let budget = f64::from(world.config(*client).probe.budget_per_minute);
                let state = &mut self.0[*client];
                let refilled = at.since(state.at).as_secs_f64() / 60.0 * budget;
                state.spent = (state.spent - refilled).max(0.0) + 1.0;
                state.at = state.at.max(*at);
                state.in_flight += 1;
                // Rounding of a token.
                if state.spent > budget + 1e-6 {
                    return Err(format!("client {client} has spent {:.3} of {budget} probes", state.spent));
                }
            }
            Seen::Called { client, call: Call::Event(Event::Probed { .. }) } => {
                self.0[*client].in_flight = self.0[*client].in_flight.saturating_sub(1);
            }
            _ => {}
        }
        Ok(())
    }
}
