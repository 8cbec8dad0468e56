//! Faults that silence, refuse or end connections of clients.

use std::time::Duration;

use loadgen::cluster::faults::{LinkFault, LinkKind, LinkScope, Links};
use loadgen::wan::{Latency, LinkEffect, Silence};

use super::raw::{RawClient, Seen, dial, is_refused, monitoring};
use super::{LIMIT, SILENCE, World, ams_to_lon, region, until};

pub(crate) async fn check(world: &mut World) {
    silence_closes_nothing_and_ends_in_a_reset(world).await;
    silence_has_directions(world).await;
    refusal_spares_open_connections(world).await;
    reset_and_close_end_connections(world).await;
    an_accepted_connection_stays_without_info(world).await;
    faults_on_one_link_combine(world).await;
    region_faults_end_alone(world).await;
    impossible_faults_are_named(world);
}

async fn silence_closes_nothing_and_ends_in_a_reset(world: &mut World) {
    let mut far = world.connect("ams", "lon-1").await;
    let mut near = world.connect("lon", "lon-1").await;
    let mut leaving = world.connect("lon", "ams-1").await;
    let clients = Links::of(region("lon")).only(LinkKind::CLIENTS);
    let effect = LinkEffect::Silence(Silence::Both);
    let fault = LinkFault { links: clients.from_other_regions(), effect };
    let (fault, _) = world.cluster.break_links(fault).unwrap();
    until("the far client hears nothing", async || far.ping(SILENCE).await == Seen::Silence).await;
    assert_eq!(dial(&world.tcp("ams", "lon-1"), SILENCE).await, Seen::Silence);
    assert!(near.pong().await && leaving.pong().await, "only links from other regions are silent");

    let own = world.break_clients(region("lon"), effect);
    until("the near client hears nothing", async || near.ping(SILENCE).await == Seen::Silence).await;
    assert_eq!(dial(&world.tcp("lon", "lon-1"), SILENCE).await, Seen::Silence);
    world.cluster.mend_links(fault).unwrap();
    assert_eq!(far.ping(SILENCE).await, Seen::Silence, "the other fault still holds");
    world.mend(own).await;
    assert_eq!((far.ends().await, near.ends().await), (Seen::Reset, Seen::Reset));
    assert!(leaving.pong().await);
}

async fn silence_has_directions(world: &mut World) {
    let (subscribe, publish) = ("SUB news 1\r\nPING\r\n", "PUB news 1\r\nx\r\n");
    let mut far = world.connect("ams", "lon-1").await;
    let mut near = world.connect("lon", "lon-1").await;
    far.send(subscribe).await;
    assert!(matches!(far.hears("PONG", LIMIT).await, Seen::Line(_)));
    let to_server = world.break_clients(ams_to_lon(), LinkEffect::Silence(Silence::ToServer));
    until("the server hears no PING", async || far.ping(SILENCE).await == Seen::Silence).await;
    near.send(publish).await;
    assert!(matches!(far.hears("MSG news", LIMIT).await, Seen::Line(_)), "it still receives");
    assert_eq!(dial(&world.tcp("ams", "lon-1"), SILENCE).await, Seen::Silence, "a handshake needs both ways");
    world.mend(to_server).await;
    assert_eq!(far.ends().await, Seen::Reset);

    let mut far = world.connect("ams", "lon-1").await;
    near.send(subscribe).await;
    assert!(matches!(near.hears("PONG", LIMIT).await, Seen::Line(_)));
    let from_server = world.break_clients(ams_to_lon(), LinkEffect::Silence(Silence::FromServer));
    until("no PONG comes back", async || far.ping(SILENCE).await == Seen::Silence).await;
    far.send(publish).await;
    assert!(matches!(near.hears("MSG news", LIMIT).await, Seen::Line(_)), "the server still receives");
    assert_eq!(dial(&world.tcp("ams", "lon-1"), SILENCE).await, Seen::Silence);
    world.mend(from_server).await;
    assert_eq!(far.ends().await, Seen::Reset);
}

async fn refusal_spares_open_connections(world: &mut World) {
    let mut old = world.connect("ams", "lon-1").await;
    let websocket = world.endpoint("ams", "lon-1").websocket_url.trim_start_matches("ws://").to_owned();
    let server = LinkScope::Server("lon-1".to_owned());
    let fault = world.break_clients(server, LinkEffect::Refuse);
    for addr in [world.tcp("ams", "lon-1"), websocket, world.tcp("lon", "lon-1")] {
        until("a dial is refused", async || is_refused(&addr).await).await;
    }
    assert!(old.pong().await);
    assert!(RawClient::works(&world.tcp("lon", "ams-1")).await, "the other server accepts");
    world.mend(fault).await;
    assert!(old.pong().await, "the open connection outlives the fault");
}

async fn reset_and_close_end_connections(world: &mut World) {
    for (effect, end) in [(LinkEffect::Reset, Seen::Reset), (LinkEffect::Close, Seen::End)] {
        let mut old = world.connect("ams", "lon-1").await;
        let mut other = world.connect("lon", "lon-1").await;
        let connections = async |world: &World| {
            let addr = world.cluster.monitor("lon-1").unwrap().addr();
            let connz = monitoring(addr, "/connz").await;
            let listed = connz["connections"].as_array().unwrap().iter();
            listed.map(|connection| connection["cid"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert!(connections(world).await.contains(&old.cid()));
        let fault = world.break_clients(ams_to_lon(), effect);
        assert_eq!(old.ends().await, end, "{effect:?}");
        until("a new connection ends likewise", async || {
            dial(&world.tcp("ams", "lon-1"), LIMIT).await == end
        })
        .await;
        until("the server has lost it too", async || !connections(world).await.contains(&old.cid())).await;
        assert!(other.pong().await && connections(world).await.contains(&other.cid()));
        world.mend(fault).await;
    }
}

async fn an_accepted_connection_stays_without_info(world: &mut World) {
    let addr = world.cluster.monitor("lon-1").unwrap().addr();
    let total = async || monitoring(addr, "/varz").await["total_connections"].as_u64().unwrap();
    let mut old = world.connect("ams", "lon-1").await;
    let fault = world.break_clients(ams_to_lon(), LinkEffect::AcceptSilent);
    until("the open connection is silent", async || old.ping(SILENCE).await == Seen::Silence).await;
    let before = total().await;
    let addr = world.tcp("ams", "lon-1");
    let held = tokio::spawn(async move { dial(&addr, LIMIT).await });
    assert_eq!(dial(&world.tcp("ams", "lon-1"), SILENCE).await, Seen::Silence);
    assert_eq!(total().await, before, "no dial reaches the server");
    world.mend(fault).await;
    assert_eq!(old.ends().await, Seen::Reset);
    assert_eq!(
        held.await.unwrap(),
        Seen::Reset,
        "a connection that was accepted without a server has none later"
    );
}

async fn faults_on_one_link_combine(world: &mut World) {
    let addr = world.tcp("ams", "lon-1");
    let refused = world.break_clients(region("lon"), LinkEffect::Refuse);
    until("a dial is refused", async || is_refused(&addr).await).await;
    let silent = world.break_clients(ams_to_lon(), LinkEffect::Silence(Silence::Both));
    until("silence dominates", async || !is_refused(&addr).await).await;
    assert_eq!(dial(&addr, SILENCE).await, Seen::Silence);
    world.cluster.mend_links(silent).unwrap();
    until("a dial is refused again", async || is_refused(&addr).await).await;
    world.mend(refused).await;
}

async fn region_faults_end_alone(world: &mut World) {
    let slow = LinkEffect::Latency(Latency::Add(Duration::from_millis(100)));
    let slow = world.break_clients(ams_to_lon(), slow);
    let mut client = world.connect("ams", "lon-1").await;
    world.cluster.blackhole_region("lon").unwrap();
    world.cluster.blackhole_region("lon").unwrap();
    assert!(world.cluster.is_silent("lon").unwrap() && world.cluster.link_faults().count() == 2);
    until("the region is silent", async || client.ping(SILENCE).await == Seen::Silence).await;
    let missing = world.cluster.missing().await;
    assert!(missing.iter().any(|it| it.contains("silence on all links of region `lon`")), "{missing:?}");
    world.cluster.heal_region("lon").await.unwrap();
    assert_eq!(client.ends().await, Seen::Reset);
    assert!(!world.cluster.is_silent("lon").unwrap());
    assert!(
        world.connect("ams", "lon-1").await.rtt().await >= Duration::from_millis(100),
        "that fault stays"
    );
    world.mend(slow).await;
}

fn impossible_faults_are_named(world: &mut World) {
    let mut refusal = |scope: LinkScope, kinds: &[LinkKind], effect: LinkEffect| {
        let links = Links::of(scope).only(kinds.iter().copied());
        world.cluster.break_links(LinkFault { links, effect }).unwrap_err().to_string()
    };
    let refuse = LinkEffect::Refuse;
    let error = refusal(region("mars"), &LinkKind::ALL, refuse);
    assert!(error.contains("`mars`") && error.contains("lon, ams"), "{error}");
    let error = refusal(LinkScope::Server("lon-9".to_owned()), &LinkKind::ALL, refuse);
    assert!(error.contains("`lon-9`") && error.contains("lon-1"), "{error}");
    let error = refusal(region("lon"), &[LinkKind::Leaf], refuse);
    assert!(error.contains("no leaf-node links of region `lon`"), "{error}");
    let hour = LinkEffect::Latency(Latency::Add(Duration::from_secs(3_600)));
    let error = refusal(region("lon"), &LinkKind::ALL, hour);
    assert!(error.contains("3600 s") && error.contains("60 s"), "{error}");

    let fault = world.break_clients(region("lon"), refuse);
    world.cluster.mend_links(fault).unwrap();
    let error = world.cluster.mend_links(fault).unwrap_err().to_string();
    assert!(error.contains(&format!("link fault {fault} is not active")), "{error}");
    assert_eq!(world.cluster.link_faults().count(), 0);
}
