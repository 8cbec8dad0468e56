//! One connection to one server: the wrapper of `async_nats::Client`.
//!
//! A link is opened once, never reconnects, and reports its end. All workarounds for async-nats are in this folder.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_nats::message::OutboundMessage;
use async_nats::{Client, Statistics, Subject, Subscriber};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;

use crate::core::{Cause, ConnId};
use crate::native::lines;
use crate::native::resend::ResendBuffer;
use crate::wire::Denied;

mod open;
pub(crate) use open::{Settings, open};

mod dialled;

mod guard;
pub(crate) use guard::{Guard, Scrubbed};

mod watch_end;

mod replies;
pub(crate) use replies::{Answer, Awaited};
use replies::{Replies, RoundTrip, USER_INFO};

mod sending;
pub(crate) use sending::{Kind, Refusal};

mod installs;
use installs::Installs;

mod outflow;
use outflow::Outflow;

mod recent;

mod traffic;
pub(crate) use traffic::Traffic;
use traffic::Unwritten;

mod unconfirmed;
pub(crate) use unconfirmed::Settled;
use unconfirmed::{Mark, Unconfirmed};

#[cfg(test)]
mod tests;

/// A live connection. It ends by itself when the socket does, and by [`kill`](Self::kill); async-nats' own
/// task then ends once the last `Link`, subscriber and user's clone of the client are dropped.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) conn: ConnId,
    client: Client,
    state: Arc<State>,
    inbox_reader: AbortHandle,
    /// Held by who asks the server again about subscriptions.
    pub(crate) asking_again: tokio::sync::Mutex<()>,
    /// Held by who sends on this link what other links have left over.
    pub(crate) sending_again: tokio::sync::Mutex<()>,
}

/// What outlives the client, for those who wait for its end.
#[derive(Debug)]
struct State {
    replies: Arc<Replies>,
    unconfirmed: Mutex<Unconfirmed>,
    /// Where publishes are kept, if they are to arrive at least once.
    kept: Option<Arc<ResendBuffer>>,
    /// Told when something was published that is kept.
    published: Notify,
    statistics: Arc<Statistics>,
    ended: watch::Sender<bool>,
    /// Traffic has left in a hurry.
    left: watch::Sender<bool>,
    /// Takes nothing new any more.
    closing: AtomicBool,
    /// Whether own messages come back; unknown before the first round trip.
    echoes: OnceLock<bool>,
    /// Round trips whose PING is still in our own buffers.
    unwritten_pings: AtomicUsize,
    outflow: Mutex<Outflow>,
    installs: Mutex<Installs>,
    /// The length of the longest names on one line that was sent, in bytes.
    longest_names: AtomicUsize,
    server_id: String,
    guard: Arc<Guard>,
    /// How often the server has said that there are too many subscriptions, since that was acted on.
    over_limit: AtomicUsize,
}

/// What a link says about itself.
#[derive(Debug)]
pub(crate) enum Report {
    /// The server will close its clients soon.
    LameDuck,
    /// A subscription's buffer was full: a message was dropped.
    Overflow,
    /// The server denies something that was not the link's own.
    Denied { denied: Denied, text: String },
    /// A message could not be read as it was.
    Scrubbed(Scrubbed),
    /// The server takes no further subscription, in these words.
    OverLimit { text: String },
    /// The socket is gone, or [`Link::kill`] was called. Nothing follows.
    Ended {
        cause: Cause,
        settled: Settled,
        /// The server's last words, if they came just before the end.
        complaint: Option<String>,
        /// The feeds whose SUB the server had not confirmed.
        unconfirmed: Vec<u64>,
        /// The length of the longest names on one line that was sent, in bytes.
        longest_names: usize,
    },
}

/// Reports of all links, each with the link's id.
pub(crate) type Reports = mpsc::Sender<(ConnId, Report)>;

/// The link has ended; what was asked of it will not happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ended;

impl Link {
    /// A subscription of this feed.
    pub(crate) async fn install(
        &self,
        feed: u64,
        subject: Subject,
        queue: Option<String>,
    ) -> Result<Subscriber, Ended> {
        self.state.sends_names(lines::names_length(&subject, queue.as_deref()));
        let subscriber = self.subscribe(subject, queue).await?;
        self.state.installs().entered(feed);
        Ok(subscriber)
    }

    /// The feeds that were installed a short time ago.
    pub(crate) fn installed_lately(&self) -> Vec<u64> {
        self.state.installs().lately()
    }

    /// The newest feeds, as many as the server has refused because there were too many, and not returned before.
    pub(crate) fn take_excess(&self) -> Vec<u64> {
        let count = self.state.over_limit.swap(0, Ordering::Relaxed);
        self.state.installs().take_excess(count)
    }

    /// A subscription on this link only.
    pub(crate) async fn subscribe(
        &self,
        subject: Subject,
        queue: Option<String>,
    ) -> Result<Subscriber, Ended> {
        let subscribe = async {
            match queue {
                Some(queue) => self.client.queue_subscribe(subject, queue).await,
                None => self.client.subscribe(subject).await,
            }
        };
        tokio::select! {
            subscriber = subscribe => subscriber.map_err(|_| Ended),
            () = self.ended() => Err(Ended),
        }
    }

    /// A PING: returns how long the server took to answer, from the moment when the question had left our
    /// own buffers. Everything that entered before it is confirmed by then, and every SUB is in force.
    ///
    /// The question is a message to our own inbox, and its echo the answer. A question to a subject that
    /// nobody serves would be answered by 503 instead, but not where somebody listens to `>`. Where echo is
    /// off, information about the user is asked for, and a refusal for lack of permission answers as well.
    pub(crate) async fn round_trip(&self) -> Result<Duration, Ended> {
        let unwritten = Unwritten::new(&self.state.unwritten_pings);
        let number = self.state.outflow().asked(self.written());
        let installed = self.state.installs().mark();
        let mut awaited = self.state.replies.await_round_trip();
        let mut sent = crate::native::clock::now();
        let mark = self.send_question(&awaited).await?;
        let written = async {
            tokio::select! {
                flushed = self.client.flush() => flushed.map_err(|_| Ended),
                () = self.ended() => Err(Ended),
            }
        };
        let early = tokio::select! {
            biased;
            answer = &mut awaited.answer => Some(answer.map_err(|_| Ended)?),
            written = written => {
                written?;
                sent = crate::native::clock::now();
                self.state.outflow().written(number, self.written());
                None
            }
        };
        drop(unwritten);
        let answer = match early {
            Some(answer) => answer,
            None => self.answer(awaited).await?,
        };
        let round_trip = crate::native::clock::since(sent);
        self.state.outflow().answered(number, round_trip);
        if answer != RoundTrip::Refused {
            // Set by the first answer; async-nats cannot be asked whether echo is on.
            let _known = self.state.echoes.get_or_init(|| answer == RoundTrip::Echo);
        }
        self.state.unconfirmed().confirm(mark);
        self.state.installs().confirm(installed);
        if let Some(kept) = &self.state.kept {
            kept.confirmed(self.conn, mark.entered());
        }
        Ok(round_trip)
    }

    /// Waits for the reply to one request to `subject`, which is to be sent with [`Awaited::reply`].
    pub(crate) fn await_request(&self, subject: &Subject) -> Awaited<Answer> {
        self.state.replies.await_request(subject)
    }

    /// Returns once no request waits for its answer on this link.
    pub(crate) async fn no_requests(&self) {
        self.state.replies.no_requests().await;
    }

    /// Returns whether the server refuses us our inbox, so that no reply can arrive.
    pub(crate) fn is_deaf(&self) -> bool {
        self.state.replies.is_deaf()
    }

    /// Returns once the link has ended.
    pub(crate) async fn ended(&self) {
        self.state.ended().await;
    }

    pub(crate) fn has_ended(&self) -> bool {
        *self.state.ended.borrow()
    }

    /// Takes no publishes and requests any more, and returns once the server has all that were taken.
    pub(crate) async fn finish(&self) -> Result<(), Ended> {
        {
            // Under the lock of those who offer: what was taken has entered.
            let _entering = self.state.unconfirmed();
            self.state.closing.store(true, Ordering::Relaxed);
        }
        self.round_trip().await.map(drop)
    }

    /// Traffic has left in a hurry: the link may be silent.
    pub(crate) fn leave_in_a_hurry(&self) {
        self.state.left.send_replace(true);
    }

    /// Returns whether traffic has left in a hurry.
    pub(crate) fn left(&self) -> watch::Receiver<bool> {
        self.state.left.subscribe()
    }

    /// Returns whether it takes publishes and requests.
    pub(crate) fn is_open(&self) -> bool {
        !self.has_ended() && !self.state.closing.load(Ordering::Relaxed)
    }

    /// Ends the link: whoever waits on it is told at once. The socket closes when everybody has let go.
    pub(crate) fn kill(&self) {
        self.state.end();
        // Its subscriber would keep the client's task alive.
        self.inbox_reader.abort();
    }

    /// Returns whether publishes were sent here that no PONG has confirmed.
    pub(crate) fn has_unconfirmed(&self) -> bool {
        self.state.unconfirmed().is_pending()
    }

    /// Returns when something was published that is to arrive at least once, now or since the last time.
    pub(crate) async fn published(&self) {
        self.state.published.notified().await;
    }

    /// The client, for what nats-geo does not wrap.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// What has moved so far, for [`Meter`].
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            received: self.state.statistics.in_bytes.load(Ordering::Relaxed),
            sent: self.state.statistics.out_messages.load(Ordering::Relaxed),
            ping_unwritten: self.state.unwritten_pings.load(Ordering::Relaxed) > 0,
            under_way: self.state.outflow().is_under_way(),
        }
    }

    /// Bytes that the kernel has taken.
    fn written(&self) -> u64 {
        self.state.statistics.out_bytes.load(Ordering::Relaxed)
    }

    async fn send_question(&self, awaited: &Awaited<RoundTrip>) -> Result<Mark, Ended> {
        if self.is_deaf() {
            // Our inbox is refused to us, each time anew: asking for it again is a question, too.
            let mark = self.state.unconfirmed().mark();
            let _ = self.subscribe(self.state.replies.subject().into(), None).await?;
            return Ok(mark);
        }
        let echoes = *self.state.echoes.get().unwrap_or(&true);
        let subject = if echoes { awaited.reply.clone() } else { Subject::from_static(USER_INFO) };
        self.push(&question(subject, awaited), Kind::Ping).await.map_err(|_| Ended)
    }

    async fn answer(&self, mut awaited: Awaited<RoundTrip>) -> Result<RoundTrip, Ended> {
        if self.state.echoes.get().is_none() {
            match tokio::time::timeout(ECHO_PATIENCE, &mut awaited.answer).await {
                Ok(answer) => return answer.map_err(|_| Ended),
                Err(_elapsed) => {
                    let other = question(Subject::from_static(USER_INFO), &awaited);
                    self.push(&other, Kind::Ping).await.map_err(|_| Ended)?;
                }
            }
        }
        (&mut awaited.answer).await.map_err(|_| Ended)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.kill();
    }
}

impl State {
    fn unconfirmed(&self) -> MutexGuard<'_, Unconfirmed> {
        self.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line with names of this length may reach the server from now on.
    fn sends_names(&self, length: usize) {
        // Nearly always a comparison alone: this is on the fast path of publishing.
        if length > self.longest_names.load(Ordering::Relaxed) {
            self.longest_names.fetch_max(length, Ordering::Relaxed);
        }
    }

    fn installs(&self) -> MutexGuard<'_, Installs> {
        self.installs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outflow(&self) -> MutexGuard<'_, Outflow> {
        self.outflow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ended(&self) {
        let mut ended = self.ended.subscribe();
        // An error would mean that the sender is gone, but it is here.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    fn end(&self) {
        self.ended.send_replace(true);
        self.replies.close();
    }
}

/// Before the first answer we do not know whether echo is on. No echo for this long, and we ask in the other
/// way as well; on a path that is slower than this, that costs one needless question per link.
const ECHO_PATIENCE: Duration = Duration::from_millis(100);

fn question(subject: Subject, awaited: &Awaited<RoundTrip>) -> OutboundMessage {
    OutboundMessage {
        subject,
        reply: Some(awaited.reply.clone()),
        payload: bytes::Bytes::new(),
        headers: None,
    }
}
