//! Tests of the emulated network alone: the accuracy of delays, the throughput, and the effect of a loss on TCP.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use loadgen::clock;
use loadgen::wan::netns::{Network, Route};
use loadgen::wan::{Conditions, LinkEffect, Loss};

use crate::{TURN, allowed};

const RTT: Duration = Duration::from_millis(10);
const PORT: u16 = 5_001;

/// Clients of one region, and a server of another one.
struct Pair {
    network: Network,
    route: Route,
    server: SocketAddrV4,
}

impl Pair {
    fn start(rtt: Duration) -> Self {
        let network = Network::start(&[1, 1]).unwrap();
        let server = SocketAddrV4::new(network.server_address(1, 0), PORT);
        let route = network.open("ams->lon-1 tcp".to_owned(), 0, server, rtt);
        Self { network, route, server }
    }

    fn listen(&self) -> TcpListener {
        self.network.servers(1).run(|| TcpListener::bind(self.server)).unwrap().unwrap()
    }

    fn dial(&self) -> TcpStream {
        let stream = self.network.clients(0).run(|| TcpStream::connect(self.server)).unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }
}

/// Answers each byte with the same byte.
fn echo(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut byte = [0];
    while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
}

#[tokio::test]
async fn a_round_trip_is_as_long_as_asked_for() {
    let _turn = TURN.lock().await;
    if !allowed() {
        return;
    }
    let pair = Pair::start(RTT);
    let listener = pair.listen();
    std::thread::scope(|scope| {
        scope.spawn(|| echo(listener.accept().unwrap().0));
        let mut stream = pair.dial();
        let mut errors: Vec<Duration> = (0..300)
            .map(|_| {
                let start = clock::now();
                stream.write_all(b"x").unwrap();
                stream.read_exact(&mut [0]).unwrap();
                start.elapsed().checked_sub(RTT).expect("a packet is early")
            })
            .collect();
        errors.sort();
        println!("error of a round trip of {RTT:?}: median {:?}, p99 {:?}", errors[150], errors[296]);
        // Under load, a thread gets the processor some milliseconds late now and then: only the median is the emulation's own.
        assert!(errors[150] < Duration::from_millis(1), "{:?}", errors[150]);
    });
}

/// Sends `bytes` and returns the rate, in bytes per second.
fn throughput(pair: &Pair, listener: &TcpListener, bytes: usize) -> f64 {
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::copy(&mut stream, &mut std::io::sink()).unwrap()
        });
        let start: Instant = clock::now();
        let mut stream = pair.dial();
        let chunk = vec![0; 64 * 1024];
        for _ in 0..bytes / chunk.len() {
            stream.write_all(&chunk).unwrap();
        }
        drop(stream);
        let received = receiver.join().unwrap();
        received as f64 / start.elapsed().as_secs_f64()
    })
}

#[tokio::test]
async fn bulk_passes_and_a_limit_of_the_bandwidth_holds() {
    let _turn = TURN.lock().await;
    if !allowed() {
        return;
    }
    let pair = Pair::start(RTT);
    let listener = pair.listen();
    let free = throughput(&pair, &listener, 256 * 1024 * 1024);
    println!("throughput of one connection over {RTT:?}: {:.0} MB/s", free / 1e6);
    // The least that loads of loadgen need; an idle machine carries ten times as much.
    assert!(free > 20e6, "{free}");

    let limit = 1_000_000;
    let bytes_per_second = std::num::NonZeroU64::new(limit).unwrap();
    pair.route.impose(Conditions::of(&[LinkEffect::Bandwidth { bytes_per_second }]));
    let limited = throughput(&pair, &listener, 3 * 1024 * 1024);
    println!("throughput with a limit of 1 MB/s: {:.2} MB/s", limited / 1e6);
    assert!((0.5 * limit as f64..limit as f64).contains(&limited), "{limited}");
}

#[tokio::test]
async fn lost_packets_are_retransmitted() {
    let _turn = TURN.lock().await;
    if !allowed() {
        return;
    }
    let pair = Pair::start(RTT);
    let listener = pair.listen();
    let retransmitted = || {
        let table = pair.network.clients(0).run(|| std::fs::read_to_string("/proc/thread-self/net/snmp"));
        let table = table.unwrap().unwrap();
        let mut rows = table.lines().filter_map(|line| line.strip_prefix("Tcp: "));
        let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
        let column = names.split(' ').position(|name| name == "RetransSegs").unwrap();
        values.split(' ').nth(column).unwrap().parse::<u64>().unwrap()
    };
    throughput(&pair, &listener, 4 * 1024 * 1024);
    let before = retransmitted();
    let loss = Loss { per_million: 20_000, burst: NonZeroU16::MIN, seed: 7 };
    pair.route.impose(Conditions::of(&[LinkEffect::Loss(loss)]));
    let lossy = throughput(&pair, &listener, 4 * 1024 * 1024);
    let again = retransmitted() - before;
    println!("with 2 % loss: {again} segments were retransmitted, {:.1} MB/s", lossy / 1e6);
    // Some 2900 segments carry 4 MB.
    assert!((20..400).contains(&again), "{again}");
}
