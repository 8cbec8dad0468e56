//! What can be done to a running super-cluster.
//!
//! Each operation returns the time at which it was in force, right after the system call, so that whatever a client
//! notices comes later.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::ready::NotReadyError;
use super::server::{Server, State};
use super::streams::CreateStreamsError;
use super::{NatsServer, SuperCluster, UnknownNameError, VersionError};
use crate::clock;
use crate::topology::ServerName;

/// Why a fault was not injected, or not undone.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// No such server or region.
    #[error(transparent)]
    UnknownName(#[from] UnknownNameError),
    /// The server is in no state for it.
    #[error("cannot {what} {server}: it is {state}")]
    State {
        /// What was asked for.
        what: &'static str,
        /// Of whom.
        server: ServerName,
        /// What it is.
        state: &'static str,
    },
    /// No server of the region is in a state for it.
    #[error("cannot {what} {region}: none of its servers is in a state for that")]
    Nobody {
        /// What was asked for.
        what: &'static str,
        /// Of which region.
        region: String,
    },
    /// The operating system said no.
    #[error("cannot {what} {server}: {error}")]
    Io {
        /// What was asked for.
        what: &'static str,
        /// Of whom.
        server: ServerName,
        /// What the operating system said.
        error: io::Error,
    },
    /// A restarted server ended at once.
    #[error("{server} ended during its restart: {reason}")]
    Died {
        /// Which one.
        server: ServerName,
        /// Its status and last words.
        reason: String,
    },
    /// The fault is gone, but the super-cluster did not come back.
    #[error(transparent)]
    NotReady(#[from] NotReadyError),
    /// It came back, but streams do not hear each other.
    #[error(transparent)]
    Streams(#[from] CreateStreamsError),
}

/// When a fault was undone, and when the servers were linked again.
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    /// Clients can connect, or are heard, again.
    pub undone_at: Instant,
    /// [`SuperCluster::wait_ready`] was satisfied.
    pub ready_at: Instant,
}

impl SuperCluster {
    /// `kill -9` of one server; its ports refuse.
    pub fn kill_server(&mut self, server: &str) -> Result<Instant, FaultError> {
        let name = self.find(server)?;
        self.kill_all(&[name])
    }

    /// `kill -9` of all servers of a region that live, at once.
    pub fn kill_region(&mut self, region: &str) -> Result<Instant, FaultError> {
        let alive = self.in_region(region, "kill", |state| state != State::Dead)?;
        self.kill_all(&alive)
    }

    /// Starts a server that is dead, on its old ports and store, and waits until it is linked. A lame duck that still
    /// quacks is killed first.
    pub async fn restart_server(&mut self, server: &str) -> Result<Recovery, FaultError> {
        let name = self.find(server)?;
        self.restart_all(&[name]).await
    }

    /// Starts several servers that are dead, and waits once for all of them.
    pub async fn restart_servers(&mut self, servers: &[String]) -> Result<Recovery, FaultError> {
        let names = servers.iter().map(|server| self.find(server)).collect::<Result<Vec<_>, _>>()?;
        self.restart_all(&names).await
    }

    /// Starts several servers that are dead, and waits for nothing.
    pub fn start_servers(&mut self, servers: &[String]) -> Result<Instant, FaultError> {
        let names = servers.iter().map(|server| self.find(server)).collect::<Result<Vec<_>, _>>()?;
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

    /// Starts the servers of a region that are dead or lame ducks.
    pub async fn restart_region(&mut self, region: &str) -> Result<Recovery, FaultError> {
        let down =
            self.in_region(region, "restart", |state| matches!(state, State::Dead | State::LameDuck))?;
        self.restart_all(&down).await
    }

    /// Silences the servers of a region towards every client, those in the same region included, and through all
    /// gateways. Nothing is closed; within the region they still hear each other.
    pub fn blackhole_region(&mut self, region: &str) -> Result<Instant, FaultError> {
        self.check_region(region)?;
        self.dark.insert(region.to_owned());
        self.silence();
        Ok(clock::now())
    }

    /// Silences the gateways of a region: its servers answer their clients, and hear nobody else. Connected but useless.
    pub fn isolate_region(&mut self, region: &str) -> Result<Instant, FaultError> {
        self.check_region(region)?;
        self.isolated.insert(region.to_owned());
        self.silence();
        Ok(clock::now())
    }

    /// Silences a region towards all others: through all gateways, to clients elsewhere, and for its own clients the
    /// servers elsewhere. Within the region everybody hears each other: of a split brain, this is the smaller part.
    pub fn cut_off_region(&mut self, region: &str) -> Result<Instant, FaultError> {
        self.check_region(region)?;
        self.cut_off.insert(region.to_owned());
        self.silence();
        Ok(clock::now())
    }

    /// Ends [`SuperCluster::blackhole_region`], [`SuperCluster::isolate_region`] and [`SuperCluster::cut_off_region`].
    /// Connections that lived through it are reset, as they would be by a far side that gave up meanwhile.
    pub async fn heal_region(&mut self, region: &str) -> Result<Recovery, FaultError> {
        self.heal_regions(&[region]).await
    }

    /// The same for several regions at once: where all were silent, none comes back without another one.
    pub async fn heal_regions(&mut self, regions: &[&str]) -> Result<Recovery, FaultError> {
        for region in regions {
            self.check_region(region)?;
            self.dark.remove(*region);
            self.isolated.remove(*region);
            self.cut_off.remove(*region);
        }
        self.silence();
        self.recovered(clock::now()).await
    }

    /// SIGUSR2: the server refuses new clients at once, tells its clients, and closes them one by one after the grace
    /// period; then it ends.
    pub fn lame_duck_server(&mut self, server: &str) -> Result<Instant, FaultError> {
        let name = self.find(server)?;
        let at = self.send(&name, Signal::SIGUSR2, "retire", State::Up, State::LameDuck)?;
        self.paths.clients_of(&name).for_each(crate::wan::Path::refuse);
        Ok(at)
    }

    /// SIGTERM: the server closes its clients and ends. Its ports refuse.
    pub fn terminate_server(&mut self, server: &str) -> Result<Instant, FaultError> {
        let name = self.find(server)?;
        let at = self.send(&name, Signal::SIGTERM, "terminate", State::Up, State::LameDuck)?;
        self.paths.clients_of(&name).for_each(crate::wan::Path::refuse);
        Ok(at)
    }

    /// From its next start on, the server runs this nats-server: a version or a path.
    ///
    /// # Errors
    /// There is no such server, or no such nats-server.
    pub fn choose_version(&mut self, server: &str, version: &str) -> Result<(), VersionError> {
        let found = NatsServer::of_topology(version)?;
        if let Ok(name) = self.find(server) {
            self.other_versions.insert(name, found);
        }
        Ok(())
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

    /// Waits for the end of a lame duck's process; false when `limit` passed first.
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

    fn silence(&self) {
        self.paths.silence(&self.dark, &self.isolated, &self.cut_off);
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
            self.paths.to_server(name).for_each(crate::wan::Path::refuse);
            // Reaps the process.
            self.server(name)?.set_state(State::Dead);
        }
        Ok(at)
    }

    async fn restart_all(&mut self, names: &[ServerName]) -> Result<Recovery, FaultError> {
        self.start_all(names)?;
        for name in names {
            self.wait_listening(name).await?;
        }
        self.recovered(clock::now()).await
    }

    fn start_all(&mut self, names: &[ServerName]) -> Result<Instant, FaultError> {
        for name in names {
            let state = self.server(name)?.state();
            if !matches!(state, State::Dead | State::LameDuck) {
                return Err(FaultError::State {
                    what: "restart",
                    server: name.clone(),
                    state: state.as_str(),
                });
            }
            self.server(name)?.set_state(State::Dead);
        }
        for name in names {
            let path = self.nats_server_of(name).path.clone();
            let Some(server) = self.servers.get_mut(name) else { continue };
            let spawned = server.spawn(&self.guard, &path);
            spawned.map_err(|error| cannot("restart", name, error))?;
            self.paths.to_server(name).for_each(crate::wan::Path::accept);
        }
        Ok(clock::now())
    }

    /// Waits until clients can connect again, which is when a restart counts as done.
    async fn wait_listening(&mut self, name: &ServerName) -> Result<(), FaultError> {
        let deadline = clock::now() + self.ready_limit;
        loop {
            let server = self.server(name)?;
            if let Some(reason) = server.end() {
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

    async fn recovered(&self, undone_at: Instant) -> Result<Recovery, FaultError> {
        self.wait_ready().await?;
        super::streams::wait_in_sync(self).await?;
        Ok(Recovery { undone_at, ready_at: clock::now() })
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
        self.servers.values_mut().for_each(Server::bury_lame_duck);
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

/// How often a restarted server's port is dialled.
const ASK_AGAIN: Duration = Duration::from_millis(10);

fn cannot(what: &'static str, server: &ServerName, error: io::Error) -> FaultError {
    FaultError::Io { what, server: server.clone(), error }
}
