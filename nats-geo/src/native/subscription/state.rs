//! The state of a subscription: the messages that its links have delivered, and its buffer of unread messages.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use async_nats::Subscriber;
use futures_util::StreamExt as _;

use super::SubscriptionError;
use super::care::FeedWaker;
use super::feed::{Changes, LookedAfter, Route};
use crate::core::ConnId;
use crate::native::Message;

/// The state of a [`Feed`](super::Feed).
#[derive(Debug)]
pub(super) struct State {
    /// Oldest link first.
    pub(super) inputs: Vec<Input>,
    /// What had come in on links that are gone.
    pub(super) buffered: VecDeque<Message>,
    /// Counts all that is buffered, here and for each input.
    pub(super) kept: Kept,
    pub(super) waker: Arc<FeedWaker>,
    /// How it was read since it was last looked after.
    pub(super) reading: Reading,
    /// The last read found nothing: a message will wake the reader.
    pub(super) is_waiting: bool,
    /// Messages given to the user.
    pub(super) delivered: u64,
    /// End after this many.
    pub(super) limit: Option<u64>,
    /// The input to look at first; moves on in a queue group.
    pub(super) first: usize,
    /// No further link is taken on.
    pub(super) draining: bool,
    /// No further input will come.
    pub(super) ended: bool,
    /// Reason, if a server refused it.
    pub(super) error: Option<SubscriptionError>,
    pub(super) changes: Changes,
}

#[derive(Debug)]
pub(super) struct Input {
    pub(super) conn: ConnId,
    pub(super) route: Arc<Route>,
    /// `None` while it is being installed, or someone has [taken](Feed::take) it.
    pub(super) subscriber: Option<Subscriber>,
    /// Messages that were taken from the subscriber before they could be read.
    pub(super) buffered: VecDeque<Message>,
    /// How many messages the subscriber has given.
    pub(super) delivered: u64,
    /// Nothing is expected of it any more: its server was told to send no more, or traffic was moved away from it
    /// because it is silent.
    pub(super) given_up: bool,
}

/// How a subscription is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    pub(super) polls: usize,
    messages: usize,
    bytes: usize,
}

/// Counts of buffered messages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    pub(super) messages: usize,
    pub(super) bytes: usize,
    /// Some did not fit since the buffers were last empty.
    pub(super) is_full: bool,
}

impl Reading {
    /// Returns whether messages are read so fast, and are so small, that the bound on their number is one on their bytes, too.
    const fn bounds_itself(self, max_bytes: usize) -> bool {
        self.messages >= FAST && self.bytes / self.messages <= max_bytes / BUFFERED_MAX
    }
}

impl Kept {
    /// Counts a message, if there is room for it.
    pub(super) fn has_room_for(&mut self, message: &async_nats::Message, max_bytes: usize) -> bool {
        let bytes = self.bytes.saturating_add(size(message));
        // One message always fits, whatever its size.
        let has_room = self.messages == 0 || bytes <= max_bytes && self.messages < BUFFERED_MAX;
        if has_room {
            (self.messages, self.bytes) = (self.messages + 1, bytes);
        }
        has_room
    }

    pub(super) fn taken(&mut self, message: Message) -> Message {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size(&message));
        self.is_full &= self.messages > 0;
        message
    }
}

/// The memory that a message takes up, in bytes.
fn size(message: &async_nats::Message) -> usize {
    size_of::<Message>() + message.length
}

impl State {
    pub(super) fn new(waker: Arc<FeedWaker>) -> Self {
        Self {
            inputs: Vec::new(),
            buffered: VecDeque::new(),
            kept: Kept::default(),
            waker,
            reading: Reading::default(),
            is_waiting: false,
            delivered: 0,
            limit: None,
            first: 0,
            draining: false,
            ended: false,
            error: None,
            changes: Changes::default(),
        }
    }

    pub(super) fn look_after(&mut self, max_bytes: usize, woken: &Waker) -> LookedAfter {
        let reading = std::mem::take(&mut self.reading);
        if reading.polls > 0 && self.is_waiting {
            return LookedAfter::default();
        }
        if reading.bounds_itself(max_bytes) {
            // It may stop reading at any time.
            self.waker.look_after();
            return LookedAfter::default();
        }
        let cx = &mut Context::from_waker(woken);
        let (kept, mut dropped) = (&mut self.kept, 0);
        for input in &mut self.inputs {
            let Some(subscriber) = &mut input.subscriber else { continue };
            while let Poll::Ready(Some(message)) = subscriber.poll_next_unpin(cx) {
                input.delivered += 1;
                match kept.has_room_for(&message, max_bytes) {
                    true => input.buffered.push_back(Message::new(message, &input.route)),
                    false => dropped += 1,
                }
            }
        }
        let is_news = dropped > 0 && !kept.is_full;
        kept.is_full |= dropped > 0;
        LookedAfter { dropped, is_news }
    }

    pub(super) fn next(&mut self, cx: &mut Context<'_>, in_turn: bool) -> Option<Message> {
        let message = self.take(cx, in_turn)?;
        self.delivered += 1;
        self.reading.messages += 1;
        self.reading.bytes = self.reading.bytes.saturating_add(size(&message));
        Some(message)
    }

    fn take(&mut self, cx: &mut Context<'_>, in_turn: bool) -> Option<Message> {
        if let Some(message) = self.buffered.pop_front() {
            return Some(self.kept.taken(message));
        }
        // A plain subscription drains the oldest link first; a queue group takes from each in turn.
        let mut index = if in_turn { self.first } else { 0 };
        for _ in 0..self.inputs.len() {
            index %= self.inputs.len();
            let input = &mut self.inputs[index];
            if let Some(message) = input.buffered.pop_front() {
                self.first = index + 1;
                return Some(self.kept.taken(message));
            }
            match input.subscriber.as_mut().map(|subscriber| subscriber.poll_next_unpin(cx)) {
                Some(Poll::Ready(Some(message))) => {
                    input.delivered += 1;
                    self.first = index + 1;
                    return Some(Message::new(message, &input.route));
                }
                // The link has ended, or has delivered what it was limited to.
                Some(Poll::Ready(None)) => {
                    let input = self.inputs.remove(index);
                    self.changes.broken += u64::from(!input.given_up);
                }
                Some(Poll::Pending) | None => index += 1,
            }
            if self.inputs.is_empty() {
                return None;
            }
        }
        None
    }

    pub(super) fn has_questions(&self) -> bool {
        let inputs = self.inputs.iter().flat_map(|input| &input.buffered);
        self.buffered.iter().chain(inputs).any(|message| message.reply.is_some())
    }

    pub(super) fn abandon(&mut self) {
        self.end();
        self.buffered.clear();
        self.kept = Kept::default();
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.inputs.clear();
        self.wake();
    }

    pub(super) fn wake(&self) {
        self.waker.wake_reader();
    }
}

/// Messages between two looks, of a reader that is hardly slower than a link. To move messages for it would cost more than they
/// take up.
const FAST: usize = 1_000;

/// As many as async-nats buffers for one subscription by default.
const BUFFERED_MAX: usize = 64 << 10;
