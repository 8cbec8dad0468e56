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
    silent: watch::Sender<bool>,
    /// Counts the cuts.
    cuts: watch::Sender<u32>,
    _tasks: JoinSet<()>,
}

impl Relay {
    pub(crate) async fn to(upstream: u16) -> Self {
        Self::far_from(upstream, Duration::ZERO).await
    }

    /// A relay that hands on what the server says this much later.
    pub(crate) async fn far_from(upstream: u16, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = watch::Sender::new(false);
        let cuts = watch::Sender::new(0);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, (upstream, delay), silent.subscribe(), cuts.subscribe()));
        Self { port, silent, cuts, _tasks: tasks }
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
        self.silent.send_replace(silent);
    }
}

async fn accept(
    listener: TcpListener,
    upstream: (u16, Duration),
    silent: watch::Receiver<bool>,
    cuts: watch::Receiver<u32>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (silent, mut cuts) = (silent.clone(), cuts.clone());
        cuts.mark_unchanged();
        connections.spawn(async move {
            tokio::select! {
                biased;
                _ = cuts.changed() => {}
                () = relay(client, upstream, silent) => {}
            }
        });
    }
}

async fn relay(client: TcpStream, (upstream, delay): (u16, Duration), silent: watch::Receiver<bool>) {
    speaking(&mut silent.clone()).await;
    let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        forward(from_client, to_server, Duration::ZERO, silent.clone()),
        forward(from_server, to_client, delay, silent)
    );
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    mut silent: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        speaking(&mut silent).await;
        tokio::select! {
            read = from.read(&mut buffer) => {
                let Ok(read @ 1..) = read else { break };
                // Distance, not the wait for a condition.
                tokio::time::sleep(delay).await;
                speaking(&mut silent).await;
                if to.write_all(&buffer[..read]).await.is_err() {
                    break;
                }
            }
            _ = silent.changed() => {}
        }
    }
    let _ = to.shutdown().await;
}

async fn speaking(silent: &mut watch::Receiver<bool>) {
    let _ = silent.wait_for(|silent| !silent).await;
}
