//! Killing, pausing, retiring and starting servers.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use xxhash_rust::xxh64::xxh64;

use super::{FaultError, Recovery};
use crate::clock;
use crate::cluster::emulation::Way;
use crate::cluster::server::{Server, State};
use crate::cluster::{SuperCluster, UnknownNameError};
use crate::topology::ServerName;
use crate::topology::render::server::LAME_DUCK_DURATION;

impl SuperCluster {
    /// `kill -9` of one server; its ports refuse.
    pub fn kill_server(&mut self, server: &str) -> Result<Instant, FaultError> {
        let name = self.find(server)?;
        self.kill_all(&[name])
    }

    /// `kill -9` of several servers, at once.
    ///
    /// # Errors
    /// There is no such server, or one of them is dead.
    pub fn kill_servers(&mut self, servers: &[String]) -> Result<Instant, FaultError> {
        let names = self.find_all(servers)?;
        self.kill_all(&names)
    }

    /// `kill -9` of all servers of a region that live, at once.
    pub fn kill_region(&mut self, region: &str) -> Result<Instant, FaultError> {
        let alive = self.in_region(region, "kill", |state| state != State::Dead)?;
        self.kill_all(&alive)
    }

    /// `kill -9` of `count` servers of a region that live, at once. The same seed chooses the same ones. Returns which.
    ///
    /// # Errors
    /// There is no such region, or `count` is 0 or more than live.
    pub fn kill_some(
        &mut self,
        region: &str,
        count: usize,
        seed: u64,
    ) -> Result<(Vec<ServerName>, Instant), FaultError> {
        let mut chosen = self.in_region(region, "kill", |state| state != State::Dead)?;
        let alive = chosen.len();
        if !(1..=alive).contains(&count) {
            return Err(FaultError::Count { region: region.to_owned(), wanted: count, alive });
        }
        shuffle(&mut chosen, seed);
        chosen.truncate(count);
        let at = self.kill_all(&chosen)?;
        Ok((chosen, at))
    }

    /// SIGTERM of one server: it closes its listeners and connections, and ends. [`SuperCluster::wait_exit`] waits for that.
    ///
    /// # Errors
    /// There is no such server, or it is not up.
    pub fn terminate_server(&mut self, server: &str) -> Result<Instant, FaultError> {
        let name = self.find(server)?;
        self.terminate_all(&[name])
    }

    /// SIGTERM of all servers of a region that are up.
    ///
    /// # Errors
    /// There is no such region, or none of its servers is up.
    pub fn terminate_region(&mut self, region: &str) -> Result<Instant, FaultError> {
        let up = self.in_region(region, "terminate", |state| state == State::Up)?;
        self.terminate_all(&up)
    }

    /// Starts a server that is dead, on its old ports and store, and waits until it is linked. A server that ends, as a
    /// lame duck or after SIGTERM, is killed first.
    pub async fn restart_server(&mut self, server: &str) -> Result<Recovery, FaultError> {
        let name = self.find(server)?;
        self.restart_all(&[name]).await
    }

    /// Starts several servers that are dead, and waits once for all of them.
    pub async fn restart_servers(&mut self, servers: &[String]) -> Result<Recovery, FaultError> {
        let names = self.find_all(servers)?;
        self.restart_all(&names).await
    }

    /// Starts several servers that are dead, and waits for nothing.
    pub fn start_servers(&mut self, servers: &[String]) -> Result<Instant, FaultError> {
        let names = self.find_all(servers)?;
        self.start_all(&names)
    }

    /// Waits until clients can connect to these servers, and all servers that are up are linked. Streams may still be behind.
    pub async fn wait_linked(&mut self, servers: &[String]) -> Result<(), FaultError> {
        for server in servers {
            let name = self.find(server)?;
            self.wait_listening(&name).await?;
        }
        Ok(self.wait_ready().await?)
    }

    /// Starts the servers of a region that are dead or ending.
    pub async fn restart_region(&mut self, region: &str) -> Result<Recovery, FaultError> {
        let down = self.in_region(region, "restart", State::can_restart)?;
        self.restart_all(&down).await
    }

    /// SIGUSR2: the server refuses new clients at once, tells its clients, and closes them one by one after the grace
    /// period; then it ends.
    pub fn lame_duck_server(&mut self, server: &str) -> Result<Instant, FaultError> {
        let name = self.find(server)?;
        let at = self.send(&name, Signal::SIGUSR2, "retire", State::Up, State::LameDuck)?;
        self.paths.clients_of(&name).for_each(Way::refuse);
        Ok(at)
    }

    /// SIGSTOP: the kernel still accepts and acknowledges, the server does nothing.
    pub fn pause_server(&mut self, server: &str) -> Result<Instant, FaultError> {
        let name = self.find(server)?;
        self.send(&name, Signal::SIGSTOP, "pause", State::Up, State::Paused)
    }

    /// Ends [`SuperCluster::pause_server`].
    pub async fn resume_server(&mut self, server: &str) -> Result<Recovery, FaultError> {
        let name = self.find(server)?;
        let at = self.send(&name, Signal::SIGCONT, "resume", State::Paused, State::Up)?;
        self.recovered(at).await
    }

    /// Continues several servers that are paused, and waits for nothing.
    ///
    /// # Errors
    /// There is no such server, or one of them is not paused.
    pub fn resume_servers(&mut self, servers: &[String]) -> Result<Instant, FaultError> {
        let names = self.find_all(servers)?;
        self.send_all(&names, Signal::SIGCONT, "resume", State::Paused, State::Up)
    }

    /// SIGSTOP of all servers of a region that are up.
    ///
    /// # Errors
    /// There is no such region, or none of its servers is up.
    pub fn pause_region(&mut self, region: &str) -> Result<Instant, FaultError> {
        let up = self.in_region(region, "pause", |state| state == State::Up)?;
        self.send_all(&up, Signal::SIGSTOP, "pause", State::Up, State::Paused)
    }

    /// Ends [`SuperCluster::pause_region`].
    ///
    /// # Errors
    /// There is no such region, none of its servers is paused, or something is missing after the ready limit.
    pub async fn resume_region(&mut self, region: &str) -> Result<Recovery, FaultError> {
        let paused = self.in_region(region, "resume", |state| state == State::Paused)?;
        let at = self.send_all(&paused, Signal::SIGCONT, "resume", State::Paused, State::Up)?;
        self.recovered(at).await
    }

    /// Waits for the end of a lame duck's process, or of one that got SIGTERM; false when `limit` passed first.
    pub async fn wait_exit(&mut self, server: &str, limit: Duration) -> Result<bool, FaultError> {
        let name = self.find(server)?;
        let process = self.server(&name)?.process();
        let Some(process) = process else { return Ok(true) };
        let status = process.wait(limit).await;
        let status =
            status.map_err(|error| FaultError::Io { what: "wait for", server: name.clone(), error })?;
        if status.is_some() {
            self.server(&name)?.set_state(State::Dead);
        }
        Ok(status.is_some())
    }

    /// Waits for the end of a server's process that got the order to end.
    ///
    /// # Errors
    /// [`FaultError::Lingers`] if the process still runs after `limit`.
    pub async fn wait_retired(&mut self, server: &str, limit: Duration) -> Result<(), FaultError> {
        if self.wait_exit(server, limit).await? {
            return Ok(());
        }
        let name = self.find(server)?;
        let state = self.server(&name)?.state().as_str();
        Err(FaultError::Lingers { server: name, state, limit })
    }

    /// The longest time that a server may take from the order to retire to the end of its process. Its configuration bounds the time
    /// until the last client is closed. After that the server hands over its streams, which takes some elections at most.
    pub fn retirement_limit(&self) -> Duration {
        let grace = self.topology.spec().timing.lame_duck_grace.map(|span| span.duration());
        LAME_DUCK_DURATION + grace.unwrap_or(self.settings.lame_duck_grace) + HAND_OVER_LIMIT
    }

    pub(super) fn find_all(&self, servers: &[String]) -> Result<Vec<ServerName>, UnknownNameError> {
        servers.iter().map(|server| self.find(server)).collect()
    }

    fn kill_all(&mut self, names: &[ServerName]) -> Result<Instant, FaultError> {
        // All get the signal before any is waited for, so that a region dies as one.
        for name in names {
            let server = self.server(name)?;
            let state = server.state();
            let process = server.process();
            let process = process.ok_or_else(|| FaultError::State {
                what: "kill",
                server: name.clone(),
                state: state.as_str(),
            })?;
            process.signal(Signal::SIGKILL).map_err(|error| cannot("kill", name, error))?;
        }
        let at = clock::now();
        for name in names {
            self.paths.refuse(name);
            // Reaps the process.
            self.server(name)?.set_state(State::Dead);
        }
        Ok(at)
    }

    fn terminate_all(&mut self, names: &[ServerName]) -> Result<Instant, FaultError> {
        let at = self.send_all(names, Signal::SIGTERM, "terminate", State::Up, State::Ending)?;
        for name in names {
            self.paths.refuse(name);
        }
        Ok(at)
    }

    pub(super) fn check_restart(&mut self, name: &ServerName) -> Result<(), FaultError> {
        let state = self.server(name)?.state();
        if state.can_restart() {
            return Ok(());
        }
        Err(FaultError::State { what: "restart", server: name.clone(), state: state.as_str() })
    }

    pub(super) async fn restart_all(&mut self, names: &[ServerName]) -> Result<Recovery, FaultError> {
        self.start_all(names)?;
        for name in names {
            self.wait_listening(name).await?;
        }
        self.recovered(clock::now()).await
    }

    fn start_all(&mut self, names: &[ServerName]) -> Result<Instant, FaultError> {
        for name in names {
            self.check_restart(name)?;
            self.server(name)?.set_state(State::Dead);
        }
        for name in names {
            let path = self.nats_server_of(name).path.clone();
            let Some(server) = self.servers.get_mut(name) else { continue };
            let spawned = server.spawn(&self.guard, &path);
            spawned.map_err(|error| cannot("restart", name, error))?;
            self.paths.accept(name);
        }
        Ok(clock::now())
    }

    /// Waits until clients can connect again, which is when a restart counts as done.
    async fn wait_listening(&mut self, name: &ServerName) -> Result<(), FaultError> {
        let deadline = clock::now() + self.ready_limit;
        loop {
            let server = self.server(name)?;
            if let Some(reason) = server.end() {
                server.set_state(State::Dead);
                self.paths.refuse(name);
                return Err(FaultError::Died { server: name.clone(), reason });
            }
            let dialled = tokio::net::TcpStream::connect(server.client_addr()).await;
            match dialled {
                Ok(_) => return Ok(()),
                Err(error) if clock::now() >= deadline => return Err(cannot("reach", name, error)),
                Err(_) => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
    }

    fn send_all(
        &mut self,
        names: &[ServerName],
        signal: Signal,
        what: &'static str,
        from: State,
        to: State,
    ) -> Result<Instant, FaultError> {
        for name in names {
            self.send(name, signal, what, from, to)?;
        }
        Ok(clock::now())
    }

    fn send(
        &mut self,
        name: &ServerName,
        signal: Signal,
        what: &'static str,
        from: State,
        to: State,
    ) -> Result<Instant, FaultError> {
        let server = self.server(name)?;
        let state = server.state();
        let process = server.process().filter(|_| state == from);
        let process =
            process.ok_or_else(|| FaultError::State { what, server: name.clone(), state: state.as_str() })?;
        process.signal(signal).map_err(|error| cannot(what, name, error))?;
        let at = clock::now();
        server.set_state(to);
        Ok(at)
    }

    fn in_region(
        &mut self,
        region: &str,
        what: &'static str,
        wanted: impl Fn(State) -> bool,
    ) -> Result<Vec<ServerName>, FaultError> {
        self.check_region(region)?;
        self.servers.values_mut().for_each(Server::note_ordered_end);
        let servers = self.servers.iter();
        let of_region = servers.filter(|(name, server)| name.region() == region && wanted(server.state()));
        let names: Vec<_> = of_region.map(|(name, _)| name.clone()).collect();
        if names.is_empty() {
            return Err(FaultError::Nobody { what, region: region.to_owned() });
        }
        Ok(names)
    }

    fn server(&mut self, name: &ServerName) -> Result<&mut Server, UnknownNameError> {
        let unknown = || UnknownNameError { name: name.to_string(), known: Vec::new() };
        self.servers.get_mut(name).ok_or_else(unknown)
    }
}

/// Puts servers into an order that only their names and the seed decide.
fn shuffle(servers: &mut [ServerName], seed: u64) {
    servers.sort_by_key(|name| xxh64(name.as_str().as_bytes(), seed));
}

/// Longer than the elections that a server with many streams waits for, on a busy machine.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(60);

/// How often a restarted server's port is dialled.
const ASK_AGAIN: Duration = Duration::from_millis(10);

pub(super) fn cannot(what: &'static str, server: &ServerName, error: io::Error) -> FaultError {
    FaultError::Io { what, server: server.clone(), error }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::topology::Topology;

    #[test]
    fn the_seed_alone_decides_which_servers_die() {
        let mut servers: Vec<_> = Topology::new(["lon"], 3).unwrap().servers().collect();
        let mut first = |seed| {
            // The order before does not matter.
            servers.reverse();
            shuffle(&mut servers, seed);
            servers[0].to_string()
        };
        let chosen: Vec<_> = (0..20).map(&mut first).collect();
        assert_eq!(chosen, (0..20).map(first).collect::<Vec<_>>());
        assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), 3, "{chosen:?}");
    }
}
