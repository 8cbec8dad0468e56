//! Ports that stay reserved while nobody listens on them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use socket2::{Domain, Socket, Type};

/// A loopback port that stays ours while nobody listens on it.
///
/// A server's port must survive the time between its death and its restart, and a path's port the time in which it
/// refuses. A free port could be taken meanwhile: by another listener, or by any outgoing connection as its source
/// port. So a socket that never listens stays bound to it; dialling it is refused, and `SO_REUSEADDR` (which Go sets
/// too, hence nats-server) lets one other socket listen.
#[derive(Debug)]
pub struct ReservedPort {
    port: u16,
    /// BSD does not let two sockets share an exact address; there the port is only remembered.
    _holder: Option<Socket>,
}

/// Why a port could not be reserved.
#[derive(Debug, thiserror::Error)]
pub enum ReservePortError {
    /// Somebody listens there.
    #[error("port {port} on 127.0.0.1 is taken: stop what listens there, or choose another base port")]
    Taken {
        /// The port that was asked for.
        port: u16,
    },
    /// The operating system said no.
    #[error("cannot reserve port {port} on 127.0.0.1 (0 = any free one): {error}")]
    Io {
        /// The port that was asked for.
        port: u16,
        /// Error of the operating system.
        error: io::Error,
    },
}

impl ReservedPort {
    /// Reserves any free port.
    pub fn any() -> Result<Self, ReservePortError> {
        Self::reserve(0).map_err(|error| ReservePortError::Io { port: 0, error })
    }

    /// Reserves `port`.
    pub fn exactly(port: u16) -> Result<Self, ReservePortError> {
        let taken_or = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => ReservePortError::Taken { port },
            _ => ReservePortError::Io { port, error },
        };
        // Binding alone would succeed beside a socket that is bound but does not listen yet.
        drop(listen(port).map_err(taken_or)?);
        Self::reserve(port).map_err(taken_or)
    }

    /// The port's number.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port's address on loopback.
    pub fn addr(&self) -> SocketAddr {
        loopback(self.port)
    }

    /// Listens on the port; refused again once the listener is dropped.
    pub(super) fn listen(&self) -> io::Result<std::net::TcpListener> {
        listen(self.port).map(Into::into)
    }

    fn reserve(port: u16) -> io::Result<Self> {
        let socket = bind(port)?;
        let bound = socket.local_addr()?.as_socket().map_or(port, |addr| addr.port());
        let holder = cfg!(target_os = "linux").then_some(socket);
        Ok(Self { port: bound, _holder: holder })
    }
}

/// How many connections may wait to be accepted: enough for every dial of a region's outage, because while a path is
/// dark they wait here.
const BACKLOG: i32 = 1024;

fn listen(port: u16) -> io::Result<Socket> {
    let socket = bind(port)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&loopback(port).into())?;
    Ok(socket)
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into()
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
        assert!(error.contains(&format!("port {}", taken.port())), "{error}");
    }
}
