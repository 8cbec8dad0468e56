//! The types of the module `netns` on systems other than Linux. Network namespaces exist only on Linux, so no code can
//! create a value of these types.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::effect::Conditions;

/// Why there is no emulation by network namespaces.
#[derive(Debug, thiserror::Error)]
#[error("network namespaces exist on Linux only: use `--wan proxy`")]
pub struct NetnsError;

/// A network of its own.
#[derive(Clone, Debug)]
pub struct Namespace(Infallible);

impl Namespace {
    /// Runs `task` inside of it.
    pub fn run<T: Send>(&self, _task: impl FnOnce() -> T + Send) -> io::Result<T> {
        match self.0 {}
    }

    /// Dials `address` from inside of it.
    pub async fn connect(&self, _address: SocketAddr) -> io::Result<TcpStream> {
        match self.0 {}
    }
}

/// The emulated network of a run.
#[derive(Debug)]
pub struct Network(Infallible);

/// A path of packets.
#[derive(Clone, Debug)]
pub struct Route(Infallible);

impl Network {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn start(_servers: &[usize]) -> Result<Self, NetnsError> {
        Err(NetnsError)
    }

    /// The namespace of a region's servers.
    pub fn servers(&self, _region: usize) -> &Namespace {
        match self.0 {}
    }

    /// The namespace of a region's clients.
    pub fn clients(&self, _region: usize) -> &Namespace {
        match self.0 {}
    }

    /// Runs tasks whose sockets are in the namespace of a region's clients.
    pub fn client_runtime(&self, _region: usize) -> Option<Handle> {
        match self.0 {}
    }

    /// Where a server of a region listens.
    pub fn server_address(&self, _region: usize, _server: usize) -> Ipv4Addr {
        match self.0 {}
    }

    /// From where clients of a region, or dials of its servers, come.
    pub fn dialler_address(&self, _region: usize, _has_clients: bool) -> Ipv4Addr {
        match self.0 {}
    }

    /// Lets packets pass from a region to a server and back.
    pub fn open(&self, _label: String, _from: usize, _server: SocketAddrV4, _rtt: Duration) -> Route {
        match self.0 {}
    }
}

impl Route {
    /// Changes the path's own round-trip time.
    pub fn set_rtt(&self, _rtt: Duration) {
        match self.0 {}
    }

    /// Replaces the state that link faults give the path.
    pub fn impose(&self, _conditions: Conditions) {
        match self.0 {}
    }

    /// Payload that was carried.
    pub fn bytes(&self) -> u64 {
        match self.0 {}
    }

    /// Connections that the server accepted.
    pub fn connections(&self) -> u64 {
        match self.0 {}
    }
}
