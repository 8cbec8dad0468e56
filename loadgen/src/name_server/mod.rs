//! Emulated DNS resolvers of a super-cluster, and their faults.
//!
//! This folder owns a real hickory-server for each resolver and region. The server answers with the addresses that
//! clients of this region dial (`zone`), and fails as a fault says (`handler`). This folder must not know scenarios or
//! clients.

mod handler;
mod zone;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_server::Server;
use tokio::net::{TcpListener, TcpSocket, UdpSocket};

use crate::clock;
use crate::cluster::{Endpoint, SuperCluster, UnknownNameError};

use handler::{Faults, Handler};
use zone::Zone;

pub use handler::ResolverFault;
pub use hickory_server::proto::op::ResponseCode;
pub use zone::TTL;

/// Resolvers that clients of every region can ask. They end when this is dropped.
#[derive(Debug)]
pub struct NameServers {
    resolvers: BTreeMap<String, EmulatedResolver>,
}

#[derive(Debug)]
struct EmulatedResolver {
    faults: Faults,
    /// By region.
    listeners: BTreeMap<String, Listener>,
}

/// One resolver, as clients of one region ask it.
struct Listener {
    address: SocketAddr,
    /// Its tasks end when it is dropped.
    _server: Server<Handler>,
    /// Keeps the port closed that outdated records lead to.
    _vacated: TcpSocket,
}

impl fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A resolver did not start, or there is none of that name.
#[derive(Debug, thiserror::Error)]
pub enum NameServerError {
    /// No such region.
    #[error(transparent)]
    UnknownRegion(#[from] UnknownNameError),
    /// No such resolver.
    #[error("there is no resolver `{name}`: choose one of {}", known.join(", "))]
    UnknownResolver {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The resolver has no clients there.
    #[error("the resolver `{resolver}` has no clients in `{region}`: choose one of {}", known.join(", "))]
    NotInRegion {
        /// The resolver.
        resolver: String,
        /// The region.
        region: String,
        /// The regions that there are.
        known: Vec<String>,
    },
    /// DNS does not allow the name.
    #[error(
        "`{server}` cannot be a host in DNS because {reason}: name the server in the topology with letters, digits and `-`"
    )]
    Host {
        /// The server.
        server: String,
        /// The rule.
        reason: String,
    },
    /// The address of a server is not one.
    #[error("`{0}` must have an IP address and a port, because DNS records need both")]
    Address(String),
    /// No socket.
    #[error("the resolver `{resolver}` cannot listen for clients in {region}: {error}")]
    Listen {
        /// The resolver.
        resolver: String,
        /// Region of its clients.
        region: String,
        /// The error of the operating system.
        error: io::Error,
    },
}

impl NameServers {
    /// Starts a resolver of each name for the clients of every region.
    ///
    /// # Errors
    /// A resolver cannot listen, or DNS does not allow the name of a server.
    pub async fn start(names: &[String], cluster: &SuperCluster) -> Result<Self, NameServerError> {
        let new = |name: &String| {
            (name.clone(), EmulatedResolver { faults: Faults::default(), listeners: BTreeMap::new() })
        };
        let mut resolvers: BTreeMap<_, _> = names.iter().map(new).collect();
        for region in cluster.topology().regions() {
            let network = cluster.client_network(region)?;
            for (name, resolver) in &mut resolvers {
                let listening =
                    listen(cluster.clients_at(), network.endpoints.clone(), resolver.faults.clone());
                let failed =
                    |error| NameServerError::Listen { resolver: name.clone(), region: region.clone(), error };
                // Clients of a network namespace reach no socket outside of it.
                let listener = match &network.runtime {
                    Some(runtime) => {
                        runtime.spawn(listening).await.map_err(|error| failed(io::Error::other(error)))?
                    }
                    None => listening.await,
                };
                let listener = listener.map_err(|error| match error {
                    ListenError::Io(error) => failed(error),
                    ListenError::Zone(error) => error,
                })?;
                resolver.listeners.insert(region.clone(), listener);
            }
        }
        Ok(Self { resolvers })
    }

    /// Returns the address at which clients of a region ask a resolver, over UDP and TCP.
    ///
    /// # Errors
    /// There is no such resolver or region.
    pub fn address(&self, resolver: &str, region: &str) -> Result<SocketAddr, NameServerError> {
        let listener = self.get(resolver)?.listeners.get(region);
        listener.map(|listener| listener.address).ok_or_else(|| NameServerError::NotInRegion {
            resolver: resolver.to_owned(),
            region: region.to_owned(),
            known: self.get(resolver).iter().flat_map(|it| it.listeners.keys().cloned()).collect(),
        })
    }

    /// Injects a fault into resolvers. While several faults hold, a resolver fails by the newest. `id` ends the fault later.
    ///
    /// # Errors
    /// There is no such resolver; then no resolver has the fault.
    pub fn inject(
        &self,
        id: usize,
        resolvers: &[String],
        fault: ResolverFault,
    ) -> Result<Instant, NameServerError> {
        let hit = resolvers.iter().map(|name| self.get(name)).collect::<Result<Vec<_>, _>>()?;
        for resolver in hit {
            resolver.faults.add(id, fault);
        }
        Ok(clock::now())
    }

    /// Ends a fault everywhere.
    pub fn mend(&self, id: usize) {
        for resolver in self.resolvers.values() {
            resolver.faults.remove(id);
        }
    }

    fn get(&self, name: &str) -> Result<&EmulatedResolver, NameServerError> {
        self.resolvers.get(name).ok_or_else(|| NameServerError::UnknownResolver {
            name: name.to_owned(),
            known: self.resolvers.keys().cloned().collect(),
        })
    }
}

/// Starts a server for clients in one region.
async fn listen(ip: Ipv4Addr, endpoints: Vec<Endpoint>, faults: Faults) -> Result<Listener, ListenError> {
    let any = SocketAddr::from((ip, 0));
    let vacated = TcpSocket::new_v4()?;
    // A bound socket that does not listen refuses connections.
    vacated.bind(any)?;
    let current = Zone::of(&endpoints)?;
    let outdated = current.moved_from(vacated.local_addr()?);
    let handler = Handler { faults, current: current.catalog()?, outdated: outdated.catalog()? };
    let (udp, tcp) = bind(any).await?;
    let address = udp.local_addr()?;
    let mut server = Server::new(handler);
    server.register_socket(udp);
    server.register_listener(tcp, IDLE_MAX, RESPONSES_BUFFERED);
    Ok(Listener { address, _server: server, _vacated: vacated })
}

/// Binds one port for both protocols: a client asks again over TCP when an answer does not fit into a UDP packet.
async fn bind(any: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let udp = UdpSocket::bind(any).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < BIND_TRIES => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reason why a server for one region did not start.
enum ListenError {
    Io(io::Error),
    Zone(NameServerError),
}

impl From<io::Error> for ListenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<NameServerError> for ListenError {
    fn from(error: NameServerError) -> Self {
        Self::Zone(error)
    }
}

/// Another program may have the TCP port that belongs to a free UDP port. That is rare, so few tries are enough.
const BIND_TRIES: u32 = 16;

/// A client asks over TCP once and closes.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// Answers that wait in one TCP connection.
const RESPONSES_BUFFERED: usize = 8;
