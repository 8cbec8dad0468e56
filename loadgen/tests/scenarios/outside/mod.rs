//! The effects of faults of a scenario, seen from outside: by plain sockets at the ports of the servers, and by their monitoring.
//!
//! The watchers do not depend on the play: they begin before the servers start, and end after the servers.

mod clients;
mod flaps;
mod orders;
mod overlap;

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use loadgen::clock;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::interval;

/// The observations of a watcher, each with its time.
type Notes<T> = Arc<Mutex<Vec<(Instant, T)>>>;

/// Between two looks at a server, or two messages to it.
const LOOK: Duration = Duration::from_millis(25);

/// Ports of a server for clients and for monitoring.
type Ports = (u16, u16);

/// Ports of so many servers, which no other program has.
fn ports<const N: usize>() -> [Ports; N] {
    let held: [_; N] =
        std::array::from_fn(|_| [0_u16; 2].map(|any| TcpListener::bind(("127.0.0.1", any)).unwrap()));
    held.map(|pair| pair.map(|listener| listener.local_addr().unwrap().port()).into())
}

/// The regions of a topology, at the end of a scenario.
fn topology(regions: &[(&str, &[Ports])]) -> String {
    let server = |(client, monitor): &Ports| {
        format!("[[topology.cluster.server]]\nports = {{ client = {client}, monitor = {monitor} }}\n")
    };
    let servers = |servers: &[Ports]| servers.iter().map(server).collect::<String>();
    let region =
        |(name, of): &(&str, &[Ports])| format!("[[topology.cluster]]\nname = \"{name}\"\n{}", servers(of));
    regions.iter().map(region).collect()
}

/// Tasks that watch. Dropping it ends them.
#[derive(Default)]
struct Watchers(JoinSet<()>);

impl Watchers {
    /// Connects as soon as the server accepts, subscribes, publishes numbers if `publish` names a subject, and notes every line that
    /// comes in until the connection ends.
    fn converse(
        &mut self,
        port: u16,
        subscribe: &'static str,
        publish: Option<&'static str>,
    ) -> Notes<String> {
        let notes = Notes::default();
        let heard = Arc::clone(&notes);
        self.0.spawn(async move {
            let (read, mut write) = connect(port).await.into_split();
            // nats-server sends news only after the first PONG.
            let hello = "CONNECT {\"verbose\":false,\"protocol\":1,\"name\":\"outside\"}\r\n";
            write.write_all(format!("{hello}SUB {subscribe} 1\r\nPING\r\n").as_bytes()).await.unwrap();
            let (mut lines, mut ticks, mut number) = (BufReader::new(read).lines(), interval(LOOK), 0);
            loop {
                let answer = tokio::select! {
                    line = lines.next_line() => {
                        let Ok(Some(line)) = line else { return };
                        let answer = if line == "PING" { "PONG\r\n".to_owned() } else { String::new() };
                        heard.lock().unwrap().push((clock::now(), line));
                        answer
                    }
                    _ = ticks.tick(), if publish.is_some() => {
                        number += 1;
                        let (subject, text) = (publish.unwrap_or_default(), format!("{number:06}"));
                        format!("PUB {subject} {}\r\n{text}\r\n", text.len())
                    }
                };
                if write.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        notes
    }

    /// Notes each change of whether the server accepts connections, from its first start on.
    fn dial(&mut self, port: u16) -> Notes<bool> {
        let notes = Notes::default();
        let edges = Arc::clone(&notes);
        self.0.spawn(async move {
            drop(connect(port).await);
            let mut looks = interval(Duration::from_millis(10));
            loop {
                looks.tick().await;
                let accepts = match TcpStream::connect(("127.0.0.1", port)).await {
                    Ok(_) => true,
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => false,
                    // A listener that closes meanwhile.
                    Err(_) => continue,
                };
                let mut edges = edges.lock().unwrap();
                if edges.last().is_none_or(|(_, last)| *last != accepts) {
                    edges.push((clock::now(), accepts));
                }
            }
        });
        notes
    }

    /// Notes what `look` sees again and again.
    fn look<T: Send + 'static>(&mut self, look: impl Fn() -> Option<T> + Send + 'static) -> Notes<T> {
        let notes = Notes::default();
        let seen = Arc::clone(&notes);
        self.0.spawn(async move {
            let mut looks = interval(LOOK);
            loop {
                looks.tick().await;
                if let Some(found) = look() {
                    seen.lock().unwrap().push((clock::now(), found));
                }
            }
        });
        notes
    }
}

/// Dials a server until it accepts.
async fn connect(port: u16) -> TcpStream {
    let mut dials = interval(Duration::from_millis(10));
    loop {
        dials.tick().await;
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
            return stream;
        }
    }
}
