//! The requests of a link that wait for answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::{Message, Subject};
use tokio::sync::{Notify, oneshot};

use crate::wire::Denied;

/// The answers awaited on one link. Each has a subject of its own below the link's inbox.
///
/// async-nats has the same for its own requests, but forgets no entry when a request times out
/// (nats.rs#1617), and cannot tell who waits when a link dies.
#[derive(Debug)]
pub(crate) struct Replies {
    /// The link's inbox with its final dot.
    prefix: String,
    waiting: Mutex<Waiting>,
    /// Told when a request no longer waits.
    fewer: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    requests: BTreeMap<u64, Request>,
    round_trips: BTreeMap<u64, oneshot::Sender<RoundTrip>>,
    /// The link is dead: nobody will answer.
    closed: bool,
    /// The server refuses the subscription to the inbox: no reply can arrive here.
    deaf: bool,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Request {
    subject: Subject,
    answer: oneshot::Sender<Answer>,
}

/// The outcome of a request: a message, or the server's refusal to publish it.
#[derive(Debug)]
pub(crate) enum Answer {
    Message(Message),
    /// The server's words.
    Denied(String),
}

/// What came back of a round trip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RoundTrip {
    /// The server delivered our own message to us.
    Echo,
    /// The server answered, but not by an echo: with 503, or with what it knows about the user.
    Answer,
    /// The server answered that this is not allowed.
    Refused,
}

/// An awaited answer; whoever drops it no longer waits.
#[derive(Debug)]
pub(crate) struct Awaited<T> {
    pub(crate) reply: Subject,
    pub(crate) answer: oneshot::Receiver<T>,
    token: u64,
    replies: Arc<Replies>,
}

impl Replies {
    /// Nobody waits yet. `inbox` is a subject that nobody else uses.
    pub(crate) fn new(inbox: &str) -> Self {
        Self { prefix: format!("{inbox}."), waiting: Mutex::default(), fewer: Notify::new() }
    }

    /// What the link subscribes to.
    pub(crate) fn subject(&self) -> String {
        format!("{}*", self.prefix)
    }

    /// Waits for the answer to a request to `subject`.
    pub(crate) fn await_request(self: &Arc<Self>, subject: &Subject) -> Awaited<Answer> {
        let subject = subject.clone();
        self.register(|waiting, token, answer| {
            _ = waiting.requests.insert(token, Request { subject, answer })
        })
    }

    /// Waits for the end of a round trip.
    pub(crate) fn await_round_trip(self: &Arc<Self>) -> Awaited<RoundTrip> {
        self.register(|waiting, token, answer| _ = waiting.round_trips.insert(token, answer))
    }

    /// Returns once no request waits for an answer.
    pub(crate) async fn no_requests(&self) {
        loop {
            let fewer = self.fewer.notified();
            if self.requests() == 0 {
                return;
            }
            fewer.await;
        }
    }

    fn requests(&self) -> usize {
        self.lock().requests.len()
    }

    /// Returns whether replies can arrive at all.
    pub(crate) fn is_deaf(&self) -> bool {
        self.lock().deaf
    }

    /// A message came in at the inbox.
    pub(crate) fn deliver(&self, message: Message) {
        let Some(token) = self.token(&message.subject) else { return };
        let mut waiting = self.lock();
        if let Some(request) = waiting.requests.remove(&token) {
            // Whoever waited may have given up by now.
            let _ = request.answer.send(Answer::Message(message));
        } else if let Some(round_trip) = waiting.round_trips.remove(&token) {
            let echo = message.reply.as_ref() == Some(&message.subject);
            let _ = round_trip.send(if echo { RoundTrip::Echo } else { RoundTrip::Answer });
        }
    }

    /// The server denies an operation. If it names a subject of a round trip, it has answered that one; if it names the
    /// subject of requests, they fail. Returns whether the operation was the link's own.
    pub(crate) fn denied(&self, denied: &Denied, text: &str) -> bool {
        let mut waiting = self.lock();
        match denied {
            Denied::Subscription { subject, .. } if *subject == self.subject() => {
                waiting.deaf = true;
                waiting.requests.clear();
                waiting.refuse_all();
                true
            }
            Denied::Publish { subject } if subject == USER_INFO => {
                waiting.refuse_all();
                true
            }
            Denied::Publish { subject } => match self.token(subject) {
                Some(token) => {
                    if let Some(round_trip) = waiting.round_trips.remove(&token) {
                        let _ = round_trip.send(RoundTrip::Refused);
                    }
                    true
                }
                None => {
                    waiting.deny(text, |_, request| request.subject.as_str() == subject);
                    false
                }
            },
            Denied::Reply { reply } => {
                let token = self.token(reply);
                waiting.deny(text, |it, _| Some(it) == token);
                false
            }
            Denied::Subscription { .. } => false,
        }
    }

    /// The link is dead: whoever waits is told so at once.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.requests.clear();
        waiting.round_trips.clear();
    }

    fn register<T>(self: &Arc<Self>, wait: impl FnOnce(&mut Waiting, u64, oneshot::Sender<T>)) -> Awaited<T> {
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.lock();
        let token = waiting.next;
        waiting.next += 1;
        // On a dead link the sender is dropped here, which ends the wait.
        if !waiting.closed {
            wait(&mut waiting, token, sender);
        }
        drop(waiting);
        let reply = Subject::from(format!("{}{token}", self.prefix));
        Awaited { reply, answer, token, replies: Arc::clone(self) }
    }

    fn token(&self, subject: &str) -> Option<u64> {
        subject.strip_prefix(&self.prefix)?.parse().ok()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Fails these requests: the server did not pass them on.
    fn deny(&mut self, text: &str, is_denied: impl Fn(u64, &Request) -> bool) {
        let requests = std::mem::take(&mut self.requests).into_iter();
        let (denied, others) = requests.partition::<BTreeMap<_, _>, _>(|(token, it)| is_denied(*token, it));
        self.requests = others;
        for request in denied.into_values() {
            let _ = request.answer.send(Answer::Denied(text.to_owned()));
        }
    }

    fn refuse_all(&mut self) {
        for round_trip in std::mem::take(&mut self.round_trips).into_values() {
            let _ = round_trip.send(RoundTrip::Refused);
        }
    }
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        let mut waiting = self.replies.lock();
        waiting.requests.remove(&self.token);
        waiting.round_trips.remove(&self.token);
        drop(waiting);
        // Whoever got an answer drops this, too.
        self.replies.fewer.notify_waiters();
    }
}

/// Answered by the server itself (2.10 and later; older ones answer 503), whoever else listens.
pub(crate) const USER_INFO: &str = "$SYS.REQ.USER.INFO";

#[cfg(test)]
mod tests {
    use super::*;

    fn message(subject: &Subject, reply: Option<&Subject>) -> Message {
        Message {
            subject: subject.clone(),
            reply: reply.cloned(),
            payload: "x".into(),
            headers: None,
            status: None,
            description: None,
            length: 1,
        }
    }

    #[test]
    fn an_answer_reaches_who_waits_and_nobody_else() {
        let replies = Arc::new(Replies::new("_INBOX.a"));
        let (mut first, mut second) =
            (replies.await_request(&"price".into()), replies.await_request(&"price".into()));
        replies.deliver(message(&second.reply, None));
        let Ok(Answer::Message(answer)) = second.answer.try_recv() else { panic!("the answer") };
        assert_eq!(answer.subject, second.reply);
        assert!(first.answer.try_recv().is_err());
        assert_eq!(replies.requests(), 1);
        drop(first);
        assert_eq!(replies.requests(), 0, "whoever gives up is forgotten");
    }

    #[test]
    fn an_echo_is_told_from_other_answers() {
        let replies = Arc::new(Replies::new("_INBOX.a"));
        let (mut echoed, mut answered) = (replies.await_round_trip(), replies.await_round_trip());
        replies.deliver(message(&echoed.reply, Some(&echoed.reply)));
        replies.deliver(message(&answered.reply, None));
        assert_eq!(echoed.answer.try_recv(), Ok(RoundTrip::Echo));
        assert_eq!(answered.answer.try_recv(), Ok(RoundTrip::Answer));
    }

    #[test]
    fn a_refusal_is_an_answer_to_what_it_names() {
        let replies = Arc::new(Replies::new("_INBOX.a"));
        let (mut first, mut second) = (replies.await_round_trip(), replies.await_round_trip());
        let denied = |text: String| {
            let text = format!("Permissions Violation for {text}");
            replies.denied(&Denied::parse(&text).unwrap(), &text)
        };
        assert!(denied(format!("Publish to \"{}\"", first.reply)));
        assert_eq!(first.answer.try_recv(), Ok(RoundTrip::Refused));
        assert!(second.answer.try_recv().is_err());
        assert!(denied("Subscription to \"_INBOX.a.*\"".into()));
        assert_eq!(second.answer.try_recv(), Ok(RoundTrip::Refused));
        assert!(replies.is_deaf());
    }

    #[test]
    fn a_request_that_is_denied_fails_and_others_wait() {
        let replies = Arc::new(Replies::new("_INBOX.a"));
        let [mut price, mut stock, mut other] =
            ["price", "stock", "stock"].map(|subject| replies.await_request(&subject.into()));
        let denied = |denied: Denied| replies.denied(&denied, "no");
        assert!(!denied(Denied::Publish { subject: "price".into() }));
        assert!(!denied(Denied::Reply { reply: stock.reply.to_string() }));
        assert!(matches!(price.answer.try_recv(), Ok(Answer::Denied(text)) if text == "no"));
        assert!(matches!(stock.answer.try_recv(), Ok(Answer::Denied(_))));
        assert!(other.answer.try_recv().is_err());
        assert_eq!(replies.requests(), 1);
    }

    #[test]
    fn nobody_waits_for_a_dead_link() {
        let replies = Arc::new(Replies::new("_INBOX.a"));
        let mut before = replies.await_request(&"price".into());
        replies.close();
        let mut after = replies.await_request(&"price".into());
        assert!(matches!(before.answer.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert!(matches!(after.answer.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
    }
}
