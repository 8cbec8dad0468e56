//! Publishes of a link that the server has not confirmed.

use async_nats::message::OutboundMessage;

use super::recent::Recent;

/// The messages of one link in the order in which they entered its command channel. A PONG confirms what
/// entered before its PING; what a dead link had not taken from the channel was never written.
#[derive(Debug)]
pub(crate) struct Unconfirmed {
    recent: Recent,
    /// All that ever entered, in the sense of `Statistics::out_messages`.
    entered: u64,
    /// All publishes that ever entered.
    published: u64,
    /// The publishes among them that a PONG has confirmed.
    confirmed: u64,
}

/// What enters the command channel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entered<'a> {
    Publish(&'a OutboundMessage),
    /// A publish that is to arrive at least once.
    KeptElsewhere,
    /// What is not to be sent again: a request, a ping.
    Other,
}

/// A moment in the life of a link, taken when a PING enters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Mark {
    entered: u64,
    published: u64,
}

/// What became of a dead link's publishes.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Never written to the socket: safe to send elsewhere.
    pub(crate) unwritten: Vec<OutboundMessage>,
    /// How many publishes were written, but not confirmed: each may have arrived or not.
    pub(crate) unconfirmed_count: u64,
}

impl Mark {
    /// The number of the last message that had entered.
    pub(crate) const fn entered(self) -> u64 {
        self.entered
    }
}

impl Unconfirmed {
    /// Keeps the newest `keep` messages.
    pub(crate) const fn new(keep: usize) -> Self {
        Self { recent: Recent::new(keep), entered: 0, published: 0, confirmed: 0 }
    }

    /// A message has entered the command channel.
    pub(crate) fn enter(&mut self, what: Entered<'_>) {
        self.entered += 1;
        self.published += u64::from(!matches!(what, Entered::Other));
        self.recent.push(match what {
            Entered::Publish(message) => Some(message),
            Entered::KeptElsewhere | Entered::Other => None,
        });
    }

    /// The last message did not enter after all. Gives it back, if it was to be sent again.
    pub(crate) fn return_to(&mut self, before: Mark) -> Option<OutboundMessage> {
        (self.entered, self.published) = (before.entered, before.published);
        self.recent.pop_newest()
    }

    /// All that has entered up to now.
    pub(crate) fn mark(&self) -> Mark {
        Mark { entered: self.entered, published: self.published }
    }

    /// Whatever had entered at `mark` has reached the server.
    pub(crate) fn confirm(&mut self, mark: Mark) {
        self.confirmed = self.confirmed.max(mark.published);
        let still = usize::try_from(self.entered - mark.entered).unwrap_or(usize::MAX);
        self.recent.keep_newest(still);
    }

    /// Returns whether any publish waits for its confirmation.
    pub(crate) fn is_pending(&self) -> bool {
        self.published > self.confirmed
    }

    /// The link is dead, and had taken `taken` messages from its command channel.
    pub(crate) fn settle(&mut self, taken: u64) -> Settled {
        let waiting = usize::try_from(self.entered.saturating_sub(taken)).unwrap_or(usize::MAX);
        self.recent.keep_newest(waiting);
        let unwritten = self.recent.drain();
        let unconfirmed_count = (self.published - self.confirmed).saturating_sub(unwritten.len() as u64);
        self.confirmed = self.published;
        Settled { unwritten, unconfirmed_count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(unconfirmed: &mut Unconfirmed, payload: &'static str) {
        let message =
            OutboundMessage { subject: "a".into(), reply: None, payload: payload.into(), headers: None };
        unconfirmed.enter(Entered::Publish(&message));
    }

    fn payloads(messages: &[OutboundMessage]) -> Vec<&str> {
        messages.iter().map(|message| std::str::from_utf8(&message.payload).unwrap()).collect()
    }

    #[test]
    fn what_was_never_taken_is_apart_from_what_is_unconfirmed() {
        let mut unconfirmed = Unconfirmed::new(10);
        publish(&mut unconfirmed, "confirmed");
        let mark = unconfirmed.mark();
        unconfirmed.enter(Entered::Other);
        publish(&mut unconfirmed, "taken");
        publish(&mut unconfirmed, "waiting");
        unconfirmed.confirm(mark);

        let settled = unconfirmed.settle(3);
        assert_eq!(payloads(&settled.unwritten), ["waiting"]);
        assert_eq!(settled.unconfirmed_count, 1);
        assert_eq!(unconfirmed.settle(3).unconfirmed_count, 0, "a second time there is nothing left");
    }

    #[test]
    fn what_was_not_kept_is_still_counted() {
        let mut unconfirmed = Unconfirmed::new(2);
        for payload in ["1", "2", "3", "4"] {
            publish(&mut unconfirmed, payload);
        }
        let settled = unconfirmed.settle(3);
        assert_eq!(payloads(&settled.unwritten), ["4"]);
        assert_eq!(settled.unconfirmed_count, 3);
    }

    #[test]
    fn what_did_not_enter_after_all_leaves_no_trace() {
        let mut unconfirmed = Unconfirmed::new(3);
        publish(&mut unconfirmed, "1");
        publish(&mut unconfirmed, "2");
        let before = unconfirmed.mark();
        publish(&mut unconfirmed, "3");
        assert_eq!(payloads(unconfirmed.return_to(before).as_slice()), ["3"]);
        let settled = unconfirmed.settle(0);
        assert_eq!(payloads(&settled.unwritten), ["1", "2"]);
        assert_eq!(settled.unconfirmed_count, 0);
    }

    #[test]
    fn marks_confirm_in_any_order() {
        let mut unconfirmed = Unconfirmed::new(10);
        publish(&mut unconfirmed, "1");
        let first = unconfirmed.mark();
        publish(&mut unconfirmed, "2");
        let second = unconfirmed.mark();
        unconfirmed.confirm(second);
        unconfirmed.confirm(first);
        assert_eq!(unconfirmed.settle(2).unconfirmed_count, 0);
    }
}
