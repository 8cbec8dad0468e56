//! Requests to a service, and their answers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use bytes::Bytes;

use super::statistics::Statistics;
use super::{Error, NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE};
use crate::native::clock::{now, since};
use crate::native::{GeoClient, Message, RespondError};

/// A request that arrived at an [`Endpoint`](super::Endpoint).
///
/// A request keeps the client alive, so that the application can answer it. The processing time in the statistics
/// begins when the request leaves the endpoint's stream, and ends with the last answer. Without an answer, the
/// processing time ends when the application drops the request.
#[derive(Debug)]
pub struct Request {
    /// The message of the request.
    pub message: Message,
    handling: Handling,
}

/// The time that a request takes.
struct Handling {
    taken: Instant,
    /// How much of it is in the statistics; 0 before the first answer.
    counted_nanos: AtomicU64,
    statistics: Arc<Statistics>,
    /// Keeps the links.
    _client: GeoClient,
}

impl Request {
    pub(super) fn new(message: Message, statistics: &Arc<Statistics>, client: &GeoClient) -> Self {
        statistics.received();
        let statistics = Arc::clone(statistics);
        let counted_nanos = AtomicU64::new(0);
        let handling = Handling { taken: now(), counted_nanos, statistics, _client: client.clone() };
        Self { message, handling }
    }

    /// Answers the request, over the link on which it arrived if this link is still open, and otherwise over the active
    /// link.
    ///
    /// For an error, the answer has an empty payload and the headers `Nats-Service-Error` and
    /// `Nats-Service-Error-Code`. Clients recognise the error by these headers. The statistics count the error. Line
    /// breaks in the status of the error become spaces, because a header cannot contain line breaks.
    ///
    /// ```no_run
    /// use nats_geo::service::Error;
    ///
    /// # async fn example(request: nats_geo::service::Request) -> Result<(), nats_geo::RespondError> {
    /// let answer = match request.message.payload.as_ref() {
    ///     b"" => Err(Error { code: 400, status: "which lamp?".into() }),
    ///     _ => Ok("sold".into()),
    /// };
    /// request.respond(answer).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as [`Message::respond`]. If the client could not send an answer, the statistics count this as an error,
    /// too.
    pub async fn respond(&self, response: Result<Bytes, Error>) -> Result<(), RespondError> {
        self.respond_with_headers(response, HeaderMap::new()).await
    }

    /// Answers with headers, like [`respond`](Self::respond). The two headers of an error replace your headers of the
    /// same names.
    ///
    /// # Errors
    /// The same as [`respond`](Self::respond).
    pub async fn respond_with_headers(
        &self,
        response: Result<Bytes, Error>,
        mut headers: HeaderMap,
    ) -> Result<(), RespondError> {
        let is_error = response.is_err();
        let payload = response.unwrap_or_else(|error| {
            headers.insert(NATS_SERVICE_ERROR, one_line(&error.status));
            headers.insert(NATS_SERVICE_ERROR_CODE, error.code.to_string());
            self.handling.statistics.failed(error);
            Bytes::new()
        });
        // Before the answer is sent: whoever has it may ask for the statistics.
        self.handling.count();
        let sent = match headers.is_empty() {
            true => self.message.respond(payload).await,
            false => self.message.respond_with_headers(headers, payload).await,
        };
        if let Err(RespondError::Publish(why)) = &sent
            && !is_error
        {
            self.handling.statistics.failed(Error { code: NOT_SENT, status: why.to_string() });
        }
        sent
    }
}

/// An error inside the service, as in HTTP: the asker is not to blame.
const NOT_SENT: usize = 500;

fn one_line(status: &str) -> String {
    status.replace(['\r', '\n'], " ")
}

impl Handling {
    fn count(&self) {
        let nanos = u64::try_from(since(self.taken).as_nanos()).unwrap_or(u64::MAX);
        let counted = self.counted_nanos.fetch_max(nanos, Ordering::Relaxed);
        self.statistics.processed(Duration::from_nanos(nanos.saturating_sub(counted)));
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        if self.counted_nanos.load(Ordering::Relaxed) == 0 {
            self.count();
        }
    }
}

impl fmt::Debug for Handling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handling").field("taken", &self.taken).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_several_lines_stays_one_header() {
        let status = "no lamp\r\nNats-Service-Error-Code: 200";
        let mut headers = HeaderMap::new();
        headers.insert(NATS_SERVICE_ERROR, one_line(status));
        assert_eq!(headers.len(), 1);
        assert_eq!(
            headers.get(NATS_SERVICE_ERROR).unwrap().as_str(),
            "no lamp  Nats-Service-Error-Code: 200"
        );
    }
}
