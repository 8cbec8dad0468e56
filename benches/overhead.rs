//! What nats-geo costs on top of async-nats: the same work with both, against one server.
//!
//! ```text
//! cargo run --release --example overhead -- nats://127.0.0.1:4222
//! ```
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::future::Future;
use std::time::{Duration, Instant};

use async_nats::client::traits::{Publisher, Requester};
use async_nats::message::OutboundMessage;
use futures_util::StreamExt as _;
use futures_util::stream;

const PUBLISHES: u32 = 1_000_000;
const REQUESTS: u32 = 20_000;
const IN_FLIGHT: usize = 50;
const ROUNDS: usize = 5;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    let raw = async_nats::connect(&url).await?;
    let geo = nats_geo::connect(&url).await?;
    let mut questions = async_nats::connect(&url).await?.queue_subscribe("overhead.ask", "q".into()).await?;
    let responder = async_nats::connect(&url).await?;
    tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            if let Some(reply) = question.reply {
                let _ = responder.publish(reply, question.payload).await;
            }
        }
    });
    responder_is_there(&raw).await;

    println!("{:<28} {:>14} {:>14}", "best of 5 rounds", "async-nats", "nats-geo");
    for size in [16, 1_024] {
        let (mut a, mut b) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            a = a.min(
                timed(async {
                    publish(&raw, size).await?;
                    Ok(raw.flush().await?)
                })
                .await?,
            );
            b = b.min(
                timed(async {
                    publish(&geo, size).await?;
                    Ok(geo.flush().await?)
                })
                .await?,
            );
        }
        row(&format!("publish {size} B, ns each"), a, b, PUBLISHES);
    }
    for in_flight in [1, IN_FLIGHT] {
        let (mut a, mut b) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            a = a.min(timed(ask(&raw, in_flight)).await?);
            b = b.min(timed(ask(&geo, in_flight)).await?);
        }
        row(&format!("request, {in_flight} in flight, ns"), a, b, REQUESTS);
    }
    Ok(())
}

fn row(what: &str, raw: Duration, geo: Duration, count: u32) {
    println!("{what:<28} {:>14} {:>14}", (raw / count).as_nanos(), (geo / count).as_nanos());
}

async fn timed(work: impl Future<Output = Result<(), Failure>>) -> Result<Duration, Failure> {
    let started = Instant::now();
    work.await?;
    Ok(started.elapsed())
}

async fn publish(client: &impl Publisher, size: usize) -> Result<(), Failure> {
    let payload = bytes::Bytes::from(vec![0; size]);
    for _ in 0..PUBLISHES {
        let (subject, payload) = ("overhead.publish".into(), payload.clone());
        client.publish_message(OutboundMessage { subject, payload, reply: None, headers: None }).await?;
    }
    Ok(())
}

async fn ask(client: &impl Requester, in_flight: usize) -> Result<(), Failure> {
    let mut asking = stream::iter(0..REQUESTS)
        .map(|_| client.send_request("overhead.ask", async_nats::Request::new().payload("x".into())))
        .buffer_unordered(in_flight);
    while let Some(answer) = asking.next().await {
        answer?;
    }
    Ok(())
}

/// The subscription may not have reached the server yet.
async fn responder_is_there(client: &async_nats::Client) {
    while client.request("overhead.ask", "x".into()).await.is_err() {
        tokio::task::yield_now().await;
    }
}
