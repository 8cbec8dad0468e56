//! Doors in front of servers: they see every dial of a client, and refuse all of them if told so.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use loadgen::clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// One door per server. Whoever is refused gets a RST in place of INFO: to a client that is a failed dial like any other,
/// and the door has seen it. Dropping the doors closes them.
pub(crate) struct Doors {
    urls: Vec<String>,
    book: Arc<Mutex<Book>>,
    /// Told to reset all connections.
    cut: watch::Sender<()>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Book {
    dials: Vec<(Instant, usize)>,
    refused: Option<Refused>,
}

/// Which dials doors refuse.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refused {
    Until(Instant),
    /// So many from now on.
    Count(u32),
}

impl Doors {
    /// In front of these servers, `nats://IP:PORT` each.
    pub(crate) async fn open(servers: &[String]) -> Self {
        let (book, cut, mut tasks) = (Arc::default(), watch::Sender::new(()), JoinSet::new());
        let mut urls = Vec::new();
        for (server, url) in servers.iter().enumerate() {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            urls.push(format!("nats://{}", listener.local_addr().unwrap()));
            let upstream = url.strip_prefix("nats://").unwrap().parse().unwrap();
            let door = Door { server, upstream, book: Arc::clone(&book), cut: cut.clone() };
            tasks.spawn(door.serve(listener));
        }
        Self { urls, book, cut, _tasks: tasks }
    }

    /// Where to dial, in the order of the servers.
    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Resets all connections and refuses these dials.
    pub(crate) fn refuse(&self, refused: Refused) {
        lock(&self.book).refused = Some(refused);
        self.cut.send_replace(());
    }

    /// All dials since the last call: when, and which server.
    pub(crate) fn take_dials(&self) -> Vec<(Instant, usize)> {
        std::mem::take(&mut lock(&self.book).dials)
    }
}

struct Door {
    server: usize,
    upstream: SocketAddr,
    book: Arc<Mutex<Book>>,
    cut: watch::Sender<()>,
}

impl Door {
    async fn serve(self, listener: TcpListener) {
        let mut links = JoinSet::new();
        loop {
            let (dialler, _) = listener.accept().await.unwrap();
            // Before the book is asked: a cut that comes with a refusal is for those who were let in before it.
            let cut = self.cut.subscribe();
            dialler.set_zero_linger().unwrap();
            if lock(&self.book).lets_in(clock::now(), self.server) {
                links.spawn(carry(dialler, self.upstream, cut));
            }
        }
    }
}

impl Book {
    fn lets_in(&mut self, now: Instant, server: usize) -> bool {
        self.dials.push((now, server));
        match &mut self.refused {
            None | Some(Refused::Count(0)) => true,
            Some(Refused::Until(end)) => *end <= now,
            Some(Refused::Count(count)) => {
                *count -= 1;
                false
            }
        }
    }
}

/// Until either end is gone, or all connections are cut; what becomes of one end becomes of the other.
async fn carry(mut dialler: TcpStream, upstream: SocketAddr, mut cut: watch::Receiver<()>) {
    let Ok(mut upstream) = TcpStream::connect(upstream).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut dialler, &mut upstream) => {}
        _ = cut.changed() => {}
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
