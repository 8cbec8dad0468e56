//! The parts of a TCP packet that decide its path, and the RST that answers a packet. Pure.

use std::net::SocketAddrV4;

use etherparse::{Ipv4Slice, PacketBuilder, TcpSlice};

use super::super::effect::Direction;

/// A TCP segment, as far as the switch reads it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Segment {
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    /// The acknowledgement; `None` in the first packet of a connection.
    pub(super) ack: Option<u32>,
    pub(super) sequence: u32,
    pub(super) payload_bytes: usize,
}

impl Segment {
    /// Reads a packet; `None` if it is not TCP over IPv4, which the emulated network does not carry.
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        let ip = Ipv4Slice::from_slice(packet).ok()?;
        let header = ip.header();
        let tcp = TcpSlice::from_slice(ip.payload().payload).ok()?;
        Some(Self {
            from: SocketAddrV4::new(header.source_addr(), tcp.source_port()),
            to: SocketAddrV4::new(header.destination_addr(), tcp.destination_port()),
            syn: tcp.syn(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            ack: tcp.ack().then(|| tcp.acknowledgment_number()),
            sequence: tcp.sequence_number(),
            payload_bytes: tcp.payload().len(),
        })
    }

    /// Returns whether it asks for a new connection.
    pub(super) fn is_dial(&self) -> bool {
        self.syn && self.ack.is_none()
    }

    /// Returns whether it completes a handshake, so that the dialler counts as connected.
    pub(super) fn is_of_handshake(&self, direction: Direction) -> bool {
        let is_bare = self.payload_bytes == 0 && !self.fin && !self.rst;
        self.syn || direction == Direction::ToServer && is_bare
    }

    /// The packet that resets the sender's connection, by the rules of RFC 9293, 3.5.2; `None` if this is a RST itself.
    pub(super) fn reset(&self) -> Option<Vec<u8>> {
        if self.rst {
            return None;
        }
        let taken = self.payload_bytes as u32 + u32::from(self.syn) + u32::from(self.fin);
        let builder = PacketBuilder::ipv4(self.to.ip().octets(), self.from.ip().octets(), TIME_TO_LIVE);
        let builder = builder.tcp(self.to.port(), self.from.port(), self.ack.unwrap_or(0), 0).rst();
        let builder = match self.ack {
            Some(_) => builder,
            None => builder.ack(self.sequence.wrapping_add(taken)),
        };
        let mut packet = Vec::with_capacity(builder.size(0));
        builder.write(&mut packet, &[]).ok()?;
        Some(packet)
    }
}

const TIME_TO_LIVE: u8 = 64;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::wan::netns) fn dial(from: &str, to: &str) -> Vec<u8> {
        let (from, to): (SocketAddrV4, SocketAddrV4) = (from.parse().unwrap(), to.parse().unwrap());
        let builder = PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64);
        let mut packet = Vec::new();
        builder.tcp(from.port(), to.port(), 1_000, 512).syn().write(&mut packet, &[]).unwrap();
        packet
    }

    #[test]
    fn a_dial_is_refused_as_by_a_closed_port() {
        let dial = Segment::of(&dial("10.128.0.1:40000", "10.1.1.1:4222")).unwrap();
        assert!(dial.is_dial() && dial.is_of_handshake(Direction::ToServer));
        let reset = Segment::of(&dial.reset().unwrap()).unwrap();
        assert_eq!((reset.from, reset.to), (dial.to, dial.from));
        assert_eq!((reset.rst, reset.ack, reset.sequence), (true, Some(1_001), 0));
        assert_eq!(reset.reset(), None);
    }

    #[test]
    fn a_reset_of_an_open_connection_is_what_its_sender_expects_next() {
        let dial = Segment::of(&dial("10.128.0.1:40000", "10.1.1.1:4222")).unwrap();
        let data = Segment { syn: false, ack: Some(77), payload_bytes: 5, ..dial };
        let reset = Segment::of(&data.reset().unwrap()).unwrap();
        assert_eq!((reset.rst, reset.ack, reset.sequence), (true, None, 77));
    }

    #[test]
    fn other_packets_are_none() {
        let mut udp = Vec::new();
        let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 1, 1, 1], 64).udp(1, 2);
        builder.write(&mut udp, b"text").unwrap();
        assert_eq!(Segment::of(&udp), None);
        assert_eq!(Segment::of(&[0x60, 0, 0]), None);
        assert_eq!(Segment::of(&[]), None);
    }
}
