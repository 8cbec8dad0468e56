//! Messages that can be answered over the link on which they arrived.

use std::ops::Deref;
use std::sync::Arc;

use async_nats::HeaderMap;
use async_nats::message::OutboundMessage;
use bytes::Bytes;

use super::hub::{NotSent, Operation};
use super::link::{Kind, Refusal};
use super::subscription::Route;
use super::{PublishError, publish};

/// A message of a [`Subscription`](super::Subscription). It dereferences to [`async_nats::Message`].
/// [`respond`](Self::respond) uses the link on which the message arrived, because servers with `allow_responses` require
/// this link.
#[derive(Clone, Debug)]
pub struct Message {
    inner: async_nats::Message,
    route: Arc<Route>,
    /// Ends when the last copy is dropped: a drain waits for that, as the application may be about to answer.
    handling: Option<Arc<Operation>>,
}

impl Message {
    pub(crate) fn new(inner: async_nats::Message, route: &Arc<Route>) -> Self {
        Self { inner, route: Arc::clone(route), handling: None }
    }

    /// The application has it from now on.
    pub(crate) fn is_handled_as(&mut self, operation: Option<Operation>) {
        self.handling = operation.map(Arc::new);
    }

    /// Answers a request. If the link on which the request arrived is lost, the client sends the answer over the active
    /// link.
    ///
    /// # Errors
    /// [`RespondError::NoReply`] if the message has no reply subject; otherwise the same as
    /// [`GeoClient::publish`](super::GeoClient::publish).
    pub async fn respond(&self, payload: Bytes) -> Result<(), RespondError> {
        self.answer(None, payload).await
    }

    /// Answers with headers, like [`respond`](Self::respond).
    ///
    /// # Errors
    /// The same as [`respond`](Self::respond).
    pub async fn respond_with_headers(&self, headers: HeaderMap, payload: Bytes) -> Result<(), RespondError> {
        self.answer(Some(headers), payload).await
    }

    /// Returns the message of async-nats.
    pub fn into_inner(self) -> async_nats::Message {
        self.inner
    }

    async fn answer(&self, headers: Option<HeaderMap>, payload: Bytes) -> Result<(), RespondError> {
        let subject = self.inner.reply.clone().ok_or(RespondError::NoReply)?;
        let hub = self.route.hub.upgrade().ok_or(PublishError::Closed)?;
        let message = OutboundMessage { subject, reply: None, payload, headers };
        publish::check(&message, hub.max_control_line())?;
        let size = publish::size(&message);
        let failed = |why: NotSent| PublishError::new(why, size, hub.limits.publish_wait);
        if let Some(link) = self.route.link.upgrade().filter(|link| link.is_open()) {
            let pushed =
                tokio::time::timeout(hub.limits.publish_wait, link.push(&message, Kind::Publish)).await;
            match pushed {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(Refusal::Ended)) => {}
                Ok(Err(refusal)) => return Err(failed(refusal.into()).into()),
                Err(_elapsed) => return Err(failed(NotSent::Waited).into()),
            }
        }
        hub.send(&mut Some(message.clone())).await.map_err(|why| failed(why).into())
    }
}

impl Deref for Message {
    type Target = async_nats::Message;

    fn deref(&self) -> &async_nats::Message {
        &self.inner
    }
}

impl From<Message> for async_nats::Message {
    fn from(message: Message) -> Self {
        message.inner
    }
}

/// Reason why an answer was not sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// The message has no reply subject, so its sender does not wait for an answer.
    #[error("the message has no reply subject, so its sender does not wait for an answer")]
    NoReply,
    /// The client did not publish the answer.
    #[error(transparent)]
    Publish(#[from] PublishError),
}
