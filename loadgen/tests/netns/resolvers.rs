//! Resolvers answer inside of the network of the clients, with the addresses that are valid there.

use std::io;

use loadgen::name_server::{NameServers, ResolverFault};
use tokio::net::TcpStream;

use crate::dns_packet::{A, SRV, over_tcp, query};
use crate::world::World;

const SERVICE: &str = "_nats._tcp.nats.loadgen.test";

/// A super-cluster of `lon` and `ams`.
pub(crate) async fn answer_inside_of_the_network(world: &World) {
    let names = ["google".to_owned()];
    let resolvers = NameServers::start(&names, &world.cluster).await.unwrap();
    for region in ["lon", "ams"] {
        let resolver = resolvers.address("google", region).unwrap();
        let answers = world.within(region, async move {
            let server = query(resolver, "ams-1.nats.loadgen.test", A).await;
            (server, query(resolver, SERVICE, SRV).await, over_tcp(resolver, SERVICE, SRV).await.unwrap())
        });
        let (server, udp, tcp) = answers.await;
        let dialled = world.addr(region, "ams");
        assert_eq!(server.code, 0);
        assert_eq!(server.addresses(), [dialled.ip().to_string()]);
        assert!(udp.srv_ports().contains(&dialled.port()) && tcp.srv_ports() == udp.srv_ports());
    }
    resolvers.inject(1, &names, ResolverFault::Stale).unwrap();
    let resolver = resolvers.address("google", "lon").unwrap();
    let refused = world.within("lon", async move {
        let (server, service) =
            (query(resolver, "lon-1.nats.loadgen.test", A), query(resolver, SERVICE, SRV));
        let (host, port) = (server.await.addresses().remove(0), service.await.srv_ports()[0]);
        TcpStream::connect((host.as_str(), port)).await.map(drop)
    });
    assert_eq!(refused.await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}
