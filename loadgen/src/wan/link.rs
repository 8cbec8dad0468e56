//! One emulated connection: two delay lines between two sockets.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::Shared;
use super::delay_line::{DelayLine, Parcel};
use super::path::PathState;
use crate::clock;

/// One connection through a path: from the accept until both directions have ended.
pub(super) struct Link {
    pub(super) path: Arc<PathState>,
    pub(super) shared: Arc<Shared>,
    pub(super) dialler: TcpStream,
    pub(super) accepted_at: Instant,
}

impl Link {
    /// Dials the upstream, mirrors the result, and carries bytes until the connection ends.
    pub(super) async fn run(self) {
        if self.dialler_gave_up().await {
            return;
        }
        let upstream = match TcpStream::connect(self.path.upstream()).await {
            Ok(upstream) => upstream,
            Err(error) => return self.mirror_failed_dial(&error).await,
        };
        let path = Arc::clone(&self.path);
        let Ok(_carried) = path.carries(&upstream) else { return };
        let mut ends = Ends { dialler: self.dialler, upstream };
        if ends.dialler.set_nodelay(true).is_err() || ends.upstream.set_nodelay(true).is_err() {
            // Either socket is dead already.
            return ends.reset();
        }
        tokio::select! {
            carried = carry(&mut ends, &path, &self.shared, self.accepted_at) => if carried.is_err() {
                ends.reset();
            },
            () = path.went_dark() => {
                // Nothing is read and nothing is closed: both peers see silence, for as long as it takes. What was
                // under way is lost, so the stream has a hole and cannot be resumed after the heal. A real peer is
                // told so by the RST of a far side that gave up meanwhile; here by ours.
                path.is_lit().await;
                ends.reset();
            }
        }
    }

    /// Whether the dialler closed while it waited in the accept queue of a dark path. Dialling for it would make the
    /// servers see a herd that does not exist.
    async fn dialler_gave_up(&self) -> bool {
        let mut byte = [0];
        let mut peek = std::pin::pin!(self.dialler.peek(&mut byte));
        let peeked = std::future::poll_fn(|context| Poll::Ready(peek.as_mut().poll(context))).await;
        matches!(peeked, Poll::Ready(Ok(0) | Err(_)))
    }

    /// Over a real link the refusal of a SYN takes a round trip. The kernel has accepted, so a RST stands in for it,
    /// and the path closes its listener so that the next dial is really refused.
    async fn mirror_failed_dial(&self, error: &io::Error) {
        tracing::debug!(path = %self.path.label(), %error, "upstream does not answer");
        self.path.upstream_refused();
        self.shared.timer.sleep_until(self.accepted_at + self.path.rtt()).await;
        reset(&self.dialler);
    }
}

/// Either end is gone without a FIN.
struct Severed;

struct Ends {
    dialler: TcpStream,
    upstream: TcpStream,
}

impl Ends {
    fn reset(self) {
        reset(&self.dialler);
        reset(&self.upstream);
    }
}

/// Makes the close that follows a RST.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "cannot reset a connection: it will be closed");
    }
}

async fn carry(
    ends: &mut Ends,
    path: &PathState,
    shared: &Shared,
    accepted_at: Instant,
) -> Result<(), Severed> {
    // The kernel shook hands in no time. Over the real link, the dialler's first byte arrives after SYN, SYN-ACK and
    // its own way (1.5 RTT), and the server's first byte half a round trip after that.
    let first_byte_arrives = accepted_at + path.rtt().mul_f64(1.5);
    let first_reply_arrives = accepted_at + path.rtt() * 2;

    let (dialler_reads, dialler_writes) = ends.dialler.split();
    let (upstream_reads, upstream_writes) = ends.upstream.split();
    let there = Direction::new(dialler_reads, upstream_writes, path, shared, first_byte_arrives);
    let back = Direction::new(upstream_reads, dialler_writes, path, shared, first_reply_arrives);
    tokio::try_join!(there.pump(), back.pump())?;
    Ok(())
}

struct Direction<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    line: DelayLine,
    path: &'a PathState,
    shared: &'a Shared,
    /// Nothing more comes from `from`.
    ended: bool,
}

impl<'a> Direction<'a> {
    fn new(
        from: ReadHalf<'a>,
        to: WriteHalf<'a>,
        path: &'a PathState,
        shared: &'a Shared,
        not_before: Instant,
    ) -> Self {
        Self { from, to, line: DelayLine::new(not_before), path, shared, ended: false }
    }

    /// Carries bytes until the end of the stream has been delivered.
    async fn pump(mut self) -> Result<(), Severed> {
        loop {
            let now = clock::now();
            let bytes_are_due = match self.line.due(now) {
                Some(Parcel::Finish) => {
                    // An error means that the other end is gone, which the other direction finds out.
                    let _ = self.to.shutdown().await;
                    return Ok(());
                }
                Some(Parcel::Reset) => return Err(Severed),
                Some(Parcel::Data(_)) => true,
                None => false,
            };
            let next_release = self.line.next_release().filter(|_| !bytes_are_due);
            tokio::select! {
                biased;
                written = write_due(&mut self.to, &self.line, now), if bytes_are_due => match written {
                    Ok(count) => self.line.advance(count),
                    Err(_) => return self.report_dead_receiver().await,
                },
                read = read_some(&mut self.from, self.shared), if !self.ended && self.line.has_room() => {
                    self.take(read);
                }
                () = sleep_until(self.shared, next_release), if next_release.is_some() => {}
            }
        }
    }

    fn take(&mut self, read: io::Result<Bytes>) {
        let parcel = match read {
            Ok(bytes) if bytes.is_empty() => Parcel::Finish,
            Ok(bytes) => {
                self.path.count(bytes.len());
                Parcel::Data(bytes)
            }
            Err(_) => Parcel::Reset,
        };
        self.ended = !matches!(parcel, Parcel::Data(_));
        self.line.push(parcel, clock::now(), self.path.one_way());
    }

    /// The bytes met a socket that is gone; over the real link the RST that answers them takes its way back. The
    /// other direction goes on meanwhile and delivers what the receiver had sent before.
    async fn report_dead_receiver(self) -> Result<(), Severed> {
        self.shared.timer.sleep_until(clock::now() + self.path.one_way()).await;
        Err(Severed)
    }
}

/// How many parcels one write may take along. More brings nothing: reads of a busy stream are 64 KiB each.
const PARCELS_PER_WRITE: usize = 16;

async fn write_due(to: &mut WriteHalf<'_>, line: &DelayLine, now: Instant) -> io::Result<usize> {
    std::future::poll_fn(|context| {
        let mut slices = [IoSlice::new(&[]); PARCELS_PER_WRITE];
        let filled = line.due_slices(now, &mut slices);
        Pin::new(&mut *to).poll_write_vectored(context, &slices[..filled])
    })
    .await
}

async fn read_some(from: &mut ReadHalf<'_>, shared: &Shared) -> io::Result<Bytes> {
    std::future::poll_fn(|context| poll_read(from, shared, context)).await
}

fn poll_read(from: &mut ReadHalf<'_>, shared: &Shared, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
    let mut scratch = shared.scratch.lock().unwrap_or_else(PoisonError::into_inner);
    let mut buffer = ReadBuf::new(&mut scratch);
    ready!(Pin::new(from).poll_read(context, &mut buffer))?;
    Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
}

async fn sleep_until(shared: &Shared, deadline: Option<Instant>) {
    if let Some(deadline) = deadline {
        shared.timer.sleep_until(deadline).await;
    }
}

/// Tries to connect and tells the result only: whether somebody listens at `upstream`.
pub(super) async fn answers(upstream: SocketAddr) -> bool {
    // Loopback answers at once; a listener whose queue is full is overloaded, not gone.
    const LIMIT: Duration = Duration::from_millis(200);
    !matches!(tokio::time::timeout(LIMIT, TcpStream::connect(upstream)).await, Ok(Err(_)))
}
