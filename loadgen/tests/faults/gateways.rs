//! Faults of the links between servers, as the servers see them.

use loadgen::cluster::faults::{LinkFault, LinkKind, LinkScope, Links};
use loadgen::wan::LinkEffect;

use super::raw::{RawClient, monitoring};
use super::{World, until};

/// Servers lose their gateways, and clients do not notice.
pub(crate) async fn check(world: &mut World) {
    let mut client = world.connect("ams", "lon-1").await;
    let scope = LinkScope::Dials { from: "ams".to_owned(), to: "lon".to_owned() };
    let links = Links::of(scope).only([LinkKind::Gateway]);
    let (fault, _) = world.cluster.break_links(LinkFault { links, effect: LinkEffect::Reset }).unwrap();
    until("ams cannot dial lon", async || gateways(world, "ams-1", "outbound_gateways", "lon").await == 0)
        .await;
    until("lon has lost ams", async || gateways(world, "lon-1", "inbound_gateways", "ams").await == 0).await;
    assert_eq!(gateways(world, "lon-1", "outbound_gateways", "ams").await, 1, "the other direction is whole");
    assert!(client.pong().await && RawClient::works(&world.tcp("ams", "lon-1")).await);

    world.mend(fault).await;
    assert_eq!(gateways(world, "ams-1", "outbound_gateways", "lon").await, 1);
    assert_eq!(world.cluster.leaks().await.unwrap(), Vec::<String>::new());
}

/// Number of gateway connections that `/gatewayz` of a server lists for a region.
async fn gateways(world: &World, server: &str, direction: &str, region: &str) -> usize {
    let addr = world.cluster.monitor(server).unwrap().addr();
    let gatewayz = monitoring(addr, "/gatewayz").await;
    match &gatewayz[direction][region] {
        serde_json::Value::Array(listed) => listed.len(),
        serde_json::Value::Object(_) => 1,
        _ => 0,
    }
}
