//! The addresses of the emulated network. Pure.
//!
//! ```text
//! 10.R.0.1          the servers of region R dial from this address    (R: 0 to 127)
//! 10.R.1.1, ...     the servers of region R listen at these addresses
//! 10.(128+R).0.1    the clients of region R have this address
//! ```
//!
//! These addresses cannot collide with addresses of the machine, because the machine's own network does not see them.

use std::net::Ipv4Addr;

/// One namespace of the network.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    /// The number of the region.
    pub(super) region: u8,
    /// Whether its clients are there, or its servers.
    pub(super) has_clients: bool,
}

/// More regions have no address.
pub(super) const MOST_REGIONS: usize = 128;

/// More servers of one region have no address.
pub(super) const MOST_SERVERS: usize = 60_000;

/// Those of clients have this bit in their second byte.
const CLIENTS: u8 = 128;

impl Place {
    /// Where an address is; `None` if it is none of the network.
    pub(super) fn of(address: Ipv4Addr) -> Option<Self> {
        match address.octets() {
            [10, place, ..] => Some(Self { region: place & !CLIENTS, has_clients: place & CLIENTS != 0 }),
            _ => None,
        }
    }

    /// The address that dials from there have.
    pub(super) fn address(self) -> Ipv4Addr {
        let place = if self.has_clients { self.region | CLIENTS } else { self.region };
        Ipv4Addr::new(10, place, 0, 1)
    }

    /// The address of a server of the region, by its index from 0.
    pub(super) fn server(self, index: usize) -> Ipv4Addr {
        let [high, low] = (FIRST_SERVER + index as u16).to_be_bytes();
        Ipv4Addr::new(10, self.region, high, low)
    }
}

/// `10.R.1.1`.
const FIRST_SERVER: u16 = 257;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_addresses() {
        let (servers, clients) =
            (Place { region: 2, has_clients: false }, Place { region: 2, has_clients: true });
        assert_eq!(servers.address().to_string(), "10.2.0.1");
        assert_eq!(servers.server(0).to_string(), "10.2.1.1");
        assert_eq!(servers.server(300).to_string(), "10.2.2.45");
        assert_eq!(clients.address().to_string(), "10.130.0.1");
        for address in [servers.address(), servers.server(0), servers.server(300)] {
            assert_eq!(Place::of(address), Some(servers));
        }
        assert_eq!(Place::of(clients.address()), Some(clients));
        assert_eq!(Place::of(Ipv4Addr::LOCALHOST), None);
    }
}
