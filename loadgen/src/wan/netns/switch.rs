//! The thread that moves packets between namespaces.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::EventFd;
use nix::sys::time::TimeSpec;

use super::super::effect::Direction;
use super::super::pace::Pace;
use super::addresses::Place;
use super::device::Device;
use super::packet::Segment;
use super::path::{Fate, PacketPath};
use crate::clock;

/// The paths, shared by the switch and by what breaks them.
#[derive(Debug, Default)]
pub(super) struct Paths {
    pub(super) all: Vec<PacketPath>,
    /// The number of a path by the server's address and the region that dials.
    numbers: BTreeMap<(SocketAddrV4, u8), usize>,
    /// All that moves from one region to another one, for limits of the bandwidth.
    pipes: BTreeMap<(u8, u8), Pace>,
}

/// [`Paths`] behind a lock, which is held for some packets at most.
pub(super) type SharedPaths = Arc<Mutex<Paths>>;

/// A panic elsewhere cannot leave paths half changed.
pub(super) fn lock(paths: &SharedPaths) -> MutexGuard<'_, Paths> {
    paths.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Paths {
    /// Adds a path, and returns its number.
    pub(super) fn add(&mut self, server: SocketAddrV4, from: u8, path: PacketPath) -> usize {
        self.numbers.insert((server, from), self.all.len());
        self.all.push(path);
        self.all.len() - 1
    }

    /// Decides about a packet.
    fn fate(&mut self, segment: &Segment, bytes: usize, now: Instant) -> Fate {
        let (Some(from), Some(to)) = (Place::of(*segment.from.ip()), Place::of(*segment.to.ip())) else {
            return Fate::Lost;
        };
        let towards = self.numbers.get(&(segment.to, from.region)).map(|path| (*path, Direction::ToServer));
        let back = || self.numbers.get(&(segment.from, to.region)).map(|path| (*path, Direction::FromServer));
        let Some((path, direction)) = towards.or_else(back) else {
            // No link leads there.
            return if segment.is_dial() { Fate::Reset(now) } else { Fate::Lost };
        };
        let pipe = self.pipes.entry((from.region, to.region)).or_insert_with(|| Pace::new(now));
        self.all[path].fate(direction, segment, bytes, pipe, now)
    }
}

/// Moves packets until it is told to stop.
pub(super) struct Switch {
    /// By their place in the network.
    pub(super) devices: BTreeMap<Place, Device>,
    pub(super) paths: SharedPaths,
    pub(super) stop: Arc<EventFd>,
}

/// A packet that is under way, ordered by its arrival.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct UnderWay {
    arrives: Instant,
    /// In the order in which they were sent.
    number: u64,
    to: Ipv4Addr,
    packet: Vec<u8>,
}

/// All packets that are under way.
#[derive(Default)]
struct Air {
    packets: BinaryHeap<Reverse<UnderWay>>,
    sent: u64,
    bytes: usize,
}

impl Air {
    fn send(&mut self, packet: Vec<u8>, to: Ipv4Addr, arrives: Instant) {
        if self.bytes + packet.len() > CAPACITY_BYTES {
            return;
        }
        self.bytes += packet.len();
        self.sent += 1;
        self.packets.push(Reverse(UnderWay { arrives, number: self.sent, to, packet }));
    }

    fn next_arrival(&self) -> Option<Instant> {
        self.packets.peek().map(|Reverse(first)| first.arrives)
    }

    fn arrived(&mut self, now: Instant) -> Option<UnderWay> {
        if self.next_arrival()? > now {
            return None;
        }
        let Reverse(first) = self.packets.pop()?;
        self.bytes -= first.packet.len();
        Some(first)
    }
}

impl Switch {
    /// Runs until [`Switch::stop`] is written to.
    pub(super) fn run(self) -> io::Result<()> {
        let mut air = Air::default();
        let mut buffer = vec![0; LARGEST_PACKET].into_boxed_slice();
        let mut sources: Vec<_> = self.devices.values().collect();
        let mut polled: Vec<_> =
            sources.iter().map(|device| PollFd::new(device.fd(), PollFlags::POLLIN)).collect();
        polled.push(PollFd::new(self.stop.as_fd(), PollFlags::POLLIN));
        loop {
            let wait = air.next_arrival().map(|arrival| arrival.saturating_duration_since(clock::now()));
            match ppoll(&mut polled, wait.map(TimeSpec::from_duration), None) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let is_ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
            if polled.last().is_some_and(is_ready) {
                return Ok(());
            }
            for (device, _) in sources.iter_mut().zip(&polled).filter(|(_, fd)| is_ready(fd)) {
                self.read(device, &mut buffer, &mut air)?;
            }
            self.deliver(&mut air);
        }
    }

    /// Reads some packets of one device, not all, because other devices wait, too.
    fn read(&self, device: &Device, buffer: &mut [u8], air: &mut Air) -> io::Result<()> {
        let mut paths = lock(&self.paths);
        let now = clock::now();
        for _ in 0..PACKETS_AT_ONCE {
            let packet = match device.read(buffer) {
                Ok(bytes) => &buffer[..bytes],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let Some(segment) = Segment::of(packet) else { continue };
            match paths.fate(&segment, packet.len(), now) {
                Fate::Arrives(at) => air.send(packet.to_vec(), *segment.to.ip(), at),
                Fate::Reset(at) => {
                    if let Some(reset) = segment.reset() {
                        air.send(reset, *segment.from.ip(), at);
                    }
                }
                Fate::Lost => {}
            }
        }
        Ok(())
    }

    fn deliver(&self, air: &mut Air) {
        while let Some(UnderWay { to, packet, .. }) = air.arrived(clock::now()) {
            let Some(device) = Place::of(to).and_then(|place| self.devices.get(&place)) else { continue };
            if let Err(error) = device.write(&packet) {
                // The kernel has no room, so TCP retransmits it.
                tracing::debug!(%error, %to, "a packet is lost in front of its namespace");
            }
        }
    }
}

/// Size of the largest packet of IPv4.
const LARGEST_PACKET: usize = 65_536;

/// About 0.2 ms of work.
const PACKETS_AT_ONCE: usize = 64;

/// Limit of all packets under way: half a second of one gigabit per second. Packets beyond it are lost, as in a full router.
const CAPACITY_BYTES: usize = 64 * 1024 * 1024;
