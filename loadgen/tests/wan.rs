//! Tests of the WAN emulation with plain TCP clients and servers.
//!
//! The machine may be busy, so times are compared as ratios or orders of magnitude.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use loadgen::clock;
use loadgen::wan::{Conditions, LinkEffect, Path, PathOptions, ReservedPort, Silence, Wan};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const RTT: Duration = Duration::from_millis(60);
/// What a busy machine may add to a delay before a test calls it wrong.
const SLACK: Duration = Duration::from_millis(120);
/// Longer than anything that is expected to happen takes.
const LIMIT: Duration = Duration::from_secs(10);
/// How long silence must last to count as silence.
const SILENCE: Duration = Duration::from_millis(400);

/// Says `INFO` as nats-server does, then echoes. It lives until it is dropped.
struct Echo {
    addr: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Echo {
    async fn start(addr: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.bind(&addr.into()).unwrap();
        socket.listen(128).unwrap();
        let listener = TcpListener::from_std(socket.into()).unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(echo(stream));
            }
        });
        Self { addr, task }
    }

    async fn start_anywhere() -> Self {
        Self::start((Ipv4Addr::LOCALHOST, 0).into()).await
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn echo(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    if stream.write_all(b"INFO").await.is_err() {
        return;
    }
    let (mut reads, mut writes) = stream.split();
    // A reset by a test is one of the ways to end.
    let _ = tokio::io::copy(&mut reads, &mut writes).await;
    let _ = writes.shutdown().await;
}

fn open(wan: &Wan, upstream: SocketAddr, rtt: Duration) -> Path {
    let listen = ReservedPort::any().unwrap();
    wan.open(PathOptions { label: "test".to_owned(), listen, upstream, rtt, dial_from: None }).unwrap()
}

fn silence() -> Conditions {
    Conditions::of(&[LinkEffect::Silence(Silence::Both)])
}

async fn connect(path: &Path) -> TcpStream {
    let mut stream = TcpStream::connect(path.addr()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut info = [0; 4];
    timeout(LIMIT, stream.read_exact(&mut info)).await.expect("no INFO").unwrap();
    assert_eq!(&info, b"INFO");
    stream
}

async fn ping(stream: &mut TcpStream) -> Duration {
    let start = clock::now();
    stream.write_all(b"PING").await.unwrap();
    let mut pong = [0; 4];
    timeout(LIMIT, stream.read_exact(&mut pong)).await.expect("no echo").unwrap();
    start.elapsed()
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    timeout(SILENCE, stream.read(&mut byte)).await.is_err()
}

fn assert_takes(took: Duration, expected: Duration) {
    assert!(took >= expected && took < expected + SLACK, "{took:?} instead of {expected:?}");
}

/// Dials until `accepted` is what dialling does.
async fn wait_until_dial(path: &Path, accepted: bool) {
    let start: Instant = clock::now();
    while TcpStream::connect(path.addr()).await.is_ok() != accepted {
        assert!(start.elapsed() < LIMIT, "dialling never became accepted = {accepted}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_round_trip_takes_the_rtt_and_the_first_byte_two() {
    let (wan, server) = (Wan::start().unwrap(), Echo::start_anywhere().await);
    let path = open(&wan, server.addr, RTT);
    let start = clock::now();
    let mut stream = connect(&path).await;
    assert_takes(start.elapsed(), RTT * 2);
    assert_takes(ping(&mut stream).await, RTT);

    path.set_rtt(RTT * 3);
    assert_takes(ping(&mut stream).await, RTT * 3);
}

#[tokio::test]
async fn a_short_delay_is_finer_than_a_millisecond_timer() {
    let (wan, server) = (Wan::start().unwrap(), Echo::start_anywhere().await);
    let path = open(&wan, server.addr, Duration::from_millis(1));
    let mut stream = connect(&path).await;
    let mut took = Vec::new();
    for _ in 0..101 {
        took.push(ping(&mut stream).await);
    }
    took.sort();
    println!("1 ms RTT: min {:?} median {:?} max {:?}", took[0], took[50], took[100]);
    assert!(took[0] >= Duration::from_millis(1));
    assert!(took[50] < Duration::from_millis(2), "median {:?}", took[50]);
}

#[tokio::test]
async fn without_a_delay_nothing_waits() {
    let (wan, server) = (Wan::start().unwrap(), Echo::start_anywhere().await);
    let mut direct = TcpStream::connect(server.addr).await.unwrap();
    direct.read_exact(&mut [0; 4]).await.unwrap();
    let path = open(&wan, server.addr, Duration::ZERO);
    let mut through = connect(&path).await;
    let (mut plain, mut proxied) = (Vec::new(), Vec::new());
    for _ in 0..501 {
        plain.push(ping(&mut direct).await);
        proxied.push(ping(&mut through).await);
    }
    plain.sort();
    proxied.sort();
    println!("median direct {:?}, through a path without delay {:?}", plain[250], proxied[250]);
    assert!(proxied[250] < Duration::from_millis(1), "median {:?}", proxied[250]);
}

#[tokio::test]
async fn the_order_survives_a_delay_that_changes() {
    let (wan, server) = (Wan::start().unwrap(), Echo::start_anywhere().await);
    let path = open(&wan, server.addr, RTT);
    let mut stream = connect(&path).await;
    for number in 0..200_u8 {
        path.set_rtt(RTT / u32::from(number % 5 + 1));
        stream.write_all(&[number]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut received = [0; 200];
    timeout(LIMIT, stream.read_exact(&mut received)).await.unwrap().unwrap();
    assert!(received.into_iter().eq(0..200));
}

#[tokio::test]
async fn the_delay_does_not_cap_the_throughput() {
    const BYTES: usize = 64 * 1024 * 1024;
    let (wan, server) = (Wan::start().unwrap(), Echo::start_anywhere().await);
    let path = open(&wan, server.addr, Duration::from_millis(113));
    let stream = connect(&path).await;
    let start = clock::now();
    let (mut reads, mut writes) = stream.into_split();
    let writer = tokio::spawn(async move {
        let block = vec![7; 256 * 1024];
        for _ in 0..BYTES / block.len() {
            writes.write_all(&block).await.unwrap();
        }
        writes
    });
    let mut block = vec![0; 256 * 1024];
    let mut left = BYTES;
    while left > 0 {
        left -= timeout(LIMIT, reads.read(&mut block)).await.expect("stalled").unwrap();
    }
    drop(writer.await.unwrap());
    let rate = BYTES as f64 / start.elapsed().as_secs_f64() / 1e6;
    println!("{rate:.0} MB/s there and back at 113 ms");
    // A sleep per chunk would give 64 KiB per 56 ms, about 1 MB/s.
    assert!(rate > 10.0, "{rate:.0} MB/s");
}

#[tokio::test]
async fn a_refusing_path_refuses_and_accepts_again() {
    let (wan, server) = (Wan::start().unwrap(), Echo::start_anywhere().await);
    let path = open(&wan, server.addr, Duration::ZERO);
    let mut old = connect(&path).await;
    path.refuse();
    wait_until_dial(&path, false).await;
    ping(&mut old).await;

    path.accept();
    wait_until_dial(&path, true).await;
    connect(&path).await;
}

#[tokio::test]
async fn a_dead_upstream_is_mirrored() {
    let (wan, server) = (Wan::start().unwrap(), Echo::start_anywhere().await);
    let path = open(&wan, server.addr, RTT);
    let mut old = connect(&path).await;
    let addr = server.addr;
    drop(server);
    // The echo's end arrives as an end, after its way.
    assert!(matches!(timeout(LIMIT, old.read(&mut [0])).await.unwrap(), Ok(0) | Err(_)));

    let start = clock::now();
    let mut late = TcpStream::connect(path.addr()).await.unwrap();
    assert!(timeout(LIMIT, late.read(&mut [0])).await.unwrap().is_err(), "a refused dial ends in a RST");
    assert_takes(start.elapsed(), RTT);
    wait_until_dial(&path, false).await;

    let _server = Echo::start(addr).await;
    wait_until_dial(&path, true).await;
    connect(&path).await;
}

#[tokio::test]
async fn a_finish_and_a_reset_stay_what_they_are() {
    let wan = Wan::start().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let path = open(&wan, listener.local_addr().unwrap(), RTT);

    let mut dialler = TcpStream::connect(path.addr()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    server.write_all(b"last words").await.unwrap();
    server.shutdown().await.unwrap();
    let mut heard = Vec::new();
    dialler.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"last words");
    // Only one direction is closed.
    dialler.write_all(b"reply").await.unwrap();
    server.read_exact(&mut [0; 5]).await.unwrap();

    let mut dialler = TcpStream::connect(path.addr()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    server.set_zero_linger().unwrap();
    drop(server);
    let error = timeout(LIMIT, dialler.read(&mut [0])).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_blackhole_is_silent_and_closes_nothing_until_it_heals() {
    let wan = Wan::start().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let path = open(&wan, listener.local_addr().unwrap(), Duration::from_millis(2));
    let mut dialler = TcpStream::connect(path.addr()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();

    path.impose(silence());
    // The gate is closed by the emulator's thread, soon but not at once.
    let start = clock::now();
    loop {
        server.write_all(b"x").await.unwrap();
        if is_silent(&mut dialler).await {
            break;
        }
        assert!(start.elapsed() < LIMIT, "never fell silent");
    }
    dialler.write_all(b"x").await.unwrap();
    assert!(is_silent(&mut server).await, "and in the other direction");
    let mut late = TcpStream::connect(path.addr()).await.unwrap();
    late.write_all(b"late").await.unwrap();
    assert!(is_silent(&mut late).await, "a new connection hears nothing");
    assert!(timeout(SILENCE, listener.accept()).await.is_err(), "and reaches nobody");

    path.impose(Conditions::default());
    for stream in [&mut dialler, &mut server] {
        let error = timeout(LIMIT, stream.read(&mut [0])).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    let (mut served, _) = timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
    served.read_exact(&mut [0; 4]).await.unwrap();
}

#[tokio::test]
async fn a_fault_that_ends_at_once_is_not_missed() {
    let (wan, server) = (Wan::start().unwrap(), Echo::start_anywhere().await);
    for (effect, is_reset) in [
        (LinkEffect::Silence(Silence::Both), true),
        (LinkEffect::AcceptSilent, true),
        (LinkEffect::Reset, true),
        (LinkEffect::Close, false),
    ] {
        let path = open(&wan, server.addr, Duration::ZERO);
        let mut stream = connect(&path).await;
        path.impose(Conditions::of(&[effect]));
        path.impose(Conditions::default());
        let read = timeout(LIMIT, stream.read(&mut [0])).await.expect("it lives on");
        assert_eq!(read.map_err(|error| error.kind()).ok(), (!is_reset).then_some(0), "{effect:?}");
        connect(&path).await;
    }
}

#[tokio::test]
async fn a_dial_that_gave_up_in_the_dark_never_reaches_the_server() {
    let wan = Wan::start().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let path = open(&wan, listener.local_addr().unwrap(), Duration::ZERO);
    path.impose(silence());
    // A dial that beats the gate is a connection of before the blackhole: it reaches the server.
    while let Ok(accepted) = {
        drop(TcpStream::connect(path.addr()).await.unwrap());
        timeout(SILENCE, listener.accept()).await
    } {
        drop(accepted);
    }
    path.impose(Conditions::default());
    let mut alive = TcpStream::connect(path.addr()).await.unwrap();
    alive.write_all(b"alive").await.unwrap();
    let (mut served, _) = timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
    let mut word = [0; 5];
    served.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"alive");
}

#[tokio::test]
async fn a_path_knows_the_connections_it_carries() {
    let wan = Wan::start().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let path = open(&wan, listener.local_addr().unwrap(), Duration::ZERO);
    let dialler = TcpStream::connect(path.addr()).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    let start = clock::now();
    while !path.upstream_ports().contains(&peer.port()) {
        assert!(start.elapsed() < LIMIT);
        tokio::task::yield_now().await;
    }
    drop((dialler, server));
    while !path.upstream_ports().is_empty() {
        assert!(start.elapsed() < LIMIT);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn dropping_the_emulator_ends_its_listeners_and_connections() {
    let (wan, server) = (Wan::start().unwrap(), Echo::start_anywhere().await);
    let path = open(&wan, server.addr, Duration::ZERO);
    let mut stream = connect(&path).await;
    drop(wan);
    assert!(matches!(timeout(LIMIT, stream.read(&mut [0])).await.unwrap(), Ok(0) | Err(_)));
    assert!(TcpStream::connect(path.addr()).await.is_err());
}
