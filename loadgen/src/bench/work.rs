//! The work of one client without JetStream.

use bytes::Bytes;
use futures_util::StreamExt;

use super::opts::BenchOpts;
use super::{BenchError, Share};
use crate::clock;

/// The content of messages.
pub(super) fn payload(opts: &BenchOpts) -> Bytes {
    Bytes::from(vec![b'x'; usize::try_from(opts.size.bytes()).unwrap_or_default()])
}

pub(super) async fn publish(
    client: &async_nats::Client,
    opts: &BenchOpts,
    messages: u64,
) -> Result<Share, BenchError> {
    let failed = |error: String| BenchError::of("publish", error);
    let (subject, payload) = (async_nats::Subject::from(opts.subject.as_str()), payload(opts));
    let mut share = Share::new();
    for _ in 0..messages {
        client.publish(subject.clone(), payload.clone()).await.map_err(|error| failed(error.to_string()))?;
        share.messages += 1;
    }
    client.flush().await.map_err(|error| failed(error.to_string()))?;
    // A server that answers a request has read all that came before it.
    ping(client).await?;
    Ok(share.end())
}

/// Waits until the server has read everything: its answer comes after it.
async fn ping(client: &async_nats::Client) -> Result<(), BenchError> {
    let inbox = client.new_inbox();
    let failed = |error: String| BenchError::of("flush", error);
    let mut echo = client.subscribe(inbox.clone()).await.map_err(|error| failed(error.to_string()))?;
    client.publish(inbox, Bytes::new()).await.map_err(|error| failed(error.to_string()))?;
    echo.next().await.map(drop).ok_or_else(|| failed("the connection ended".to_owned()))
}

/// Each client receives all messages. The time begins with the first one.
pub(super) async fn subscribe(client: &async_nats::Client, opts: &BenchOpts) -> Result<Share, BenchError> {
    let subscribed = client.subscribe(opts.subject.clone()).await;
    let mut messages = subscribed.map_err(|error| BenchError::of("subscribe", error))?;
    let mut share = Share::new();
    while share.messages < opts.msgs {
        let Some(_) = messages.next().await else {
            return Err(BenchError::of("subscribe", "the connection ended"));
        };
        if share.messages == 0 {
            share.began = clock::now();
        }
        share.messages += 1;
    }
    Ok(share.end())
}

/// Clients share the requests as a queue group.
pub(super) async fn serve(
    client: &async_nats::Client,
    opts: &BenchOpts,
    requests: u64,
) -> Result<Share, BenchError> {
    let subscribed = client.queue_subscribe(opts.subject.clone(), "loadgen".to_owned()).await;
    let mut messages = subscribed.map_err(|error| BenchError::of("subscribe", error))?;
    let payload = payload(opts);
    let mut share = Share::new();
    while share.messages < requests {
        let Some(request) = messages.next().await else {
            return Err(BenchError::of("subscribe", "the connection ended"));
        };
        if share.messages == 0 {
            share.began = clock::now();
        }
        let Some(reply) = request.reply else { continue };
        let replied = client.publish(reply, payload.clone()).await;
        replied.map_err(|error| BenchError::of("reply", error))?;
        share.messages += 1;
    }
    client.flush().await.map_err(|error| BenchError::of("flush", error))?;
    Ok(share.end())
}

pub(super) async fn request(
    client: &async_nats::Client,
    opts: &BenchOpts,
    requests: u64,
) -> Result<Share, BenchError> {
    let (subject, payload) = (async_nats::Subject::from(opts.subject.as_str()), payload(opts));
    let mut share = Share::timed();
    for _ in 0..requests {
        let began = clock::now();
        let answered = client.request(subject.clone(), payload.clone()).await;
        answered.map_err(|error| BenchError::of("request", error))?;
        share.done(began);
    }
    Ok(share.end())
}
