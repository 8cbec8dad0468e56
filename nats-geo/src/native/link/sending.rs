//! This module sends on a link. It writes to the command channel of async-nats, and records publishes as unconfirmed.

use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker, ready};

use async_nats::PublishErrorKind;
use async_nats::client::traits::Publisher as _;
use async_nats::message::OutboundMessage;

use super::unconfirmed::{Entered, Mark};
use super::{Link, State};
use crate::core::ConnId;
use crate::native::lines::names_length;
use crate::native::resend::ResendBuffer;

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
    /// A publish with this id among those that are [kept](ResendBuffer): sent again already.
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
        // The lock makes the order of the books that of the channel.
        let mut unconfirmed = self.state.unconfirmed();
        if !self.takes(kind) {
            return Ok(None);
        }
        let kept = self.state.kept_for(kind);
        let Some(message) = slot.take_if(|message| kept.is_none_or(|kept| kept.has_room_for(message))) else {
            return Ok(None);
        };
        self.state.sends_names(names_length(&message.subject, message.reply.as_deref()));
        // The books have a copy of what is in them only.
        let copy = (kind != Kind::Publish || kept.is_some()).then(|| message.clone());
        let before = unconfirmed.mark();
        unconfirmed.enter(self.state.entered(kind, &message));
        // Polled once in place: `now_or_never` would move the future, which is larger still.
        let publish = std::pin::pin!(self.client.publish_message(message));
        let refusal = match publish.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => {
                let mark = unconfirmed.mark();
                self.state.keep(copy, kind, self.conn, mark.entered());
                return Ok(Some(mark));
            }
            Poll::Ready(Err(error)) => {
                Some(self.refusal(error.kind())).filter(|refusal| *refusal != Refusal::Ended)
            }
            // There is no room.
            Poll::Pending => None,
        };
        let entered = unconfirmed.return_to(before);
        *slot = copy.or(entered);
        refusal.map_or(Ok(None), Err)
    }

    /// Waits for room in the command channel, then puts the message there. Cancelling it leaves nothing
    /// behind.
    pub(crate) async fn push(&self, message: &OutboundMessage, kind: Kind) -> Result<Mark, Refusal> {
        if let Some(mark) = self.offer(&mut Some(message.clone()), kind)? {
            return Ok(mark);
        }
        tokio::select! {
            pushed = self.push_later(message, kind) => pushed,
            () = self.ended() => Err(Refusal::Ended),
        }
    }

    async fn push_later(&self, message: &OutboundMessage, kind: Kind) -> Result<Mark, Refusal> {
        loop {
            if let Some(kept) = self.state.kept_for(kind) {
                kept.room_for(message).await;
            }
            let mut publish = std::pin::pin!(self.client.publish_message(message.clone()));
            let entered = std::future::poll_fn(|cx| {
                let mut unconfirmed = self.state.unconfirmed();
                if !self.takes(kind) {
                    return Poll::Ready(Err(Refusal::Ended));
                }
                if self.state.kept_for(kind).is_some_and(|kept| !kept.has_room_for(message)) {
                    return Poll::Ready(Ok(None));
                }
                ready!(publish.as_mut().poll(cx)).map_err(|error| self.refusal(error.kind()))?;
                self.state.sends_names(names_length(&message.subject, message.reply.as_deref()));
                unconfirmed.enter(self.state.entered(kind, message));
                let mark = unconfirmed.mark();
                self.state.keep(Some(message.clone()), kind, self.conn, mark.entered());
                Poll::Ready(Ok(Some(mark)))
            });
            // Without a mark, somebody else has taken the room.
            if let Some(mark) = entered.await? {
                return Ok(mark);
            }
        }
    }

    /// Returns whether this may be sent now.
    fn takes(&self, kind: Kind) -> bool {
        kind == Kind::Ping || !self.state.closing.load(Ordering::Relaxed)
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
    /// Where a new message of this kind is kept, if it is.
    fn kept_for(&self, kind: Kind) -> Option<&ResendBuffer> {
        self.kept.as_deref().filter(|_| kind == Kind::Publish)
    }

    /// What the books say of it.
    fn entered<'a>(&self, kind: Kind, message: &'a OutboundMessage) -> Entered<'a> {
        match kind {
            Kind::Request | Kind::Ping => Entered::Other,
            Kind::Publish | Kind::Again(_) if self.kept.is_some() => Entered::KeptElsewhere,
            Kind::Publish | Kind::Again(_) => Entered::Publish(message),
        }
    }

    /// A message has entered the command channel under this number.
    fn keep(&self, message: Option<OutboundMessage>, kind: Kind, conn: ConnId, number: u64) {
        match (&self.kept, kind, message) {
            (Some(kept), Kind::Again(id), _) => kept.adopted(id, conn, number),
            (Some(kept), Kind::Publish, Some(message)) => kept.published(message, conn, number),
            _ => return,
        }
        self.published.notify_one();
    }
}
