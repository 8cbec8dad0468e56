//! async-nats with its defaults.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};

use super::answers::is_refusal;
use super::{Delivered, Journal, Seat, Sign, Spec};
use crate::clock;

#[derive(Clone, Debug)]
pub(super) struct Stock {
    client: Arc<async_nats::Client>,
}

impl Stock {
    pub(super) async fn connect(spec: &Spec, journal: Journal) -> Result<Self, String> {
        let (told, mut events) = tokio::sync::mpsc::unbounded_channel();
        let options = spec.access.of_stock(async_nats::ConnectOptions::new())?.event_callback(move |event| {
            let at = clock::now();
            // The receiver lives as long as the client.
            let _ = told.send((at, event));
            async {}
        });
        let parsed = spec.urls.iter().map(|url| url.parse::<async_nats::ServerAddr>());
        let servers = parsed.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        let client = Arc::new(options.connect(servers).await.map_err(|error| error.to_string())?);
        // The connection stays open as long as anybody holds the client.
        let observed = Arc::downgrade(&client);
        journal.sits(clock::now(), Some(seat(&client)));
        tokio::spawn(async move {
            let mut connections = 0;
            while let Some((at, event)) = events.recv().await {
                match event {
                    async_nats::Event::Disconnected => {
                        journal.note(at, Sign::Trouble);
                        journal.sits(at, None);
                    }
                    async_nats::Event::Connected => {
                        connections += 1;
                        journal.note(at, Sign::Opened(connections));
                        journal.note(at, Sign::Moved(connections));
                        let Some(observed) = observed.upgrade() else { return };
                        journal.sits(at, Some(seat(&observed)));
                    }
                    _ => {}
                }
            }
        });
        Ok(Self { client })
    }

    pub(super) fn seat(&self) -> Option<Seat> {
        let connected = self.client.connection_state() == async_nats::connection::State::Connected;
        connected.then(|| seat(&self.client))
    }

    pub(super) async fn request(&self, subject: &str, payload: Bytes) -> bool {
        let answer = self.client.request(subject.to_owned(), payload).await;
        answer.is_ok_and(|answer| !is_refusal(subject, &answer))
    }

    pub(super) async fn publish(&self, subject: &str, payload: Bytes) -> bool {
        self.client.publish(subject.to_owned(), payload).await.is_ok()
    }

    /// Its own `flush` returns when the bytes are in the socket, so the client's echo proves more.
    pub(super) async fn flush(&self) -> bool {
        prove_subscribed(&self.client).await.is_ok()
    }

    pub(super) async fn publish_to_stream(&self, subject: &str, payload: Bytes) -> bool {
        match self.jetstream().publish(subject.to_owned(), payload).await {
            Ok(acknowledged) => acknowledged.await.is_ok(),
            Err(_) => false,
        }
    }

    pub(super) fn jetstream(&self) -> async_nats::jetstream::Context {
        async_nats::jetstream::new(self.client.as_ref().clone())
    }

    pub(super) async fn subscribe(
        &self,
        subject: &str,
        group: Option<&str>,
    ) -> Result<BoxStream<'static, Bytes>, String> {
        let subject = subject.to_owned();
        let subscriber = match group {
            Some(group) => self.client.queue_subscribe(subject, group.to_owned()).await,
            None => self.client.subscribe(subject).await,
        };
        let subscriber = subscriber.map_err(|error| error.to_string())?;
        prove_subscribed(&self.client).await?;
        Ok(subscriber.map(|message| message.payload).boxed())
    }

    pub(super) async fn consume(
        &self,
        stream: &str,
        durable: &str,
    ) -> Result<BoxStream<'static, Delivered>, String> {
        let consumer: async_nats::jetstream::consumer::PullConsumer = self
            .jetstream()
            .get_consumer_from_stream(durable, stream)
            .await
            .map_err(|error| error.to_string())?;
        let messages = consumer.messages().await.map_err(|error| error.to_string())?;
        let acknowledged = messages.filter_map(|message| async {
            // A missed heartbeat is an error, after which the client pulls again.
            let message = message.inspect_err(|error| tracing::debug!(%error, "a consumer goes on")).ok()?;
            // Without a connection the acknowledgement is lost, and JetStream redelivers the message.
            let _ = message.ack().await;
            let is_redelivered = message.info().is_ok_and(|info| info.delivered > 1);
            Some(Delivered { payload: message.payload.clone(), is_redelivered })
        });
        Ok(acknowledged.boxed())
    }
}

fn seat(client: &async_nats::Client) -> Seat {
    let info = client.server_info();
    Seat { region: info.cluster.unwrap_or_default(), server: info.server_name }
}

/// An echo of our own comes back only after the server has taken in the SUBs before it.
pub(crate) async fn prove_subscribed(client: &async_nats::Client) -> Result<(), String> {
    let inbox = client.new_inbox();
    let mut echo = client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
    client.publish(inbox, Bytes::new()).await.map_err(|error| error.to_string())?;
    let echoed = tokio::time::timeout(ECHO_LIMIT, echo.next()).await;
    echoed.ok().flatten().map(drop).ok_or_else(|| "its own message did not come back".to_owned())
}

/// Several round trips to the far side of the planet.
const ECHO_LIMIT: Duration = Duration::from_secs(5);
