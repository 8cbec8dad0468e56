//! The internal part of a subscription. It collects the messages of all links, and puts them in order for the
//! application.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};

use async_nats::{Subject, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _, future};
use tokio::sync::{Notify, RwLock};

use super::SubscriptionError;
use super::care::{Care, FeedWaker};
use super::state::{Input, Kept, State};
use crate::core::ConnId;
use crate::native::Message;
use crate::native::hub::{Hub, Operations, lock};
use crate::native::lines::names_length;
use crate::native::link::{Ended, Link};

mod asked;

mod handled;

/// One subscription over all links that carry it.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) id: u64,
    subject: Subject,
    queue: Option<String>,
    carriage: Carriage,
    /// How many bytes may wait to be read.
    max_bytes: usize,
    /// Messages with a reply subject that the application has, if it reads them.
    handling: Option<Operations>,
    /// Told when the application has read one, or will read no more.
    read: Notify,
    state: Mutex<State>,
    waker: Arc<FeedWaker>,
    /// The same, as links wake it.
    woken_by_links: Waker,
    /// Read while a link is given the subscription, written by who drains: so that waits for the end of it.
    installing: RwLock<()>,
}

/// How many links may carry a subscription at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Carriage {
    /// Every link that has the subscription. While two links have it, no message is lost.
    EveryLink,
    /// One link at a time. While it changes, no message is duplicated.
    OneLink,
}

/// The way of a message: an answer goes back over the link on which the question came.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) link: Weak<Link>,
    pub(crate) hub: Weak<Hub>,
}

/// How often the links under a subscription have changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Changes {
    /// A link was added: while there are two, both may deliver the same message.
    pub(crate) joined: u64,
    /// A link went that had not been told to stop, or it is silent: what was on its way there is lost.
    pub(crate) broken: u64,
    /// How many links there are now.
    pub(crate) links: usize,
}

/// The outcome of looking after a subscription.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct LookedAfter {
    /// Messages that are lost because the subscription is not read.
    pub(crate) dropped: u64,
    /// They are the first ones since it was read to its end.
    pub(crate) is_news: bool,
}

impl Feed {
    pub(crate) fn new(
        id: u64,
        subject: Subject,
        queue: Option<String>,
        carriage: Carriage,
        (max_bytes, care): (Option<usize>, Arc<Care>),
    ) -> Self {
        let waker = Arc::new(FeedWaker::new(id, care));
        let state = Mutex::new(State::new(Arc::clone(&waker)));
        let woken_by_links = Waker::from(Arc::clone(&waker));
        Self {
            id,
            subject,
            queue,
            carriage,
            max_bytes: max_bytes.unwrap_or(usize::MAX),
            handling: max_bytes.map(|_| Operations::default()),
            read: Notify::new(),
            state,
            waker,
            woken_by_links,
            installing: RwLock::default(),
        }
    }

    pub(crate) const fn carriage(&self) -> Carriage {
        self.carriage
    }

    /// Subscribes on `link`, unless that was done already.
    pub(crate) async fn install(&self, link: &Arc<Link>, route: &Arc<Route>) -> Result<(), Ended> {
        // Whoever drains takes on no further link, and is not to be waited for.
        let Ok(_installing) = self.installing.try_read() else { return Ok(()) };
        if !self.claim(link.conn, route) {
            return Ok(());
        }
        let subscriber = link.install(self.id, self.subject.clone(), self.queue.clone()).await;
        let mut state = lock(&self.state);
        // A subscriber that is left on a dead link would keep its socket open.
        let wanted = !link.has_ended() && !state.ended;
        let input = state.inputs.iter_mut().find(|input| input.conn == link.conn);
        match (input, subscriber) {
            (Some(input), Ok(subscriber)) if wanted => {
                input.subscriber = Some(subscriber);
                self.waker.look_after();
            }
            (_, result) => {
                state.inputs.retain(|input| input.conn != link.conn);
                state.wake();
                return result.map(drop);
            }
        }
        state.wake();
        Ok(())
    }

    /// Tells the server of this link to send no more; what is on its way still comes in.
    pub(crate) async fn stop(&self, conn: ConnId) {
        let Some(mut taken) = self.take(conn) else { return };
        taken.given_up = true;
        if let Some(subscriber) = &mut taken.subscriber {
            // An error says that the link has ended, which stops it as well.
            let _ = subscriber.unsubscribe_after(NEVER_REACHED).await;
        }
    }

    /// Takes on no further link, and ends once those that carry it have confirmed that nothing more will come.
    pub(crate) async fn drain(&self) {
        lock(&self.state).draining = true;
        // A link that is being given the subscription can be told to stop afterwards.
        drop(self.installing.write().await);
        // At once: one of them may be silent.
        let stopping = self.routes().into_iter().map(|(conn, route)| async move {
            self.stop(conn).await;
            if let Some(link) = route.link.upgrade() {
                // A link that ends now delivers nothing more, either.
                let _ = link.round_trip().await;
            }
        });
        future::join_all(stopping).await;
        self.end();
    }

    /// Traffic was moved to `live` in a hurry: the other links may be silent.
    pub(crate) fn give_up_others(&self, live: ConnId) {
        let mut state = lock(&self.state);
        let others = state.inputs.iter_mut().filter(|input| input.conn != live && !input.given_up);
        let count = others.map(|input| input.given_up = true).count() as u64;
        if count > 0 {
            state.changes.broken += count;
            state.wake();
        }
    }

    /// Parts with a link, and keeps what has come in there. Returns how much of the oldest was too much.
    pub(crate) fn detach(&self, conn: ConnId) -> u64 {
        let mut state = lock(&self.state);
        let Some(index) = state.inputs.iter().position(|input| input.conn == conn) else { return 0 };
        let mut input = state.inputs.remove(index);
        state.changes.broken += u64::from(!input.given_up);
        state.buffered.append(&mut input.buffered);
        let mut excess = 0;
        let come_in = async {
            while let Some(Some(message)) = input.subscriber.as_mut().and_then(|it| it.next().now_or_never())
            {
                match state.kept.has_room_for(&message, self.max_bytes) {
                    true => state.buffered.push_back(Message::new(message, &input.route)),
                    false => excess += 1,
                }
            }
        };
        // Tokio would otherwise make the channel look empty after 128 messages.
        tokio::task::unconstrained(come_in).now_or_never();
        state.wake();
        excess
    }

    /// Moves what has come in to buffers, unless the subscription is being read. To be called when it is
    /// [due](Care::due).
    pub(crate) async fn look_after(&self) -> LookedAfter {
        self.waker.looked_after();
        let moving =
            poll_fn(|_| Poll::Ready(lock(&self.state).look_after(self.max_bytes, &self.woken_by_links)));
        tokio::task::unconstrained(moving).await
    }

    /// The next message, or the end.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Option<Message>> {
        let mut state = lock(&self.state);
        if state.limit.is_some_and(|limit| state.delivered >= limit) {
            state.end();
            state.buffered.clear();
            state.kept = Kept::default();
        }
        state.reading.polls += 1;
        let waking = &mut Context::from_waker(&self.woken_by_links);
        let in_turn = self.queue.is_some();
        let mut message = state.next(waking, in_turn);
        if message.is_none() {
            // One may have come before anybody could be woken.
            self.waker.read_by(cx.waker());
            message = state.next(waking, in_turn);
        }
        state.is_waiting = message.is_none();
        if let Some(message) = message {
            self.waker.look_after();
            if state.ended {
                self.read.notify_waiters();
            }
            return Poll::Ready(Some(self.handled_by_reader(message)));
        }
        if state.ended && state.inputs.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Pending
    }

    /// Ends after `limit` messages in all.
    pub(crate) async fn limit(&self, limit: u64) {
        let (conn, at_server) = {
            let mut state = lock(&self.state);
            state.limit = Some(limit);
            state.wake();
            let left = limit.saturating_sub(state.delivered + state.kept.messages as u64);
            // With two links it is not known which of them delivers how much: the count is then kept here.
            let [input] = state.inputs.as_slice() else { return };
            (input.conn, input.delivered + left)
        };
        let Some(mut taken) = self.take(conn) else { return };
        if let Some(subscriber) = &mut taken.subscriber {
            let _ = subscriber.unsubscribe_after(at_server).await;
        }
    }

    /// No further link will carry it. What has come in is still delivered.
    pub(crate) fn end(&self) {
        let conns: Vec<_> = self.routes().into_iter().map(|(conn, _)| conn).collect();
        for conn in conns {
            self.detach(conn);
        }
        lock(&self.state).end();
    }

    /// As [`end`](Self::end), because a server refused it. Returns `false` if it had ended before.
    pub(crate) fn end_with(&self, error: SubscriptionError) -> bool {
        {
            let mut state = lock(&self.state);
            if state.ended {
                return false;
            }
            state.error = Some(error);
        }
        self.end();
        true
    }

    /// Why it has ended, if a server refused it.
    pub(crate) fn error(&self) -> Option<SubscriptionError> {
        lock(&self.state).error.clone()
    }

    /// The length of the names in its SUB, in bytes.
    pub(crate) fn names_length(&self) -> usize {
        names_length(&self.subject, self.queue.as_deref())
    }

    pub(crate) const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Returns whether it subscribes to this.
    pub(crate) fn is_of(&self, subject: &str, queue: Option<&str>) -> bool {
        self.subject.as_str() == subject && self.queue.as_deref() == queue
    }

    /// How often the links under it have changed; whoever waits for a message is woken by that.
    pub(crate) fn changes(&self) -> Changes {
        let state = lock(&self.state);
        Changes { links: state.inputs.len(), ..state.changes }
    }

    /// The links that carry it.
    pub(crate) fn routes(&self) -> Vec<(ConnId, Arc<Route>)> {
        lock(&self.state).inputs.iter().map(|input| (input.conn, Arc::clone(&input.route))).collect()
    }

    fn claim(&self, conn: ConnId, route: &Arc<Route>) -> bool {
        let mut state = lock(&self.state);
        let free = !state.draining && !state.ended && state.inputs.iter().all(|input| input.conn != conn);
        if free {
            let route = Arc::clone(route);
            let buffered = VecDeque::new();
            state.inputs.push(Input {
                conn,
                route,
                subscriber: None,
                buffered,
                delivered: 0,
                given_up: false,
            });
            state.changes.joined += 1;
        }
        free
    }

    /// Takes the subscriber of a link out, to be used across an await; it returns by itself.
    fn take(&self, conn: ConnId) -> Option<Taken<'_>> {
        let mut state = lock(&self.state);
        let input = state.inputs.iter_mut().find(|input| input.conn == conn)?;
        let subscriber = Some(input.subscriber.take()?);
        Some(Taken { feed: self, conn, subscriber, given_up: false })
    }
}

struct Taken<'a> {
    feed: &'a Feed,
    conn: ConnId,
    subscriber: Option<Subscriber>,
    given_up: bool,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.feed.state);
        if let Some(input) = state.inputs.iter_mut().find(|input| input.conn == self.conn) {
            input.subscriber = self.subscriber.take();
            input.given_up |= self.given_up;
        }
        state.wake();
    }
}

/// A limit that no subscription reaches: the server forgets it at once if it has delivered as much, and
/// async-nats goes on delivering. Its `drain` would drop what is still on its way.
const NEVER_REACHED: u64 = 9_999_999_999;
