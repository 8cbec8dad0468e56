//! WAN emulation by network namespaces: real TCP between the regions, packet by packet. Linux only.
//!
//! ```text
//! clients of lon --[TUN]--+          +--[TUN]-- servers of lon
//!                         |  switch  |
//! clients of ams --[TUN]--+          +--[TUN]-- servers of ams
//! ```
//!
//! Each region has two namespaces, one for its servers and one for its clients. So packets of clients to their own region
//! can be lost, too; packets between servers of one region stay in their namespace. The only way out of a namespace is a TUN
//! device. One thread reads packets from all devices, and delays, loses or answers them.
//!
//! The namespaces have no names and the devices are not persistent. The kernel removes all of them when loadgen and its
//! servers are gone, however they end.

mod addresses;
mod device;
mod loss;
mod namespace;
mod packet;
mod path;
mod switch;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::runtime::{Handle, Runtime};

use addresses::{MOST_REGIONS, MOST_SERVERS, Place};
use device::Device;
pub use namespace::Namespace;
use path::PacketPath;
use switch::{SharedPaths, Switch, lock};

use super::effect::Conditions;

/// Why there is no emulation by network namespaces.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// The kernel refuses a namespace.
    #[error("cannot create a network namespace: {0}; {REMEDY}")]
    Create(io::Error),
    /// The kernel refuses to enter it, or to configure it.
    #[error("cannot work inside of a network namespace: {0}; {REMEDY}")]
    Enter(io::Error),
    /// There is no TUN device.
    #[error("cannot create a TUN device with /dev/net/tun: {0}; {REMEDY}")]
    Tun(io::Error),
    /// Addresses or interfaces are refused.
    #[error("cannot configure a network namespace: {0}; {REMEDY}")]
    Configure(String),
    /// A thread does not start.
    #[error("cannot start a thread of the WAN emulation: {0}")]
    Thread(io::Error),
    /// More than the addresses of the network.
    #[error(
        "{regions} regions with up to {servers} servers do not fit into the network namespaces: use at most {MOST_REGIONS} regions \
         with {MOST_SERVERS} servers each, or `--wan proxy`"
    )]
    TooMany {
        /// How many regions.
        regions: usize,
        /// How many servers the largest one has.
        servers: usize,
    },
}

const REMEDY: &str = "run loadgen as root, or in a user namespace of its own with `unshare --map-root-user loadgen ...`, or use \
                      `--wan proxy`";

/// The emulated network of a run. Dropping it ends its threads; its namespaces live on until their last process ends.
#[derive(Debug)]
pub struct Network {
    regions: Vec<Region>,
    paths: SharedPaths,
    stop: Arc<EventFd>,
    switch: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Region {
    place: Place,
    servers: Namespace,
    clients: Namespace,
    /// Its threads are in `clients`; `None` only while it ends.
    runtime: Option<Runtime>,
}

/// A path of packets: from a region that dials to a server that is dialled.
#[derive(Clone, Debug)]
pub struct Route {
    paths: SharedPaths,
    number: usize,
}

impl Network {
    /// Creates the namespaces of regions that have so many servers each, and begins to move packets. No path leads anywhere yet.
    ///
    /// # Errors
    /// See [`NetnsError`].
    pub fn start(servers: &[usize]) -> Result<Self, NetnsError> {
        let most = servers.iter().copied().max().unwrap_or(0);
        if servers.len() > MOST_REGIONS || most > MOST_SERVERS {
            return Err(NetnsError::TooMany { regions: servers.len(), servers: most });
        }
        let mut devices = BTreeMap::new();
        let mut regions = Vec::new();
        for (number, count) in servers.iter().enumerate() {
            let place = Place { region: number as u8, has_clients: false };
            let addresses: Vec<_> = (0..*count).map(|index| place.server(index)).collect();
            let of_servers = create(place, &addresses, &mut devices)?;
            let of_clients = create(Place { has_clients: true, ..place }, &[], &mut devices)?;
            let runtime = of_clients.run(start_runtime).and_then(|started| started);
            let runtime = Some(runtime.map_err(NetnsError::Thread)?);
            regions.push(Region { place, servers: of_servers, clients: of_clients, runtime });
        }
        let paths = SharedPaths::default();
        let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let stop = Arc::new(stop.map_err(|error| NetnsError::Thread(error.into()))?);
        let switch = Switch { devices, paths: Arc::clone(&paths), stop: Arc::clone(&stop) };
        let switch = std::thread::Builder::new().name("wan".to_owned()).spawn(move || {
            if let Err(error) = switch.run() {
                // No packet moves from now on: every region is silent.
                tracing::error!(%error, "the WAN emulation's switch failed");
            }
        });
        Ok(Self { regions, paths, stop, switch: Some(switch.map_err(NetnsError::Thread)?) })
    }

    /// The namespace of a region's servers.
    pub fn servers(&self, region: usize) -> &Namespace {
        &self.regions[region].servers
    }

    /// The namespace of a region's clients.
    pub fn clients(&self, region: usize) -> &Namespace {
        &self.regions[region].clients
    }

    /// Runs tasks whose sockets are in the namespace of a region's clients.
    pub fn client_runtime(&self, region: usize) -> Option<Handle> {
        self.regions[region].runtime.as_ref().map(|runtime| runtime.handle().clone())
    }

    /// Where a server of a region listens, by its index from 0.
    pub fn server_address(&self, region: usize, server: usize) -> Ipv4Addr {
        self.regions[region].place.server(server)
    }

    /// From where clients of a region, or dials of its servers, come.
    pub fn dialler_address(&self, region: usize, has_clients: bool) -> Ipv4Addr {
        Place { has_clients, ..self.regions[region].place }.address()
    }

    /// Lets packets pass from a region to a server and back, each after half of `rtt`.
    pub fn open(&self, label: String, from: usize, server: SocketAddrV4, rtt: Duration) -> Route {
        let region = self.regions[from].place.region;
        let number = lock(&self.paths).add(server, region, PacketPath::new(label, rtt));
        Route { paths: Arc::clone(&self.paths), number }
    }
}

impl Route {
    /// Changes the path's own round-trip time, for all packets that are sent from now on.
    pub fn set_rtt(&self, rtt: Duration) {
        lock(&self.paths).all[self.number].rtt = rtt;
    }

    /// Replaces the state that link faults give the path.
    pub fn impose(&self, conditions: Conditions) {
        lock(&self.paths).all[self.number].impose(conditions);
    }

    /// Payload that was carried in both directions so far.
    pub fn bytes(&self) -> u64 {
        lock(&self.paths).all[self.number].bytes
    }

    /// Connections that the server accepted so far.
    pub fn connections(&self) -> u64 {
        lock(&self.paths).all[self.number].connections
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for region in &mut self.regions {
            if let Some(runtime) = region.runtime.take() {
                runtime.shutdown_background();
            }
        }
        if let Err(error) = self.stop.write(1) {
            tracing::error!(%error, "cannot stop the WAN emulation's switch");
            return;
        }
        if let Some(switch) = self.switch.take()
            && switch.join().is_err()
        {
            tracing::error!("the WAN emulation's switch panicked");
        }
    }
}

fn create(
    place: Place,
    servers: &[Ipv4Addr],
    devices: &mut BTreeMap<Place, Device>,
) -> Result<Namespace, NetnsError> {
    let namespace = Namespace::create().map_err(NetnsError::Create)?;
    devices.insert(place, Device::create(&namespace, place.address(), servers)?);
    Ok(namespace)
}

/// Its worker inherits the namespace of the thread that calls this, and so do all threads that the worker starts.
fn start_runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("clients").enable_all().build()
}
