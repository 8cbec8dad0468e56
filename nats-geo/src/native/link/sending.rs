//! What goes out on a link: into the command channel of async-nats, and into the books of what is not confirmed.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use async_nats::PublishErrorKind;
use async_nats::client::traits::Publisher as _;
use async_nats::message::OutboundMessage;
use futures_util::Sink as _;

use super::unconfirmed::{Entered, Mark, Unconfirmed};
use super::{Link, State};
use crate::core::ConnId;

/// Why a link did not take a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// The link has ended.
    Ended,
    /// Larger than the server accepts.
    TooLarge { limit: usize },
}

/// Whether a message may be sent again on another link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A publish: yes, if it was never written, or if it is to arrive at least once.
    Publish,
    /// A publish with this id among those that are [kept](Kept): sent again already.
    Again(u64),
    /// A request: no, its answer would go to the dead link's inbox.
    Request,
    /// A PING of our own: no; it is taken even by a link that is being closed.
    Ping,
}

impl Link {
    /// Puts the message into the command channel if there is room: it is then taken out of `slot`. Never
    /// waits. By reference, because a message is large and this is the fast path of publishing.
    pub(crate) fn offer(
        &self,
        slot: &mut Option<OutboundMessage>,
        kind: Kind,
    ) -> Result<Option<Mark>, Refusal> {
        let Some(message) = &*slot else { return Ok(None) };
        // The lock makes the order of the copies that of the channel.
        let mut unconfirmed = self.state.unconfirmed();
        if kind != Kind::Ping && self.state.closing.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if !self.state.has_room_for(message, kind) {
            return Ok(None);
        }
        // Polled once in place: `now_or_never` would move the future, which is larger still.
        let publish = std::pin::pin!(self.client.publish_message(message.clone()));
        match publish.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Ok(None),
            Poll::Ready(Ok(())) => {
                self.state.enter(&mut unconfirmed, slot.take(), kind, self.conn);
                Ok(Some(unconfirmed.mark()))
            }
            Poll::Ready(Err(error)) => match self.refusal(error.kind()) {
                Refusal::Ended => Ok(None),
                refusal => Err(refusal),
            },
        }
    }

    /// Waits for room in the command channel, then puts the message there. Cancelling it leaves nothing
    /// behind.
    pub(crate) async fn push(&self, message: &OutboundMessage, kind: Kind) -> Result<Mark, Refusal> {
        if let Some(mark) = self.offer(&mut Some(message.clone()), kind)? {
            return Ok(mark);
        }
        if kind != Kind::Ping && self.state.closing.load(Ordering::Relaxed) {
            return Err(Refusal::Ended);
        }
        loop {
            let mut client = self.client.clone();
            let ready = async {
                self.state.room_for(message, kind).await;
                std::future::poll_fn(|cx| Pin::new(&mut client).poll_ready(cx)).await
            };
            tokio::select! {
                ready = ready => ready.map_err(|error| self.refusal(error.kind()))?,
                () = self.ended() => return Err(Refusal::Ended),
            }
            let mut unconfirmed = self.state.unconfirmed();
            // Somebody else may have been quicker.
            if self.state.has_room_for(message, kind) {
                Pin::new(&mut client)
                    .start_send(message.clone())
                    .map_err(|error| self.refusal(error.kind()))?;
                self.state.enter(&mut unconfirmed, Some(message.clone()), kind, self.conn);
                return Ok(unconfirmed.mark());
            }
        }
    }

    fn refusal(&self, kind: PublishErrorKind) -> Refusal {
        match kind {
            PublishErrorKind::MaxPayloadExceeded => Refusal::TooLarge { limit: self.client.max_payload() },
            // Subjects are checked before they get here.
            PublishErrorKind::InvalidSubject | PublishErrorKind::Send => Refusal::Ended,
        }
    }
}

impl State {
    /// Whether a message may be kept, if it is to be.
    fn has_room_for(&self, message: &OutboundMessage, kind: Kind) -> bool {
        let kept = self.kept.as_ref().filter(|_| kind == Kind::Publish);
        kept.is_none_or(|kept| kept.has_room_for(message))
    }

    async fn room_for(&self, message: &OutboundMessage, kind: Kind) {
        if let Some(kept) = self.kept.as_ref().filter(|_| kind == Kind::Publish) {
            kept.room_for(message).await;
        }
    }

    /// A message has entered the command channel.
    fn enter(
        &self,
        unconfirmed: &mut Unconfirmed,
        message: Option<OutboundMessage>,
        kind: Kind,
        conn: ConnId,
    ) {
        let is_publish = matches!(kind, Kind::Publish | Kind::Again(_));
        let Some(kept) = self.kept.as_ref().filter(|_| is_publish) else {
            return unconfirmed
                .enter(message.filter(|_| is_publish).map_or(Entered::Other, Entered::Publish));
        };
        unconfirmed.enter(Entered::KeptElsewhere);
        let number = unconfirmed.mark().entered();
        match (kind, message) {
            (Kind::Again(id), _) => kept.adopted(id, conn, number),
            (_, Some(message)) => kept.published(message, conn, number),
            (_, None) => {}
        }
        self.published.notify_one();
    }
}
