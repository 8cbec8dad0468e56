//! The stream of notices.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::core::Notice;

/// A stream of the notices of a client, from the moment of the call to [`GeoClient::notices`](super::GeoClient::notices).
/// The stream ends when the client closes.
pub struct Notices(BoxStream<'static, Result<Notice, NoticesMissed>>);

impl Notices {
    pub(crate) fn new(receiver: Receiver<Notice>) -> Self {
        let next = async |mut receiver: Receiver<Notice>| match receiver.recv().await {
            Ok(notice) => Some((Ok(notice), receiver)),
            Err(RecvError::Lagged(count)) => Some((Err(NoticesMissed { count }), receiver)),
            Err(RecvError::Closed) => None,
        };
        Self(stream::unfold(receiver, next).boxed())
    }
}

impl Stream for Notices {
    type Item = Result<Notice, NoticesMissed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}

/// The application read too slowly, so the client dropped the oldest notices. Later notices follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the client dropped {count} notices, because the application did not read them in time")]
pub struct NoticesMissed {
    /// Number of dropped notices.
    pub count: u64,
}

/// Notices that wait for a slow reader: a failover makes about ten.
pub(crate) const NOTICES_MAX: usize = 256;
