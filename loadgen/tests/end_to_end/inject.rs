//! `loadgen ctl inject`: faults of the catalogue on a super-cluster that is up, seen by a plain socket.

use std::sync::Arc;
use std::time::Duration;

use loadgen::clock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::process::{Child, ChildStdout};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use crate::place::{LIMIT, Place, TURN};

/// A super-cluster of two servers that is up, and the addresses for a client in lon.
struct Up {
    place: Place,
    running: Child,
    _stdout: Lines<BufReader<ChildStdout>>,
    lon: String,
    ams: String,
}

impl Up {
    async fn start() -> Self {
        let place = Place::new();
        let args = ["up", "--regions=lon,ams", "--servers-per-region=1"];
        let mut running = place.command(&args).spawn().unwrap();
        let mut stdout = BufReader::new(running.stdout.take().unwrap()).lines();
        let first = timeout(LIMIT, stdout.next_line()).await.expect("no address").unwrap().unwrap();
        let address = |region: &str| {
            let (_, rest) = first.split_once(&format!("{region}=nats://")).unwrap();
            rest.split(',').next().unwrap().to_owned()
        };
        let (lon, ams) = (address("lon"), address("ams"));
        Self { place, running, _stdout: stdout, lon, ams }
    }

    async fn ctl(&self, order: &[&str]) -> String {
        let done = self.place.run(&[&["ctl"], order].concat()).await;
        assert_eq!(done.code, Some(0), "{order:?}: {}", done.stderr);
        done.stdout
    }

    async fn is_refused(&self, order: &[&str], reason: &str) {
        let done = self.place.run(&[&["ctl"], order].concat()).await;
        assert_ne!(done.code, Some(0), "{order:?}: {}", done.stdout);
        assert!(done.stderr.contains(reason), "{order:?}: {}", done.stderr);
    }

    /// Waits until no fault is active; returns how long that took.
    async fn wait_for_no_fault(&self) -> Duration {
        let started = clock::now();
        while self.ctl(&["status"]).await.contains("fault") {
            assert!(started.elapsed() < LIMIT, "the fault does not end");
        }
        started.elapsed()
    }

    async fn ends(self) -> String {
        kill(Pid::from_raw(self.running.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
        let ended = timeout(LIMIT, self.running.wait_with_output()).await.expect("it does not end").unwrap();
        assert_eq!(ended.status.code(), Some(0));
        self.place.assert_nothing_is_left().await;
        String::from_utf8(ended.stderr).unwrap()
    }
}

/// A client without a library, so that nothing but the network and the server is measured.
struct PlainClient {
    writer: Arc<Mutex<OwnedWriteHalf>>,
    /// All lines but PINGs, which are answered at once: the server would give the client up.
    lines: mpsc::UnboundedReceiver<String>,
}

impl PlainClient {
    async fn connect(address: &str) -> Self {
        let (reader, writer) = TcpStream::connect(address).await.unwrap().into_split();
        let writer = Arc::new(Mutex::new(writer));
        let (sender, lines) = mpsc::unbounded_channel();
        let answers = Arc::clone(&writer);
        tokio::spawn(async move {
            let mut reader = BufReader::new(reader).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                if line == "PING" {
                    // A connection that has ended is seen by the reader.
                    let _ = answers.lock().await.write_all(b"PONG\r\n").await;
                } else if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut client = Self { writer, lines };
        assert!(client.line().await.starts_with("INFO "));
        client.send("CONNECT {\"verbose\":false}").await;
        client
    }

    async fn send(&self, line: &str) {
        self.writer.lock().await.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> String {
        timeout(LIMIT, self.lines.recv()).await.expect("no line").expect("the connection has ended")
    }

    /// Returns the server's answer to a PING, and the time until it arrived.
    async fn ping(&mut self) -> (String, Duration) {
        let started = clock::now();
        self.send("PING").await;
        (self.line().await, started.elapsed())
    }

    /// The shortest of several: a busy machine makes some of them longer.
    async fn round_trip(&mut self) -> Duration {
        let mut shortest = Duration::MAX;
        for _ in 0..10 {
            let (answer, time) = self.ping().await;
            assert_eq!(answer, "PONG");
            shortest = shortest.min(time);
        }
        shortest
    }
}

const ALL_UP: &str = "lon: lon-1 up\nams: ams-1 up\n";

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_catalogue_begin_and_end_on_a_super_cluster_that_is_up() {
    let _turn = TURN.lock().await;
    let up = Up::start().await;
    let mut far = PlainClient::connect(&up.ams).await;
    let before = far.round_trip().await;

    // Undone by its number.
    let shown = up.ctl(&["inject", "latency:lon-ams,rtt_ms=300"]).await;
    assert_eq!(shown, format!("{ALL_UP}fault 1: latency:lon-ams,rtt_ms=300\n"));
    let during = far.round_trip().await;
    assert!(during >= Duration::from_millis(295) && before < during / 2, "{before:?}, then {during:?}");
    up.is_refused(&["undo", "7"], "no active fault has the number 7: choose one of 1").await;
    assert_eq!(up.ctl(&["undo", "1"]).await, ALL_UP);
    assert!(far.round_trip().await < during / 2);

    // Undone by its time.
    let shown = up.ctl(&["inject", "silence:ams,links=clients", "--for", "10s"]).await;
    assert!(shown.contains("fault 2: silence:ams,links=clients, ends at 20"), "{shown}");
    let json: Value = serde_json::from_str(&up.ctl(&["status", "--json"]).await).unwrap();
    assert_eq!(json["faults"][0]["number"], 2, "{json}");
    far.send("PING").await;
    let silent = timeout(Duration::from_secs(1), far.line()).await;
    assert!(silent.is_err(), "silence, but it said {silent:?}");
    assert!(up.wait_for_no_fault().await < Duration::from_secs(60));
    let mut far = PlainClient::connect(&up.ams).await;
    assert_eq!(far.ping().await.0, "PONG");

    // A limit is a change of the server's configuration, and a paused server gets it when it continues.
    let mut near = PlainClient::connect(&up.lon).await;
    assert_eq!(near.ping().await.0, "PONG");
    up.ctl(&["inject", "connection-limit:lon,connections=1"]).await;
    let refused = PlainClient::connect(&up.lon).await.line().await;
    assert!(refused.contains("maximum connections exceeded"), "{refused}");
    let again = ["inject", "connection-limit:lon-1,connections=2"];
    up.is_refused(&again, "`connection-limit` is active already: undo fault 3 before").await;
    up.ctl(&["inject", "pause:lon-1"]).await;
    assert_eq!(up.ctl(&["undo", "all"]).await, ALL_UP);
    assert_eq!(PlainClient::connect(&up.lon).await.ping().await.0, "PONG");

    let printed = up.ends().await;
    assert!(printed.contains("inject latency:lon-ams,rtt_ms=300: done"), "{printed}");
    assert!(printed.contains("silence:ams,links=clients: over"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_servers_end_by_undo_and_by_heal() {
    let _turn = TURN.lock().await;
    let up = Up::start().await;
    let shown = up.ctl(&["inject", "kill:lon,servers=1"]).await;
    assert_eq!(shown, "lon: lon-1 dead\nams: ams-1 up\nfault 1: kill:lon,servers=1\n");
    assert!(TcpStream::connect(&up.lon).await.is_err() || closes(&up.lon).await);
    assert_eq!(up.ctl(&["heal", "lon"]).await, ALL_UP, "what `heal` undid is no fault any more");

    let shown = up.ctl(&["inject", "pause:ams-1"]).await;
    assert_eq!(shown, "lon: lon-1 up\nams: ams-1 paused\nfault 2: pause:ams-1\n");
    let shown = up.ctl(&["inject", "reset:lon"]).await;
    assert!(shown.contains("fault 2: pause:ams-1\nfault 3: reset:lon\n"), "{shown}");
    let stable = up.place.run(&["wait", "--stabilise-timeout=1"]).await;
    assert!(stable.stderr.contains("fault 3 is active: reset:lon"), "{}", stable.stderr);
    assert_eq!(up.ctl(&["undo", "all"]).await, ALL_UP);
    assert_eq!(PlainClient::connect(&up.lon).await.ping().await.0, "PONG");
    // The end of a pause does not start a server that another fault has killed.
    up.ctl(&["inject", "pause:ams-1"]).await;
    up.ctl(&["inject", "kill:ams-1"]).await;
    assert_eq!(up.ctl(&["status"]).await, "lon: lon-1 up\nams: ams-1 dead\nfault 5: kill:ams-1\n");
    assert_eq!(up.ctl(&["undo", "5"]).await, ALL_UP);
    // Nothing remains of them.
    assert_eq!(up.ctl(&["inject", "restart:ams"]).await, ALL_UP);
    assert_eq!(up.ctl(&["inject", "step-down:meta"]).await, ALL_UP);

    for (order, reason) in [
        (vec!["inject", "silence:mars"], "there is no region `mars`: choose one of lon, ams"),
        (vec!["inject", "silence:lon@3s/4s"], "leave out `@`"),
        (vec!["inject", "silence:lon,for=3s"], "`for` is not an option of a fault in one line"),
        (vec!["inject", "split:lon+ams"], "no region is left outside of the split"),
        (
            vec!["inject", "restart:lon,version=/nowhere/nats-server"],
            "cannot restart lon-1 with another version",
        ),
        (vec!["inject", "restart:lon", "--for=3s"], "`restart` is over at once: leave out `--for`"),
        (vec!["inject", "churn:geo,per_s=3"], "play one with `loadgen run`"),
        (vec!["inject", "kill:lon", "--for=1y"], "write a number and ms, s, m or h"),
        (vec!["undo", "1"], "no active fault has the number 1: no fault is active"),
        (vec!["undo", "lon"], "write a number, or `all`"),
    ] {
        up.is_refused(&order, reason).await;
    }
    assert_eq!(up.ctl(&["status"]).await, ALL_UP, "a refused order changes nothing");
    up.ends().await;
}

/// Returns whether the far side closes at once, as the emulation does for a server that is dead.
async fn closes(address: &str) -> bool {
    let Ok(stream) = TcpStream::connect(address).await else { return true };
    let mut line = String::new();
    let read = timeout(LIMIT, BufReader::new(stream).read_line(&mut line)).await.expect("it stays open");
    read.map_or(true, |bytes| bytes == 0)
}
