//! This module begins and ends the faults of servers, paths and clients.

use super::super::scenario::{ClientFault, Fault, PathFault, ServerFault};
use super::super::server::Mood;
use super::{Happening, World};
use crate::core::{Cause, EndpointId, Event};

impl World {
    pub(super) fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Server { server, what } => self.strike_server(server, what),
            Fault::Region { region, what } => {
                let here = |server: &usize| self.servers[*server].region == region;
                let servers: Vec<_> = (0..self.servers.len()).filter(here).collect();
                servers.into_iter().for_each(|server| self.strike_server(server, what));
            }
            Fault::Path { from, to, what } => self.strike_path(from, to, what),
            Fault::Client { client, what } => self.strike_client(client, what),
        }
    }

    /// Makes everything well again.
    pub(crate) fn heal(&mut self) {
        for index in 0..self.servers.len() {
            if self.servers[index].lame_duck {
                self.crash(index);
            }
            self.servers[index].slow = std::time::Duration::ZERO;
            for what in [
                ServerFault::Thaw,
                ServerFault::Unlock,
                ServerFault::Healthy,
                ServerFault::Start,
                ServerFault::Offer,
            ] {
                self.strike_server(index, what);
            }
        }
        self.paths.iter_mut().flatten().for_each(super::Path::heal);
        for client in 0..self.hosts.len() {
            self.strike_client(client, ClientFault::Heal);
        }
    }

    fn strike_server(&mut self, index: usize, what: ServerFault) {
        let server = &mut self.servers[index];
        match what {
            ServerFault::Crash => self.crash(index),
            ServerFault::PowerOff => {
                // The life ends here: what comes back knows nothing of it.
                server.life += 1;
                server.mood = Mood::Dark;
                self.frozen.remove(&index);
            }
            ServerFault::Start if matches!(server.mood, Mood::Down | Mood::Dark) => server.start(self.now),
            ServerFault::Freeze if server.mood == Mood::Up => server.mood = Mood::Frozen,
            ServerFault::Thaw if server.mood == Mood::Frozen => {
                server.mood = Mood::Up;
                let waiting = self.frozen.remove(&index).unwrap_or_default();
                waiting.into_iter().for_each(|happening| self.happen(happening));
            }
            ServerFault::LameDuck => self.announce_end(index),
            ServerFault::Slow(by) => server.slow = by,
            ServerFault::Lock => {
                server.locked = true;
                if server.mood == Mood::Up {
                    self.end_connections(index, &Cause::Auth("User Authentication Revoked".into()));
                }
            }
            ServerFault::Unlock => server.locked = false,
            ServerFault::Unhealthy => server.unhealthy = true,
            ServerFault::Healthy => server.unhealthy = false,
            ServerFault::Withdraw if server.offered => {
                server.offered = false;
                for client in 0..self.hosts.len() {
                    self.happen(Happening::Tell(client, Event::Withdrawn(EndpointId(index as u64))));
                }
            }
            ServerFault::Offer if !server.offered => {
                server.offered = true;
                (0..self.hosts.len()).for_each(|client| self.discover(client, index));
            }
            // Already so.
            ServerFault::Start
            | ServerFault::Freeze
            | ServerFault::Thaw
            | ServerFault::Withdraw
            | ServerFault::Offer => {}
        }
    }

    fn strike_path(&mut self, from: usize, to: usize, what: PathFault) {
        let path = &mut self.paths[from][to];
        match what {
            PathFault::Cut => path.cut = true,
            PathFault::Extra(extra) => path.extra = extra,
            PathFault::Loss(loss) => path.loss = Some(loss),
            PathFault::Heal => path.heal(),
        }
    }

    fn strike_client(&mut self, client: usize, what: ClientFault) {
        let now = self.now;
        let host = &mut self.hosts[client];
        match what {
            ClientFault::CutOut => host.cut_out = true,
            ClientFault::CutIn => host.cut_in = true,
            ClientFault::Heal => {
                host.cut_out = false;
                host.cut_in = false;
            }
            ClientFault::Sleep { lasts, clock_runs } => {
                // One who sleeps already sleeps longer: the clock stands still for the difference only.
                let until = host.asleep_until.max(now + lasts);
                if !clock_runs {
                    host.behind += until.since(host.asleep_until.max(now));
                }
                host.asleep_until = until;
                host.stalled_until = host.stalled_until.max(until);
                self.at(until, Happening::HostBack(client));
            }
            ClientFault::Stall(lasts) => {
                host.stalled_until = host.stalled_until.max(now + lasts);
                self.at(now + lasts, Happening::HostBack(client));
            }
            ClientFault::ClockAhead(by) => {
                host.ahead += by;
                self.at(now, Happening::HostBack(client));
            }
            ClientFault::ClockBack(by) => {
                host.behind += by;
                self.at(now, Happening::HostBack(client));
            }
        }
    }
}
