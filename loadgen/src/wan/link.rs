//! One emulated connection: two delay lines between two sockets.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::Shared;
use super::effect::{Direction, End};
use super::path::{Epoch, PathState};
use super::pump::{Carrier, Severed};

/// One connection through a path: from the accept until both directions have ended.
pub(super) struct Link {
    pub(super) path: Arc<PathState>,
    pub(super) shared: Arc<Shared>,
    pub(super) dialler: TcpStream,
    pub(super) accepted_at: Instant,
    /// The faults that it does not know of began after this.
    pub(super) born: Epoch,
}

impl Link {
    /// Dials the upstream, mirrors the result, and carries bytes until the connection ends.
    pub(super) async fn run(self) {
        if self.dialler_gave_up().await {
            return;
        }
        let upstream = match self.path.dial().await {
            Ok(upstream) => upstream,
            Err(error) => return self.mirror_failed_dial(&error).await,
        };
        let path = Arc::clone(&self.path);
        let Ok(carried) = path.carries(&upstream) else { return };
        let mut ends = Ends { dialler: self.dialler, upstream };
        if ends.dialler.set_nodelay(true).is_err() || ends.upstream.set_nodelay(true).is_err() {
            // Either socket is dead already.
            return ends.reset();
        }
        let carrier = Carrier { path: &path, shared: &self.shared, connection: carried.number() };
        let end = tokio::select! {
            carried = carry(&mut ends, carrier, self.accepted_at) => match carried {
                Ok(()) => return,
                Err(Severed) => End::Reset,
            },
            end = path.fate(self.born) => end,
        };
        match end {
            End::Reset => ends.reset(),
            End::Close => ends.close(&path).await,
        }
    }

    /// Accepts, and nothing else, until the path is silent no longer or the dialler gives up.
    pub(super) async fn hold(mut self) {
        tokio::select! {
            () = self.path.is_heard() => reset(&self.dialler),
            () = discard(&mut self.dialler) => {}
        }
    }

    /// Ends the connection after the round trip that its SYN and the answer to it take.
    pub(super) async fn turn_away(mut self, end: End) {
        self.shared.timer.sleep_until(self.accepted_at + self.path.rtt()).await;
        match end {
            End::Reset => reset(&self.dialler),
            End::Close => close(&mut self.dialler, &self.path).await,
        }
    }

    /// Returns whether the dialler closed while it waited in the accept queue of a silent path. Dialling for it would make the
    /// servers see a herd that does not exist.
    async fn dialler_gave_up(&self) -> bool {
        let mut byte = [0];
        let mut peek = std::pin::pin!(self.dialler.peek(&mut byte));
        let peeked = std::future::poll_fn(|context| Poll::Ready(peek.as_mut().poll(context))).await;
        matches!(peeked, Poll::Ready(Ok(0) | Err(_)))
    }

    /// Over a real link the refusal of a SYN takes a round trip. The kernel has accepted, so a RST stands in for it,
    /// and the path closes its listener so that the next dial is really refused.
    async fn mirror_failed_dial(self, error: &io::Error) {
        tracing::debug!(path = %self.path.label(), %error, "upstream does not answer");
        self.path.upstream_refused();
        self.turn_away(End::Reset).await;
    }
}

struct Ends {
    dialler: TcpStream,
    upstream: TcpStream,
}

impl Ends {
    fn reset(self) {
        reset(&self.dialler);
        reset(&self.upstream);
    }

    async fn close(mut self, path: &PathState) {
        tokio::join!(close(&mut self.dialler, path), close(&mut self.upstream, path));
    }
}

/// Makes the close that follows a RST.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "cannot reset a connection: it will be closed");
    }
}

/// Sends a FIN, and reads until the other end closes: the kernel would send a RST after bytes that nobody read.
async fn close(stream: &mut TcpStream, path: &PathState) {
    // An error means that the other end is gone already.
    let _ = stream.shutdown().await;
    tokio::select! {
        () = path.is_closed() => {}
        () = discard(stream) => {}
    }
}

/// Reads until the other end closes.
async fn discard(stream: &mut TcpStream) {
    // A reset is an end too.
    let _ = tokio::io::copy(stream, &mut tokio::io::sink()).await;
}

async fn carry(ends: &mut Ends, carrier: Carrier<'_>, accepted_at: Instant) -> Result<(), Severed> {
    // The kernel shook hands in no time. Over the real link, the dialler's first byte arrives after SYN, SYN-ACK and
    // its own way (1.5 RTT), and the server's first byte half a round trip after that.
    let rtt = carrier.path.rtt();
    let (dialler_reads, dialler_writes) = ends.dialler.split();
    let (upstream_reads, upstream_writes) = ends.upstream.split();
    let there =
        carrier.pump(Direction::ToServer, dialler_reads, upstream_writes, accepted_at + rtt.mul_f64(1.5));
    let back = carrier.pump(Direction::FromServer, upstream_reads, dialler_writes, accepted_at + rtt * 2);
    tokio::try_join!(there.run(), back.run())?;
    Ok(())
}

/// Tries to connect and tells the result only: whether somebody listens at the upstream.
pub(super) async fn answers(path: &PathState) -> bool {
    // Loopback answers at once; a listener whose queue is full is overloaded, not gone.
    const LIMIT: Duration = Duration::from_millis(200);
    !matches!(tokio::time::timeout(LIMIT, path.dial()).await, Ok(Err(_)))
}
