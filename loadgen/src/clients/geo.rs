//! nats-geo, with the policy of the run.

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use nats_geo::GeoClient;
use nats_geo::core::NoticeKind;

use super::answers::is_refusal;
use super::{Delivered, Journal, Seat, Sign, Spec};

#[derive(Clone, Debug)]
pub(super) struct Geo {
    client: GeoClient,
}

impl Geo {
    pub(super) async fn connect(spec: &Spec, journal: Journal) -> Result<Self, String> {
        let options = nats_geo::GeoOptions::new().config(spec.policy.clone()).seed(spec.seed);
        let options = spec.access.of_geo(options)?;
        let (options, urls) = match spec.name.clone() {
            Some(name) => (options.dns(name), String::new()),
            None => (options, spec.urls.join(",")),
        };
        let client = options.connect(urls).await.map_err(|error| error.to_string())?;
        let mut notices = client.notices();
        let started = client.started();
        journal.sits(
            crate::clock::now(),
            client.snapshot().active.map(|place| seat(place.region.as_str(), place.server)),
        );
        tokio::spawn(async move {
            while let Some(notice) = notices.next().await {
                match notice {
                    Ok(notice) => {
                        let at = started + notice.at.since_start();
                        match &notice.kind {
                            NoticeKind::Moved { to, .. } => {
                                journal.sits(at, Some(seat(to.region.as_str(), to.server.clone())));
                            }
                            NoticeKind::Offline => journal.sits(at, None),
                            _ => {}
                        }
                        if let Some(sign) = sign(&notice.kind) {
                            journal.note(at, sign);
                        }
                    }
                    Err(missed) => tracing::error!(%missed, "the journal of a client has a gap"),
                }
            }
        });
        Ok(Self { client })
    }

    pub(super) fn seat(&self) -> Option<Seat> {
        let place = self.client.snapshot().active?;
        Some(seat(place.region.as_str(), place.server))
    }

    pub(super) fn base_rtt(&self, region: &str) -> Option<std::time::Duration> {
        let ranking = self.client.snapshot().ranking.into_iter();
        ranking.filter(|server| server.region.as_str() == region).filter_map(|server| server.base_rtt).min()
    }

    pub(super) async fn request(&self, subject: &str, payload: Bytes) -> bool {
        let answer = self.client.request(subject.to_owned(), payload).await;
        answer.is_ok_and(|answer| !is_refusal(subject, &answer))
    }

    pub(super) async fn publish(&self, subject: &str, payload: Bytes) -> bool {
        self.client.publish(subject.to_owned(), payload).await.is_ok()
    }

    pub(super) async fn flush(&self) -> bool {
        self.client.flush().await.is_ok()
    }

    pub(super) async fn publish_to_stream(&self, subject: &str, payload: Bytes) -> bool {
        self.jetstream().publish(subject.to_owned(), payload).await.is_ok()
    }

    pub(super) fn jetstream(&self) -> nats_geo::jetstream::Context {
        self.client.jetstream()
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
        self.client.flush().await.map_err(|error| error.to_string())?;
        Ok(subscriber.map(|message| message.payload.clone()).boxed())
    }

    pub(super) async fn consume(
        &self,
        stream: &str,
        durable: &str,
    ) -> Result<BoxStream<'static, Delivered>, String> {
        let stream = self.jetstream().get_stream(stream).await.map_err(|error| error.to_string())?;
        let consumer = stream.get_consumer(durable).await.map_err(|error| error.to_string())?;
        let messages = consumer.messages().await.map_err(|error| error.to_string())?;
        let acknowledged = messages.filter_map(|message| async {
            let message = message.inspect_err(|error| tracing::error!(%error, "a consumer ended")).ok()?;
            // Without a link the acknowledgement is lost, and JetStream redelivers the message.
            let _ = message.ack().await;
            let is_redelivered = message.delivery().delivered > 1;
            Some(Delivered { payload: message.payload.clone(), is_redelivered })
        });
        Ok(acknowledged.boxed())
    }
}

fn seat(region: &str, server: Option<String>) -> Seat {
    Seat { region: region.to_owned(), server: server.unwrap_or_default() }
}

fn sign(kind: &NoticeKind) -> Option<Sign> {
    match kind {
        NoticeKind::Suspected(_) | NoticeKind::Lost { .. } => Some(Sign::Trouble),
        NoticeKind::Dialing(place) => Some(Sign::Dialing(place.conn.0)),
        NoticeKind::Opened(place) => Some(Sign::Opened(place.conn.0)),
        NoticeKind::Moved { to, .. } => Some(Sign::Moved(to.conn.0)),
        NoticeKind::StandbyReady(_) => Some(Sign::StandbyReady),
        _ => None,
    }
}
