//! The only way out of a namespace: a TUN device, whose packets loadgen reads and writes.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use rtnetlink::LinkUnspec;
use tun_rs::{DeviceBuilder, SyncDevice};

use super::NetnsError;
use super::namespace::Namespace;

/// A TUN device in a namespace. Dropping it removes it.
pub(super) struct Device(SyncDevice);

impl Device {
    /// Makes `namespace` usable: `lo` is up, and all other addresses of the emulated network are behind a new device. Dials come
    /// from `own`; servers may listen at `more`.
    pub(super) fn create(
        namespace: &Namespace,
        own: Ipv4Addr,
        more: &[Ipv4Addr],
    ) -> Result<Self, NetnsError> {
        namespace.run(|| configure(own, more)).map_err(NetnsError::Enter)?
    }

    /// Reads one packet. An error of kind [`io::ErrorKind::WouldBlock`] means that there is none.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(nix::unistd::read(self.0.as_fd(), buffer)?)
    }

    /// Hands one packet to the namespace.
    pub(super) fn write(&self, packet: &[u8]) -> io::Result<usize> {
        Ok(nix::unistd::write(self.0.as_fd(), packet)?)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn configure(own: Ipv4Addr, more: &[Ipv4Addr]) -> Result<Device, NetnsError> {
    let builder = DeviceBuilder::new().name("wan").ipv4(own, PREFIX, None).mtu(MTU);
    let device = builder.build_sync().map_err(NetnsError::Tun)?;
    fcntl(device.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
        .map_err(|error| NetnsError::Tun(error.into()))?;
    let index = device.if_index().map_err(NetnsError::Tun)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(NetnsError::Thread)?;
    runtime.block_on(set_up(index, more))?;
    Ok(Device(device))
}

async fn set_up(device: u32, addresses: &[Ipv4Addr]) -> Result<(), NetnsError> {
    let failed = |error: rtnetlink::Error| NetnsError::Configure(error.to_string());
    let (connection, handle, _) = rtnetlink::new_connection().map_err(NetnsError::Enter)?;
    tokio::spawn(connection);
    handle.link().set(LinkUnspec::new_with_index(LOOPBACK).up().build()).execute().await.map_err(failed)?;
    // The device's own call for it asks for rights in the machine's network.
    let queue = LinkUnspec::new_with_index(device).txqueuelen(QUEUED_PACKETS).build();
    handle.link().set(queue).execute().await.map_err(failed)?;
    for address in addresses {
        let adding = handle.address().add(device, IpAddr::V4(*address), HOST_PREFIX).execute();
        adding.await.map_err(failed)?;
    }
    Ok(())
}

/// Every namespace numbers its interfaces on its own, and begins with `lo`.
const LOOPBACK: u32 = 1;

/// All of 10.0.0.0/8 is behind the device, so no route is needed.
const PREFIX: u8 = 8;

const HOST_PREFIX: u8 = 32;

/// That of Ethernet, so that TCP makes segments of the usual size.
const MTU: u16 = 1500;

/// Packets that the kernel keeps for a late reader; it drops later ones. The stock value is 500, which a burst of a few connections
/// fills.
const QUEUED_PACKETS: u32 = 8_192;
