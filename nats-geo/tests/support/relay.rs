//! A TCP relay that can turn into a blackhole.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Forwards a port of its own to a server, until told to fall silent: it then reads nothing, writes nothing and
/// closes nothing. New connections are accepted and stay silent, too.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) port: u16,
    silence: watch::Sender<Silence>,
    /// Counts the cuts.
    cuts: watch::Sender<u32>,
    _tasks: JoinSet<()>,
}

/// Who is not heard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Silence {
    Nobody,
    Server,
    Both,
}

impl Relay {
    pub(crate) async fn to(upstream: u16) -> Self {
        Self::far_from(upstream, Duration::ZERO).await
    }

    /// A relay that hands on what the server says this much later.
    pub(crate) async fn far_from(upstream: u16, delay: Duration) -> Self {
        Self::with_delays(upstream, [Duration::ZERO, delay]).await
    }

    /// With delays for each 16 KiB on the way to the server, and on the way back.
    pub(crate) async fn with_delays(upstream: u16, delays: [Duration; 2]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silence = watch::Sender::new(Silence::Nobody);
        let cuts = watch::Sender::new(0);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, (upstream, delays), silence.subscribe(), cuts.subscribe()));
        Self { port, silence, cuts, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends all connections; what is held back is lost.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Falls silent, or speaks again: what was held back then goes on.
    pub(crate) fn silence(&self, silent: bool) {
        self.silence.send_replace(if silent { Silence::Both } else { Silence::Nobody });
    }

    /// The server hears the client, but not the other way round, until a [`silence`](Self::silence) ends.
    pub(crate) fn silence_server(&self) {
        self.silence.send_replace(Silence::Server);
    }
}

async fn accept(
    listener: TcpListener,
    upstream: (u16, [Duration; 2]),
    silence: watch::Receiver<Silence>,
    cuts: watch::Receiver<u32>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (silence, mut cuts) = (silence.clone(), cuts.clone());
        cuts.mark_unchanged();
        connections.spawn(async move {
            tokio::select! {
                biased;
                _ = cuts.changed() => {}
                () = relay(client, upstream, silence) => {}
            }
        });
    }
}

async fn relay(
    client: TcpStream,
    (upstream, [up, down]): (u16, [Duration; 2]),
    silence: watch::Receiver<Silence>,
) {
    heard(&mut silence.clone(), |silence| silence == Silence::Both).await;
    let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        forward(from_client, to_server, up, silence.clone(), |silence| silence == Silence::Both),
        forward(from_server, to_client, down, silence, |silence| silence != Silence::Nobody)
    );
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    mut silence: watch::Receiver<Silence>,
    is_silent: fn(Silence) -> bool,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        heard(&mut silence, is_silent).await;
        tokio::select! {
            read = from.read(&mut buffer) => {
                let Ok(read @ 1..) = read else { break };
                // Distance, not the wait for a condition.
                tokio::time::sleep(delay).await;
                heard(&mut silence, is_silent).await;
                if to.write_all(&buffer[..read]).await.is_err() {
                    break;
                }
            }
            _ = silence.changed() => {}
        }
    }
    let _ = to.shutdown().await;
}

async fn heard(silence: &mut watch::Receiver<Silence>, is_silent: fn(Silence) -> bool) {
    let _ = silence.wait_for(|silence| !is_silent(*silence)).await;
}
