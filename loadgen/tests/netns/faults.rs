//! Dials take the round trips of the matrix, and every fault of links is seen by real TCP.

use std::io;
use std::num::{NonZeroU16, NonZeroU64};
use std::time::Duration;

use loadgen::clock;
use loadgen::cluster::faults::{LinkFault, LinkScope, Links};
use loadgen::wan::{Latency, LinkEffect, Loss, Silence};
use tokio::io::AsyncWriteExt as _;

use crate::world::World;
use crate::{LIMIT, until};

/// How long silence must last to count as silence: many round trips.
const SILENCE: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_takes_one_round_trip_and_info_another_one() {
    let Some(world) = World::start(&["lon", "ams", "dal"]).await else { return };
    for (from, to) in [("lon", "ams"), ("ams", "lon"), ("lon", "dal"), ("dal", "ams"), ("dal", "dal")] {
        let rtt = world.cluster.topology().rtt(from, to).unwrap();
        let mut best = (LIMIT, LIMIT);
        // The machine may be busy: the fastest of some is the emulation's own.
        for _ in 0..10 {
            let start = clock::now();
            let (stream, dialled) = world.dial(from, to).await;
            let mut nats = crate::world::Nats { stream: tokio::io::BufReader::new(stream.unwrap()) };
            assert!(nats.line(LIMIT).await.unwrap().starts_with("INFO"));
            let informed = start.elapsed();
            assert!(dialled >= rtt && informed >= rtt * 2, "{from}->{to}: {dialled:?}, {informed:?}");
            best = (best.0.min(dialled), best.1.min(informed));
        }
        println!("{from}->{to}: {rtt:?}: connected after {:?}, INFO after {:?}", best.0, best.1);
        let allowed =
            rtt.mul_f64(1.1) + if rtt.is_zero() { Duration::from_millis(2) } else { Duration::ZERO };
        assert!(best.0 <= allowed, "{from}->{to}: {:?}", best.0);
    }
    assert_eq!(world.cluster.leaks().await.unwrap(), Vec::<String>::new());
    world.cluster.shutdown().await;
}

/// The clients of the other region are checked, and those of the same one.
#[tokio::test(flavor = "multi_thread")]
async fn link_faults_are_seen_by_tcp_and_undone() {
    let Some(mut world) = World::start(&["lon", "ams"]).await else { return };
    silence_loses_packets(&mut world).await;
    one_direction_can_be_silent(&mut world).await;
    refusals_spare_open_connections(&mut world).await;
    resets_end_connections(&mut world).await;
    handshakes_pass_where_nothing_answers(&mut world).await;
    latency_changes_dials(&mut world).await;
    loss_delays_and_loses_nothing(&mut world).await;
    a_silent_region_is_linked_again(&mut world).await;
    what_it_does_not_have_is_refused(&mut world);
    crate::resolvers::answer_inside_of_the_network(&world).await;
    assert_eq!(world.cluster.leaks().await.unwrap(), Vec::<String>::new());
    world.cluster.shutdown().await;
}

async fn silence_loses_packets(world: &mut World) {
    for from in ["ams", "lon"] {
        let mut open = world.connect(from, "lon").await;
        let port = open.stream.get_ref().local_addr().unwrap().port();
        let fault = world.break_clients_of("lon", LinkEffect::Silence(Silence::Both));
        assert!(!open.pong(SILENCE).await, "{from}");
        until("the kernel sends the PING again", async || {
            let (queued, retransmits) = unacknowledged(world, from, port).await;
            queued >= "PING\r\n".len() && retransmits > 0
        })
        .await;
        let addr = world.addr(from, "lon");
        let dialled = world.within(from, async move {
            tokio::time::timeout(SILENCE, tokio::net::TcpStream::connect(addr)).await.is_ok()
        });
        assert!(!dialled.await, "{from}: a dial is answered");
        world.cluster.mend_links(fault).unwrap();
        // Real TCP: the connection lives on, and the lost PING arrives with a later attempt.
        assert!(open.hears_pong(LIMIT).await, "{from}: the connection is lost");
    }
}

/// Bytes that were sent and not acknowledged, and how often the kernel tried again, for the connection of a local port.
async fn unacknowledged(world: &World, region: &str, port: u16) -> (usize, u32) {
    let table = world.within(region, async { std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap() });
    let table = table.await;
    let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut row = row.filter(|columns| columns[1].ends_with(&format!(":{port:04X}")));
    let columns = row.next().expect("the connection is gone");
    let queued = columns[4].split_once(':').unwrap().0;
    (usize::from_str_radix(queued, 16).unwrap(), u32::from_str_radix(columns[6], 16).unwrap())
}

async fn one_direction_can_be_silent(world: &mut World) {
    let mut open = world.connect("ams", "lon").await;
    let fault = world.break_clients_of("lon", LinkEffect::Silence(Silence::FromServer));
    let mut listener = world.connect("ams", "ams").await;
    listener.stream.write_all(b"SUB one.way 1\r\n").await.unwrap();
    // Gateways carry what the server hears.
    until("the server hears a message", async || {
        open.stream.write_all(b"PUB one.way 0\r\n\r\n").await.unwrap();
        listener.line(Duration::from_millis(50)).await.is_ok_and(|line| line.starts_with("MSG"))
    })
    .await;
    assert!(!open.pong(SILENCE).await);
    world.cluster.mend_links(fault).unwrap();
    assert!(open.hears_pong(LIMIT).await);
}

async fn refusals_spare_open_connections(world: &mut World) {
    let mut open = world.connect("ams", "lon").await;
    let rtt = world.cluster.topology().rtt("ams", "lon").unwrap();
    let fault = world.break_clients_of("lon", LinkEffect::Refuse);
    let (refused, after) = world.dial("ams", "lon").await;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert!(after >= rtt, "{after:?}");
    assert!(open.pong(LIMIT).await);
    world.cluster.mend_links(fault).unwrap();
    assert!(world.connect("ams", "lon").await.pong(LIMIT).await);
}

async fn resets_end_connections(world: &mut World) {
    let mut open = world.connect("ams", "lon").await;
    let fault = world.break_clients_of("lon", LinkEffect::Reset);
    assert!(!open.pong(LIMIT).await);
    let end = open.line(LIMIT).await.unwrap_err().kind();
    // The first read after the RST says so, later ones that the connection is over.
    assert!(matches!(end, io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof), "{end:?}");
    let refused = world.dial("ams", "lon").await.0;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    world.cluster.mend_links(fault).unwrap();
    assert!(world.connect("ams", "lon").await.pong(LIMIT).await);
}

async fn handshakes_pass_where_nothing_answers(world: &mut World) {
    let mut open = world.connect("ams", "lon").await;
    let fault = world.break_clients_of("lon", LinkEffect::AcceptSilent);
    let accepted = world.dial("ams", "lon").await.0.unwrap();
    let mut accepted = crate::world::Nats { stream: tokio::io::BufReader::new(accepted) };
    assert_eq!(accepted.line(SILENCE).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(!open.pong(SILENCE).await);
    world.cluster.mend_links(fault).unwrap();
    assert!(world.connect("ams", "lon").await.pong(LIMIT).await);
}

async fn latency_changes_dials(world: &mut World) {
    let rtt = Duration::from_millis(80);
    let fault = world.break_clients_of("lon", LinkEffect::Latency(Latency::Set(rtt)));
    let mut dials = Vec::new();
    for _ in 0..5 {
        dials.push(world.dial("ams", "lon").await.1);
    }
    assert!(dials.iter().all(|dial| *dial >= rtt), "{dials:?}");
    assert!(dials.iter().any(|dial| *dial <= rtt.mul_f64(1.1)), "{dials:?}");
    world.cluster.mend_links(fault).unwrap();
}

async fn loss_delays_and_loses_nothing(world: &mut World) {
    let mut open = world.connect("ams", "lon").await;
    let loss = Loss { per_million: 200_000, burst: NonZeroU16::MIN, seed: 7 };
    let fault = world.break_clients_of("lon", LinkEffect::Loss(loss));
    let mut times = Vec::new();
    for _ in 0..40 {
        let start = clock::now();
        assert!(open.pong(LIMIT).await);
        times.push(start.elapsed());
    }
    times.sort();
    println!("PING with 20 % loss: median {:?}, max {:?}", times[20], times[39]);
    // TCP retransmits a lost packet after at least the shortest time-out of a tail, two round trips.
    assert!(times[39] > 2 * world.cluster.topology().rtt("ams", "lon").unwrap(), "{times:?}");
    world.cluster.mend_links(fault).unwrap();
}

async fn a_silent_region_is_linked_again(world: &mut World) {
    world.cluster.blackhole_region("lon").unwrap();
    until("the gateways notice", async || {
        let gateways = world.cluster.monitor("ams-1").unwrap().gatewayz().await.unwrap();
        !gateways.outbound_gateways.contains_key("lon")
    })
    .await;
    world.cluster.heal_region("lon").await.unwrap();
    assert_eq!(world.cluster.missing().await, Vec::<String>::new());
}

fn what_it_does_not_have_is_refused(world: &mut World) {
    let links = Links::of(LinkScope::Region("lon".to_owned()));
    let error = world.cluster.break_links(LinkFault { links, effect: LinkEffect::Close }).unwrap_err();
    assert!(error.to_string().contains("use `--wan proxy`"), "{error}");
    assert!(world.cluster.link_faults().next().is_none());
    let slow = LinkEffect::Bandwidth { bytes_per_second: NonZeroU64::MIN };
    let nowhere = Links::of(LinkScope::Region("mars".to_owned()));
    let error = world.cluster.break_links(LinkFault { links: nowhere, effect: slow }).unwrap_err();
    assert!(error.to_string().contains("there is no `mars`"), "{error}");
}
