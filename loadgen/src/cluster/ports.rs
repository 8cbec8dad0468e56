//! The ports of a run.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::topology::spec::PortsSpec;
use crate::wan::{ReservePortError, ReservedPort};

/// Where a run's ports come from: any free ones, or counted up from a base.
#[derive(Debug)]
pub(super) struct PortPool {
    next: Option<u16>,
}

impl PortPool {
    /// Free ports, or those from `base` on.
    pub(super) fn new(base: Option<u16>) -> Self {
        Self { next: base }
    }

    /// Reserves one more port on loopback.
    pub(super) fn take(&mut self) -> Result<ReservedPort, ReservePortError> {
        self.take_at(Ipv4Addr::LOCALHOST)
    }

    /// Reserves one more port at an address of this machine.
    pub(super) fn take_at(&mut self, ip: Ipv4Addr) -> Result<ReservedPort, ReservePortError> {
        let Some(port) = self.next else { return ReservedPort::any_at(ip) };
        let addr = SocketAddrV4::new(ip, port);
        // 0 means "any" to the operating system, so counting past the end would leave the range in silence.
        self.next = Some(port.checked_add(1).ok_or(ReservePortError::Taken { addr })?);
        ReservedPort::exactly_at(addr)
    }
}

/// The ports of one server, reserved for the whole run so that a restart finds them free.
#[derive(Debug)]
pub(super) struct ServerPorts {
    pub(super) client: ReservedPort,
    pub(super) websocket: ReservedPort,
    pub(super) monitor: ReservedPort,
    pub(super) route: ReservedPort,
    pub(super) gateway: ReservedPort,
    pub(super) leaf: ReservedPort,
}

impl ServerPorts {
    /// Reserves them: those that the topology gives, and others of the pool.
    pub(super) fn take(pool: &mut PortPool, given: PortsSpec) -> Result<Self, ReservePortError> {
        let mut take = |port: Option<u16>| port.map_or_else(|| pool.take(), ReservedPort::exactly);
        Ok(Self {
            client: take(given.client)?,
            websocket: take(given.websocket)?,
            monitor: take(given.monitor)?,
            route: take(given.route)?,
            gateway: take(given.gateway)?,
            leaf: take(given.leaf)?,
        })
    }
}
