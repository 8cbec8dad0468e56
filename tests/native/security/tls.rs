//! TLS over TCP and WebSocket: who is trusted, how far away servers seem, and failover.

use std::time::Duration;

use loadgen::clock;
use loadgen::cluster::ServerTls;
use nats_geo::core::MoveCause;
use nats_geo::{GeoClient, GeoOptions, Tls};
use tokio::runtime::Handle;

use super::Settled;
use super::certificates::Authority;
use crate::world::{World, options, wait_for, within};

async fn world_with(tls: ServerTls) -> World {
    World::with(|settings| settings.tls = Some(tls)).await
}

fn trusting(authority: &Authority) -> GeoOptions {
    options().tls(Tls::new().ca_file(authority.file()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_region_is_left_under_tls_and_wss() {
    let authority = Authority::new();
    let mut world = world_with(authority.server("localhost").of_servers()).await;
    let mut clients = [
        Settled::in_lon(&world, "tls", trusting(&authority), "tls").await,
        // The server asks for it, the options demand it.
        Settled::in_lon(&world, "nats", trusting(&authority), "nats").await,
        Settled::in_lon(&world, "wss", trusting(&authority), "wss").await,
    ];
    let killed = clock::now();
    world.cluster.kill_region("lon").unwrap();
    for client in &mut clients {
        client.lands_in_ams(MoveCause::RegionLost).await;
        println!("a killed region: {} at work in ams after {:?}", client.subject, killed.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_region_is_left_under_tls_and_wss_and_nothing_stays_behind() {
    let authority = Authority::new();
    let mut world = world_with(authority.server("localhost").of_servers()).await;
    let before = Handle::current().metrics().num_alive_tasks();
    let mut clients = [
        Settled::in_lon(&world, "tls", trusting(&authority), "tls").await,
        Settled::in_lon(&world, "wss", trusting(&authority), "wss").await,
    ];
    // So much that every buffer on the way into the silence is full.
    let floods: Vec<_> = clients.iter().map(|client| tokio::spawn(flood(client.client.clone()))).collect();
    let silenced = clock::now();
    world.cluster.blackhole_region("lon").unwrap();
    for client in &mut clients {
        client.lands_in_ams(MoveCause::Suspicion).await;
        println!("a silent region: {} at work in ams after {:?}", client.subject, silenced.elapsed());
    }
    for flood in floods {
        flood.abort();
        assert!(flood.await.is_err(), "the flood ran dry");
    }
    let dropped = clock::now();
    // A WebSocket that is closed in an orderly way would wait for the silent side to agree.
    drop(clients);
    wait_for("the tasks of the silent links to end", async || {
        (Handle::current().metrics().num_alive_tasks() <= before).then_some(())
    })
    .await;
    println!("nothing of the silent links is left after {:?}", dropped.elapsed());
}

async fn flood(client: GeoClient) {
    let message = vec![0; 16 << 10];
    loop {
        // While nothing is live it waits, and fails in the end.
        let _ = client.publish("flood", message.clone().into()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_show_a_certificate_before_anything_is_said() {
    let authority = Authority::new();
    let mut servers = authority.server("localhost").of_servers();
    servers.client_ca_file = Some(authority.file());
    servers.handshake_first = true;
    let mut world = world_with(servers).await;
    let own = authority.client();
    let tls = Tls::new().ca_file(authority.file()).client_cert_files(own.cert, own.key).first();
    let mut clients = [
        Settled::in_lon(&world, "tls", options().tls(tls.clone()), "tls").await,
        Settled::in_lon(&world, "wss", options().tls(tls), "wss").await,
    ];
    world.cluster.kill_region("lon").unwrap();
    for client in &mut clients {
        client.lands_in_ams(MoveCause::RegionLost).await;
    }
}

/// The emulated way from lon to dal is known, so the estimate shows whether the round trips were counted rightly: one
/// too many or too few would be a third or a half off.
#[tokio::test(flavor = "multi_thread")]
async fn servers_seem_as_far_as_they_are_whatever_comes_before_info() {
    let authority = Authority::new();
    let mut servers = authority.server("localhost").of_servers();
    let plain = World::start().await;
    for scheme in ["nats", "ws"] {
        seems_right(&plain, scheme, options()).await;
    }
    drop(plain);
    let encrypted = world_with(servers.clone()).await;
    for scheme in ["tls", "wss"] {
        seems_right(&encrypted, scheme, trusting(&authority)).await;
    }
    drop(encrypted);
    servers.handshake_first = true;
    let first = world_with(servers).await;
    seems_right(&first, "tls", options().tls(Tls::new().ca_file(authority.file()).first())).await;
}

async fn seems_right(world: &World, scheme: &str, options: GeoOptions) {
    /// From loadgen's table.
    const LON_DAL: Duration = Duration::from_millis(113);
    let client = within("connecting", options.connect(world.urls_by(scheme, "lon"))).await.unwrap();
    // The first probes of a busy machine are late; later ones come nearer to the truth, and none may go below it.
    let ratio = wait_for(&format!("dal to seem near enough by {scheme}"), async || {
        let snapshot = client.snapshot();
        let dal = snapshot.ranking.iter().filter(|server| server.region.as_str() == "dal");
        let nearest = dal.filter_map(|server| server.base_rtt).min()?;
        let ratio = nearest.as_secs_f64() / LON_DAL.as_secs_f64();
        assert!(ratio > 0.95, "{scheme}: {nearest:?}");
        (ratio < 1.2).then_some(ratio)
    })
    .await;
    println!("{scheme}: dal seems {ratio:.3} of as far away as it is");
}
