//! Bytes of a server that means harm or is broken, given to a real client: they cost a link at most, and are followed by
//! no loop of links, no panic and no growth.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]
#![allow(dead_code, reason = "it uses a part of what the tests of the native client use")]

#[path = "../../nats-geo/tests/support/mod.rs"]
mod support;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arbitrary::Unstructured;
use futures_util::StreamExt as _;
use nats_geo::GeoOptions;
use nats_geo::core::Config;
use nats_geo_fuzz::server_bytes;
use support::{Server, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Forwards a port of its own to a server, and adds bytes to what that sends.
struct Injector {
    port: u16,
    inject: mpsc::Sender<Vec<u8>>,
    accepted: Arc<AtomicU32>,
    _tasks: JoinSet<()>,
}

impl Injector {
    async fn to(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (inject, bytes) = mpsc::channel(1);
        let bytes = Arc::new(tokio::sync::Mutex::new(bytes));
        let accepted = Arc::new(AtomicU32::new(0));
        let mut tasks = JoinSet::new();
        let count = Arc::clone(&accepted);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let bytes = Arc::clone(&bytes);
                connections.spawn(async move {
                    // Either end may be gone at any time.
                    let _ = forward(client, upstream, bytes).await;
                });
            }
        });
        Self { port, inject, accepted, _tasks: tasks }
    }
}

type Injected = Arc<tokio::sync::Mutex<mpsc::Receiver<Vec<u8>>>>;

/// Between two operations of the server: whatever it sends at once is read at once.
async fn forward(client: TcpStream, upstream: u16, injected: Injected) -> std::io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", upstream)).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async { tokio::io::copy(&mut from_client, &mut to_server).await };
    let back = async {
        let mut buffer = vec![0; 64 << 10];
        // A link has said CONNECT and was answered; a probe never has.
        let mut has_answered = false;
        loop {
            tokio::select! {
                biased;
                read = from_server.read(&mut buffer) => match read? {
                    0 => return Ok(()),
                    read => {
                        has_answered |= buffer[..read].windows(4).any(|word| word == b"PONG");
                        to_client.write_all(&buffer[..read]).await?;
                    }
                },
                Some(bytes) = async { injected.lock().await.recv().await }, if has_answered => {
                    to_client.write_all(&bytes).await?;
                }
            }
        }
    };
    tokio::select! {
        copied = there => copied.map(drop),
        ended = back => ended,
    }
}

fn options() -> GeoOptions {
    GeoOptions::new().config(Config::interactive()).connect_timeout(Duration::from_secs(20))
}

/// What a case was made from and how it went wrong.
async fn play(server: u16, published: Arc<AtomicU64>, seed: u64) -> Result<(), String> {
    let injector = Injector::to(server).await;
    let failed = |what: &str| format!("seed {seed}: {what}");
    let connecting = options().seed(seed).connect(format!("nats://127.0.0.1:{}", injector.port));
    let client = connecting.await.map_err(|error| failed(&error.to_string()))?;
    let mut steady = client.subscribe("steady").await.map_err(|error| failed(&error.to_string()))?;
    client.flush().await.map_err(|error| failed(&error.to_string()))?;
    let before = injector.accepted.load(Ordering::Relaxed);
    let bytes = hostile_bytes(seed);
    injector.inject.send(bytes.clone()).await.map_err(|_| failed("the injector has ended"))?;

    let since = published.load(Ordering::Relaxed) + 1;
    let delivered = async {
        while let Some(message) = steady.next().await {
            let number = <[u8; 16]>::try_from(message.payload.as_ref()).ok().map(u128::from_be_bytes);
            // What was published is marked, so that nothing that is made up counts.
            if number.is_some_and(|number| (number >> 64) as u64 == MARK && number as u64 >= since) {
                return true;
            }
        }
        false
    };
    let shown = || String::from_utf8_lossy(&bytes).escape_debug().to_string();
    let is_forbidden = || String::from_utf8_lossy(&bytes).contains("-ERR");
    match tokio::time::timeout(LIMIT, delivered).await {
        Ok(true) => {}
        // The server said that it is not allowed.
        Ok(false) if is_forbidden() => {}
        Ok(false) => return Err(failed(&format!("the subscription ended after {}", shown()))),
        Err(_elapsed) => return Err(failed(&format!("nothing is delivered any more after {}", shown()))),
    }
    let links = injector.accepted.load(Ordering::Relaxed) - before;
    if links > LINKS_MAX {
        return Err(failed(&format!("{links} connections after {}", shown())));
    }
    Ok(())
}

/// The same bytes for the same seed.
fn hostile_bytes(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        // Knuth's MMIX generator.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(400)
    .collect();
    server_bytes(&mut Unstructured::new(&noise)).unwrap_or_default()
}

const MARK: u64 = 0x6e61_7473_2d67_656f;

/// A suspicion, a verdict, a spread and a few dials, many clients at once on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// The burst of the dial budget (10), half a dial per second, and as many probes.
const LINKS_MAX: u32 = 40;

/// Cases that run side by side.
const AT_ONCE: usize = 16;

/// The whole process, with clients, servers' answers and all.
const MEMORY_MAX: u64 = 512 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_sends_costs_a_link_at_most() {
    let panics = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&panics);
    let show = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // async-nats 0.51 cuts `-ERR` without a text out of bounds. That ends its task, and the link with it: no more
        // than if the server had closed it.
        if info.location().is_some_and(|at| at.file().contains("async-nats-")) {
            return;
        }
        counted.fetch_add(1, Ordering::Relaxed);
        show(info);
    }));
    let cases: u64 = std::env::var("HOSTILE_CASES").map_or(64, |cases| cases.parse().unwrap());
    let seed = std::env::var("HOSTILE_SEED")
        .map_or_else(|_| RandomState::new().hash_one(0), |it| it.parse().unwrap());
    println!("{cases} cases from HOSTILE_SEED={seed}");

    let server = Server::start().await;
    let published = Arc::new(AtomicU64::new(0));
    let publisher = within("the publisher", async_nats::connect(server.url())).await.unwrap();
    let publishing = tokio::spawn({
        let published = Arc::clone(&published);
        async move {
            loop {
                let number = published.fetch_add(1, Ordering::Relaxed) + 1;
                let payload = (u128::from(MARK) << 64 | u128::from(number)).to_be_bytes().to_vec();
                publisher.publish("steady", payload.into()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let seeds = (0..cases).map(|number| seed.wrapping_add(number));
    let playing = seeds.map(|seed| play(server.port, Arc::clone(&published), seed));
    let failures: Vec<_> = futures_util::stream::iter(playing)
        .buffer_unordered(AT_ONCE)
        .filter_map(async |played| played.err())
        .collect()
        .await;
    publishing.abort();
    assert!(failures.is_empty(), "{} of {cases} failed:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(panics.load(Ordering::Relaxed), 0, "a task panicked");
    let memory = resident_bytes();
    assert!(memory < MEMORY_MAX, "{} MiB", memory >> 20);
}

/// Memory of this process (proc(5)).
fn resident_bytes() -> u64 {
    const PAGE: u64 = 4 << 10;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * PAGE
}
