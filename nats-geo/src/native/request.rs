//! This module sends requests and waits for their answers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_nats::client::traits;
use async_nats::message::OutboundMessage;
use async_nats::subject::ToSubject;
use async_nats::{HeaderMap, Message, Request, RequestErrorKind, StatusCode, Subject};
use bytes::Bytes;
use tokio::sync::watch;

use super::GeoClient;
use super::PublishError;
use super::hub::{Hub, NotSent};
use super::lines::check_publish;
use super::link::{Answer, Awaited, Kind, Refusal};
use super::publish::{check, outbound, size};

impl GeoClient {
    /// Sends a request on the active link, and waits for the answer for at most
    /// [`GeoOptions::request_timeout`](super::GeoOptions::request_timeout). The client sends a request only once, because
    /// only the application knows whether a repetition is safe.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), nats_geo::RequestError> {
    /// let answer = client.request("price.lamp", "".into()).await?;
    /// println!("{:?}", answer.payload);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No answer arrived. The documentation of each variant of [`RequestError`] says whether the request may have been
    /// executed.
    pub async fn request(&self, subject: impl ToSubject, payload: Bytes) -> Result<Message, RequestError> {
        self.ask(outbound(subject, None, None, payload), self.hub().limits.request_timeout).await
    }

    /// Sends a request with headers, like [`request`](Self::request).
    ///
    /// # Errors
    /// The same as [`request`](Self::request).
    pub async fn request_with_headers(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Message, RequestError> {
        self.ask(outbound(subject, None, Some(headers), payload), self.hub().limits.request_timeout).await
    }

    /// Sends a request, like [`request`](Self::request). The request can have its own time limit. [`Request::inbox`] has
    /// no effect, because every link has its own inbox.
    ///
    /// # Errors
    /// The same as [`request`](Self::request).
    pub async fn send_request(
        &self,
        subject: impl ToSubject,
        request: Request,
    ) -> Result<Message, RequestError> {
        let limit = request.timeout.unwrap_or(self.hub().limits.request_timeout);
        self.ask(outbound(subject, None, request.headers, request.payload.unwrap_or_default()), limit).await
    }

    async fn ask(&self, request: OutboundMessage, limit: Option<Duration>) -> Result<Message, RequestError> {
        // A drain waits for the answer.
        let _operation = self.hub().operations.begin().ok_or(PublishError::Closed)?;
        let mut is_sent = false;
        let answer = async {
            let mut sent = send(self.hub(), request).await?;
            is_sent = true;
            sent.answer().await
        };
        let Some(waited) = limit else { return answer.await };
        let answer = tokio::time::timeout(waited, answer).await;
        answer.unwrap_or_else(|_elapsed| Err(RequestError::late(is_sent, waited)))
    }

    /// Sends a request, for callers that wait for the answer in their own way.
    pub(crate) async fn send(
        &self,
        subject: Subject,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<Sent, RequestError> {
        send(self.hub(), outbound(subject, None, headers, payload)).await
    }
}

impl traits::Requester for GeoClient {
    async fn send_request<S: ToSubject>(
        &self,
        subject: S,
        request: Request,
    ) -> Result<Message, async_nats::RequestError> {
        Ok(Self::send_request(self, subject, request).await?)
    }
}

impl traits::TimeoutProvider for GeoClient {
    fn timeout(&self) -> Option<Duration> {
        self.hub().limits.request_timeout
    }
}

/// Reason why a request has no reply.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The client did not send the request.
    #[error("not sent: {0}")]
    NotSent(#[from] PublishError),
    /// No responder listens on the subject. The request was not executed.
    #[error("no responder listens on `{subject}`; start the service, or check the subject")]
    NoResponders {
        /// The subject.
        subject: String,
    },
    /// The server does not permit this user to publish to the subject. The request was not executed.
    #[error("the server denied the request to `{subject}`: {text}; permit this user to publish there")]
    Denied {
        /// The subject.
        subject: String,
        /// The server's error.
        text: String,
    },
    /// No answer arrived in time. The request may have been executed.
    #[error("no answer within {waited:?}; the request may have been executed")]
    TimedOut {
        /// The time limit.
        waited: Duration,
    },
    /// The link of the request was lost. The request may have been executed.
    #[error("the connection was lost; the request may have been executed")]
    LinkLost,
    /// The server does not permit this user to subscribe to inboxes, so no answer could arrive. The client did not send
    /// the request.
    #[error("this user may not subscribe to its inbox, so no answer could arrive; permit `_INBOX.>`")]
    NoInbox,
}

impl RequestError {
    /// After the time limit: nobody can have executed a request that no server took.
    pub(crate) fn late(is_sent: bool, waited: Duration) -> Self {
        if is_sent { Self::TimedOut { waited } } else { PublishError::Unavailable { waited }.into() }
    }
}

impl From<RequestError> for async_nats::RequestError {
    fn from(error: RequestError) -> Self {
        let kind = match &error {
            RequestError::NotSent(PublishError::BadSubject { .. } | PublishError::TooLong(_)) => {
                RequestErrorKind::InvalidSubject
            }
            RequestError::NotSent(PublishError::TooLarge { .. }) => RequestErrorKind::MaxPayloadExceeded,
            RequestError::NoResponders { .. } => RequestErrorKind::NoResponders,
            RequestError::TimedOut { .. } => RequestErrorKind::TimedOut,
            RequestError::NotSent(_)
            | RequestError::Denied { .. }
            | RequestError::LinkLost
            | RequestError::NoInbox => RequestErrorKind::Other,
        };
        Self::with_source(kind, error)
    }
}

/// A request that is on its way.
#[derive(Debug)]
pub(crate) struct Sent {
    subject: Subject,
    awaited: Awaited<Answer>,
    /// Whether traffic has left its silent link.
    left: watch::Receiver<bool>,
}

impl Sent {
    /// The answer.
    pub(crate) async fn answer(&mut self) -> Result<Message, RequestError> {
        Pin::new(self).await
    }

    /// Waits until traffic has left the link without draining it: it may be silent.
    pub(crate) fn left(&self) -> impl Future<Output = ()> + use<> {
        let mut left = self.left.clone();
        async move {
            if left.wait_for(|left| *left).await.is_err() {
                // The link is gone, which ends the wait for the answer.
                std::future::pending().await
            }
        }
    }
}

impl Future for Sent {
    type Output = Result<Message, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer =
            ready!(Pin::new(&mut self.awaited.answer).poll(cx)).map_err(|_| RequestError::LinkLost)?;
        let answer = match answer {
            Answer::Message(answer) => answer,
            Answer::Denied(text) => {
                let subject = self.subject.to_string();
                return Poll::Ready(Err(RequestError::Denied { subject, text }));
            }
        };
        Poll::Ready(match answer.status {
            Some(StatusCode::NO_RESPONDERS) => {
                Err(RequestError::NoResponders { subject: self.subject.to_string() })
            }
            _ => Ok(answer),
        })
    }
}

async fn send(hub: &Hub, mut request: OutboundMessage) -> Result<Sent, RequestError> {
    let limit = hub.max_control_line();
    check(&request, limit)?;
    let size = size(&request);
    let failed = |why: NotSent| PublishError::new(why, size, hub.limits.publish_wait);
    loop {
        let link = hub.live().await.map_err(failed)?;
        if link.is_deaf() {
            return Err(RequestError::NoInbox);
        }
        let awaited = link.await_request(&request.subject);
        request.reply = Some(awaited.reply.clone());
        // The inbox is on the same line.
        check_publish(&request, limit).map_err(PublishError::from)?;
        let sent = tokio::time::timeout(hub.limits.publish_wait, link.push(&request, Kind::Request)).await;
        match sent {
            Ok(Ok(_)) => return Ok(Sent { subject: request.subject, awaited, left: link.left() }),
            // It never left: the next link will do.
            Ok(Err(Refusal::Ended)) => hub.leave(link.conn),
            Ok(Err(refusal)) => return Err(failed(refusal.into()).into()),
            Err(_elapsed) => return Err(failed(NotSent::Waited).into()),
        }
    }
}
