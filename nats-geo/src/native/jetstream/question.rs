//! Requests to JetStream that the client may repeat: after a failed try, and when it leaves a silent link.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use async_nats::{HeaderMap, Message, Subject};
use bytes::Bytes;

use super::Context;
use super::api::Repeat;
use super::publish::{Way, pause_after};
use crate::native::clock::{now, since};
use crate::native::hub::Operation;
use crate::native::request::Sent;
use crate::native::{PublishError, RequestError};

/// One question, and what became of it so far.
#[derive(Debug)]
pub(crate) struct Question<'a, W> {
    context: &'a Context,
    /// A drain waits for the end of it; `None` if it was begun too late.
    operation: Option<Operation>,
    way: W,
    /// Of the last try.
    subject: Subject,
    headers: Option<HeaderMap>,
    payload: Bytes,
    repeat: Repeat,
    started: Instant,
    tries: u32,
    /// Whether a server took the last try.
    is_sent: bool,
    /// Tries that were not waited for, and may be answered yet.
    left_behind: Vec<Sent>,
    /// One of the tries may have been executed, though nobody said so.
    pub(crate) unconfirmed: bool,
}

impl<'a, W: Way> Question<'a, W> {
    /// Not asked yet; the time begins now.
    pub(crate) fn new(
        context: &'a Context,
        way: W,
        headers: Option<HeaderMap>,
        payload: Bytes,
        repeat: Repeat,
    ) -> Self {
        Self {
            operation: context.client().hub().operations.begin(),
            context,
            way,
            subject: Subject::from_static(""),
            headers,
            payload,
            repeat,
            started: now(),
            tries: 0,
            is_sent: false,
            left_behind: Vec::new(),
            unconfirmed: false,
        }
    }

    /// That of the last try.
    pub(crate) const fn subject(&self) -> &Subject {
        &self.subject
    }

    pub(crate) const fn tries(&self) -> u32 {
        self.tries
    }

    pub(crate) fn waited(&self) -> Duration {
        since(self.started)
    }

    /// Asks once more. What does no harm twice is asked again before there is an answer: where traffic goes now, if it left the
    /// link in a hurry, because that is probably silent; and after a pause that doubles, because a gateway that was cut
    /// takes questions and answers along. Whichever answer comes first counts.
    pub(crate) async fn ask(&mut self) -> Result<Message, RequestError> {
        if self.operation.is_none() {
            return Err(PublishError::Closed.into());
        }
        let mut left_behind = std::mem::take(&mut self.left_behind);
        let answer = loop {
            match self.try_once(&mut left_behind).await {
                Ok(Progress::Answered(answer)) => break Ok(answer),
                Ok(Progress::Left(sent)) => left_behind.push(sent),
                Err(error) => break Err(error),
            }
            self.unconfirmed = true;
        };
        self.left_behind = left_behind;
        answer
    }

    /// Waits before the next try, and says whether there may be one.
    pub(crate) async fn may_ask_again(&self) -> bool {
        let pause = pause_after(self.tries);
        let options = &self.context.options;
        let may = self.tries < options.tries_max && self.waited() + pause < options.total_timeout;
        if may {
            tokio::time::sleep(pause).await;
        }
        may
    }

    async fn try_once(&mut self, left_behind: &mut Vec<Sent>) -> Result<Progress, RequestError> {
        let options = &self.context.options;
        let waited = options.try_timeout.min(options.total_timeout.saturating_sub(self.waited()));
        let unanswered = u32::try_from(left_behind.len()).unwrap_or(u32::MAX);
        let pause =
            Some(UNANSWERED_PAUSE.saturating_mul(2_u32.saturating_pow(unanswered))).filter(|it| *it < waited);
        let answer = {
            let mut answer = std::pin::pin!(tokio::time::timeout(waited, self.send_and_wait(pause)));
            std::future::poll_fn(|cx| match poll_answer(left_behind, cx) {
                Poll::Ready(answer) => Poll::Ready(Ok(Ok(Progress::Answered(answer)))),
                Poll::Pending => answer.as_mut().poll(cx),
            })
            .await
        };
        answer.unwrap_or_else(|_elapsed| Err(RequestError::late(self.is_sent, waited)))
    }

    async fn send_and_wait(&mut self, pause: Option<Duration>) -> Result<Progress, RequestError> {
        self.tries += 1;
        self.is_sent = false;
        self.subject = self.way.subject().await;
        let client = self.context.client();
        let mut sent = client.send(self.subject.clone(), self.headers.clone(), self.payload.clone()).await?;
        self.is_sent = true;
        let may_repeat = self.repeat == Repeat::Harmless && self.tries < self.context.options.tries_max;
        let left = sent.left();
        tokio::select! {
            biased;
            answer = sent.answer() => answer.map(Progress::Answered),
            () = left, if may_repeat => Ok(Progress::Left(sent)),
            () = tokio::time::sleep(pause.unwrap_or_default()), if may_repeat && pause.is_some() => Ok(Progress::Left(sent)),
        }
    }
}

/// Without an answer, what does no harm twice is asked again after this, then after twice as long and so on: what TCP begins
/// with where it knows no round trip (RFC 6298), and several times what a stream on the other side of the world takes.
const UNANSWERED_PAUSE: Duration = Duration::from_secs(1);

/// How far a try has come.
enum Progress {
    Answered(Message),
    /// Traffic left its link in a hurry, or it takes long; an answer may come all the same.
    Left(Sent),
}

/// The answer to a try that was left behind. One that fails is forgotten: another one is on its way.
fn poll_answer(left_behind: &mut Vec<Sent>, cx: &mut TaskContext<'_>) -> Poll<Message> {
    let mut answered = None;
    left_behind.retain_mut(|sent| match Pin::new(sent).poll(cx) {
        Poll::Pending => true,
        Poll::Ready(answer) => {
            answered = answered.take().or_else(|| answer.ok());
            false
        }
    });
    answered.map_or(Poll::Pending, Poll::Ready)
}
