//! The task that carries the bytes of one direction of a connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::delay_line::{DelayLine, Parcel};
use super::effect::{Conditions, Direction};
use super::pace::Pace;
use super::path::PathState;
use super::{READ_BYTES, Shared};
use crate::clock;

/// Either end is gone without a FIN.
pub(super) struct Severed;

/// One direction of a connection: what it reads from, writes to, and holds meanwhile.
pub(super) struct Pump<'a> {
    pub(super) from: ReadHalf<'a>,
    pub(super) to: WriteHalf<'a>,
    line: DelayLine,
    pace: Pace,
    path: &'a PathState,
    shared: &'a Shared,
    direction: Direction,
    /// The connection's number on its path.
    connection: u64,
    /// Number of parcels that were read.
    parcels: u64,
    /// Nothing more comes from `from`.
    ended: bool,
}

/// The connection that a [`Pump`] belongs to.
#[derive(Clone, Copy)]
pub(super) struct Carrier<'a> {
    pub(super) path: &'a PathState,
    pub(super) shared: &'a Shared,
    /// The connection's number on its path.
    pub(super) connection: u64,
}

impl<'a> Carrier<'a> {
    /// A pump on which nothing arrives before `not_before`.
    pub(super) fn pump(
        self,
        direction: Direction,
        from: ReadHalf<'a>,
        to: WriteHalf<'a>,
        not_before: Instant,
    ) -> Pump<'a> {
        let Self { path, shared, connection } = self;
        let (line, pace) = (DelayLine::new(not_before), Pace::new(clock::now()));
        Pump { from, to, line, pace, path, shared, direction, connection, parcels: 0, ended: false }
    }
}

impl Pump<'_> {
    /// Carries bytes until the end of the stream has been delivered. Once the direction is silent, it stays so: what was
    /// under way is lost, so the stream has a hole.
    pub(super) async fn run(self) -> Result<(), Severed> {
        let (path, direction) = (self.path, self.direction);
        tokio::select! {
            biased;
            () = path.falls_silent(direction) => std::future::pending().await,
            carried = self.carry() => carried,
        }
    }

    async fn carry(mut self) -> Result<(), Severed> {
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
            let conditions = self.path.conditions();
            let next_release = self.line.next_release().filter(|_| !bytes_are_due);
            let next_read = conditions.bandwidth().map(|_| self.pace.free_at()).filter(|at| *at > now);
            let wake_up = next_release.into_iter().chain(next_read).min();
            let may_read = !self.ended && self.line.has_room() && next_read.is_none();
            let limit = conditions.bandwidth().map_or(READ_BYTES, Pace::parcel_bytes);
            tokio::select! {
                biased;
                written = write_due(&mut self.to, &self.line, now), if bytes_are_due => match written {
                    Ok(count) => self.line.advance(count),
                    Err(_) => return self.report_dead_receiver().await,
                },
                read = read_some(&mut self.from, self.shared, limit), if may_read => self.take(read),
                () = sleep_until(self.shared, wake_up), if wake_up.is_some() => {}
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
        let (now, conditions) = (clock::now(), self.path.conditions());
        let passed_at = match (&parcel, conditions.bandwidth()) {
            (Parcel::Data(bytes), Some(rate)) => self.pace.pass(bytes.len(), now, rate),
            _ => now,
        };
        let way = self.path.one_way() + self.jitter(&conditions);
        self.line.push(parcel, passed_at, way);
    }

    fn jitter(&mut self, conditions: &Conditions) -> std::time::Duration {
        let number = self.parcels;
        self.parcels += 1;
        conditions.jitter(self.path.label(), self.connection, self.direction, number)
    }

    /// The bytes met a socket that is gone; over the real link the RST that answers them takes its way back, unless that
    /// is silent. The other direction goes on meanwhile and delivers what the receiver had sent before.
    async fn report_dead_receiver(self) -> Result<(), Severed> {
        self.shared.timer.sleep_until(clock::now() + self.path.one_way()).await;
        if !self.path.conditions().carries(self.direction.opposite()) {
            return std::future::pending().await;
        }
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

async fn read_some(from: &mut ReadHalf<'_>, shared: &Shared, limit: usize) -> io::Result<Bytes> {
    std::future::poll_fn(|context| poll_read(from, shared, limit, context)).await
}

fn poll_read(
    from: &mut ReadHalf<'_>,
    shared: &Shared,
    limit: usize,
    context: &mut Context<'_>,
) -> Poll<io::Result<Bytes>> {
    let mut scratch = shared.scratch.lock().unwrap_or_else(PoisonError::into_inner);
    let mut buffer = ReadBuf::new(&mut scratch[..limit]);
    ready!(Pin::new(from).poll_read(context, &mut buffer))?;
    Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
}

async fn sleep_until(shared: &Shared, deadline: Option<Instant>) {
    if let Some(deadline) = deadline {
        shared.timer.sleep_until(deadline).await;
    }
}
