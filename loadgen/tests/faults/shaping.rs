//! Faults that slow links down.

use std::num::NonZeroU64;
use std::time::Duration;

use loadgen::clock;
use loadgen::wan::{Latency, LinkEffect};

use super::raw::{RawClient, Seen};
use super::{LIMIT, World, ams_to_lon, until};

/// Largest payload that every server takes, about 1 MB.
const PAYLOAD: usize = 1_000_000;

pub(crate) async fn check(world: &mut World) {
    latency_is_set_and_added(world).await;
    bandwidth_bounds_each_direction(world).await;
    jitter_spreads_and_keeps_the_order(world).await;
}

async fn latency_is_set_and_added(world: &mut World) {
    let (own, set, add) = (Duration::from_millis(9), Duration::from_millis(150), Duration::from_millis(70));
    let mut client = world.connect("ams", "lon-1").await;
    let added = world.break_clients(ams_to_lon(), LinkEffect::Latency(Latency::Add(add)));
    assert!(client.rtt().await >= own + add);
    let fixed = world.break_clients(ams_to_lon(), LinkEffect::Latency(Latency::Set(set)));
    assert!(client.rtt().await >= set + add);
    let start = clock::now();
    let mut late = world.connect("ams", "lon-1").await;
    assert!(start.elapsed() >= (set + add) * 2, "a handshake takes a round trip, and INFO another one");
    assert!(late.rtt().await >= set + add);
    world.cluster.mend_links(added).unwrap();
    until("only one fault is left", async || {
        let rtt = client.rtt().await;
        rtt >= set && rtt < set + add
    })
    .await;
    world.mend(fixed).await;
    until("the distance is the old one", async || client.rtt().await < set).await;
    assert!(client.rtt().await >= own);
}

async fn bandwidth_bounds_each_direction(world: &mut World) {
    const RATE: u64 = 2_000_000;
    let one_way = Duration::from_secs_f64(PAYLOAD as f64 / RATE as f64);
    let mut far = world.connect("ams", "lon-1").await;
    let mut near = world.connect("lon", "lon-1").await;
    far.send("SUB to.far 1\r\nPING\r\n").await;
    assert!(matches!(far.hears("PONG", LIMIT).await, Seen::Line(_)));
    let unlimited = upload(&mut far).await.max(download(&mut near, &mut far).await);
    assert!(unlimited < one_way, "without a fault, 1 MB takes {unlimited:?}");

    let rate = |bytes_per_second| LinkEffect::Bandwidth {
        bytes_per_second: NonZeroU64::new(bytes_per_second).unwrap(),
    };
    let fault = world.break_clients(ams_to_lon(), rate(RATE));
    let (up, down) = (upload(&mut far).await, download(&mut near, &mut far).await);
    println!("1 MB: {unlimited:?} without a fault, {up:?} up and {down:?} down at 2 MB/s");
    assert!(up >= one_way && down >= one_way, "{up:?} up, {down:?} down");
    let other = upload(&mut near).await;
    assert!(other < one_way, "the other client's link has no fault: {other:?}");

    let slower = world.break_clients(ams_to_lon(), rate(RATE / 2));
    let slow = upload(&mut far).await;
    assert!(slow >= one_way * 2, "the smallest holds: {slow:?}");
    world.cluster.mend_links(slower).unwrap();
    world.mend(fault).await;
    let mended = upload(&mut far).await;
    assert!(mended < one_way, "{mended:?}");
}

/// Time until the server has 1 MB of this client.
async fn upload(client: &mut RawClient) -> Duration {
    let message = [format!("PUB nobody {PAYLOAD}\r\n").into_bytes(), vec![b'x'; PAYLOAD], b"\r\n".to_vec()];
    let start = clock::now();
    client.send_bytes(&message.concat()).await;
    client.rtt().await;
    start.elapsed()
}

/// Time until `to` has 1 MB that `from` sends.
async fn download(from: &mut RawClient, to: &mut RawClient) -> Duration {
    let message = [format!("PUB to.far {PAYLOAD}\r\n").into_bytes(), vec![b'x'; PAYLOAD], b"\r\n".to_vec()];
    let start = clock::now();
    from.send_bytes(&message.concat()).await;
    assert!(matches!(to.hears("MSG to.far", LIMIT).await, Seen::Line(_)));
    assert!(to.read(PAYLOAD).await.iter().all(|byte| *byte == b'x'));
    start.elapsed()
}

async fn jitter_spreads_and_keeps_the_order(world: &mut World) {
    let up_to = Duration::from_millis(40);
    let mut client = world.connect("ams", "lon-1").await;
    let fault = world.break_clients(ams_to_lon(), LinkEffect::Jitter { up_to, seed: 7, reorders: false });
    let mut times = Vec::new();
    for _ in 0..40 {
        times.push(client.rtt().await);
    }
    times.sort();
    let (first, last) = (times[4], times[35]);
    println!("with 40 ms of jitter each way, round trips take {first:?} to {last:?}");
    assert!(last - first >= up_to / 2, "no spread: {first:?} to {last:?}");

    client.send("SUB numbers 1\r\n").await;
    for number in 100..300 {
        // A write of its own, and so a parcel of its own.
        client.send(&format!("PUB numbers 3\r\n{number}\r\n")).await;
        tokio::task::yield_now().await;
    }
    for number in 100..300 {
        assert_eq!(client.hears("MSG numbers", LIMIT).await, Seen::Line("MSG numbers 1 3".to_owned()));
        assert_eq!(client.read(5).await, format!("{number}\r\n").into_bytes());
    }
    world.mend(fault).await;
}
