//! Ports that stay reserved while no program listens on them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use socket2::{Domain, Socket, Type};

/// A port of this machine, mostly on loopback, that stays ours while nobody listens on it.
///
/// A server's port must survive the time between its death and its restart, and a path's port the time in which it
/// refuses. A free port could be taken meanwhile: by another listener, or by any outgoing connection as its source
/// port. So a socket that never listens stays bound to it; dialling it is refused, and `SO_REUSEADDR` (which Go sets
/// too, hence nats-server) lets one other socket listen.
#[derive(Debug)]
pub struct ReservedPort {
    addr: SocketAddrV4,
    /// BSD does not let two sockets share an exact address; there the port is only remembered.
    _holder: Option<Socket>,
}

/// Why a port could not be reserved.
#[derive(Debug, thiserror::Error)]
pub enum ReservePortError {
    /// Somebody listens there.
    #[error("port {} on {} is taken: stop what listens there, or choose another base port", .addr.port(), .addr.ip())]
    Taken {
        /// The port that was asked for.
        addr: SocketAddrV4,
    },
    /// No network interface has the address.
    #[error("{0} is no address of this machine: choose one that `hostname -I` prints")]
    NotHere(Ipv4Addr),
    /// The operating system said no.
    #[error("cannot reserve port {} on {} (0 = any free one): {error}", .addr.port(), .addr.ip())]
    Io {
        /// The port that was asked for.
        addr: SocketAddrV4,
        /// Error of the operating system.
        error: io::Error,
    },
}

impl ReservedPort {
    /// Reserves any free port on loopback.
    pub fn any() -> Result<Self, ReservePortError> {
        Self::any_at(Ipv4Addr::LOCALHOST)
    }

    /// Reserves any free port at an address of this machine.
    pub fn any_at(ip: Ipv4Addr) -> Result<Self, ReservePortError> {
        let addr = SocketAddrV4::new(ip, 0);
        Self::reserve(addr).map_err(|error| ReservePortError::of(addr, error))
    }

    /// Reserves `port` on loopback.
    pub fn exactly(port: u16) -> Result<Self, ReservePortError> {
        Self::exactly_at(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
    }

    /// Reserves a port at an address of this machine.
    pub fn exactly_at(addr: SocketAddrV4) -> Result<Self, ReservePortError> {
        // Binding alone would succeed beside a socket that is bound but does not listen yet.
        drop(listen(addr).map_err(|error| ReservePortError::of(addr, error))?);
        Self::reserve(addr).map_err(|error| ReservePortError::of(addr, error))
    }

    /// The port's number.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// The port's address.
    pub fn addr(&self) -> SocketAddr {
        self.addr.into()
    }

    /// Listens on the port; refused again once the listener is dropped.
    pub(super) fn listen(&self) -> io::Result<std::net::TcpListener> {
        listen(self.addr).map(Into::into)
    }

    fn reserve(addr: SocketAddrV4) -> io::Result<Self> {
        let socket = bind(addr)?;
        let bound = socket.local_addr()?.as_socket_ipv4().unwrap_or(addr);
        let holder = cfg!(target_os = "linux").then_some(socket);
        Ok(Self { addr: bound, _holder: holder })
    }
}

impl ReservePortError {
    fn of(addr: SocketAddrV4, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::Taken { addr },
            io::ErrorKind::AddrNotAvailable => Self::NotHere(*addr.ip()),
            _ => Self::Io { addr, error },
        }
    }
}

/// How many connections may wait to be accepted: enough for every dial of a region's outage, because while a path is
/// dark they wait here.
const BACKLOG: i32 = 1024;

fn listen(addr: SocketAddrV4) -> io::Result<Socket> {
    let socket = bind(addr)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind(addr: SocketAddrV4) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from(addr).into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_reserved_port_refuses_until_it_listens() {
        let reserved = ReservedPort::any().unwrap();
        assert!(TcpStream::connect(reserved.addr()).is_err());
        let listener = reserved.listen().unwrap();
        assert!(TcpStream::connect(reserved.addr()).is_ok());
        drop(listener);
        assert!(TcpStream::connect(reserved.addr()).is_err());
        assert!(reserved.listen().is_ok());
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = ReservedPort::any().unwrap();
        let _listener = taken.listen().unwrap();
        let error = ReservedPort::exactly(taken.port()).unwrap_err().to_string();
        assert!(error.contains(&format!("port {} on 127.0.0.1", taken.port())), "{error}");
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        // RFC 5737 reserves it for documentation, so no machine has it.
        let error = ReservedPort::any_at(Ipv4Addr::new(192, 0, 2, 1)).unwrap_err().to_string();
        assert!(error.starts_with("192.0.2.1 is no address of this machine: choose"), "{error}");
    }
}
