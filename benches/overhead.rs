//! What nats-geo costs on top of async-nats: the same work with both, in turn, against one server.
//!
//! `make bench-overhead`, or `NATS_SERVER=... cargo bench -p nats-geo-benches --bench overhead -- --quick "publish 16"`:
//! words choose what is measured. A machine that does other things moves single rounds by a lot, so the figure is the median
//! of the rounds' ratios, with their spread.
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

#[path = "../nats-geo/tests/support/mod.rs"]
mod support;

use std::future::Future;
use std::time::{Duration, Instant};

use async_nats::client::traits::{Publisher, Requester};
use async_nats::message::OutboundMessage;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use nats_geo::GeoClient;
use support::Server;

const ROUNDS: usize = 15;
const ROUNDS_QUICK: usize = 3;

/// A subscription keeps so many at least before it drops what comes; async-nats' default is 65536.
const WINDOW: u32 = 20_000;

/// Enough for a tenth of a second each.
const MESSAGES: u32 = 200_000;
const REQUESTS_SERIAL: u32 = 4_000;
const REQUESTS: u32 = 20_000;
const IN_FLIGHT: usize = 50;

const WORKS: [&str; 3] = ["publish", "subscribe", "request"];
const SIZES: [usize; 2] = [16, 1_024];

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (flags, words): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let quick = flags.iter().any(|flag| flag == "--quick");
    let rounds = if quick { ROUNDS_QUICK } else { ROUNDS };
    let wanted = |what: &str, size: usize| {
        let name = format!("{what} {size} B");
        words.iter().all(|word| name.contains(word.as_str()))
    };
    if !SIZES.iter().any(|size| WORKS.iter().any(|work| wanted(work, *size))) {
        return Err(format!("nothing is called {words:?}: there are {WORKS:?}, each of {SIZES:?} B").into());
    }
    let server = Server::start().await;
    let bench = Bench::new(&server.url(), rounds).await?;
    println!("{rounds} rounds; ratio: nats-geo's throughput over async-nats'; goal 0.98");
    println!("{:<28} {:>14} {:>14}   ratio (lowest to highest)", "ns each", "async-nats", "nats-geo");
    for size in SIZES {
        for work in WORKS.into_iter().filter(|work| wanted(work, size)) {
            match work {
                "publish" => bench.publishing(size).await?,
                "subscribe" => bench.subscribing(size).await?,
                _ => bench.requesting(size).await?,
            }
        }
    }
    Ok(())
}

/// Both clients, and a third party that they talk to.
struct Bench {
    raw: async_nats::Client,
    geo: GeoClient,
    other: async_nats::Client,
    rounds: usize,
}

impl Bench {
    async fn new(url: &str, rounds: usize) -> Result<Self, Failure> {
        let other = async_nats::connect(url).await?;
        let mut questions = other.queue_subscribe("overhead.ask", "q".into()).await?;
        let responder = other.clone();
        tokio::spawn(async move {
            while let Some(question) = questions.next().await {
                if let Some(reply) = question.reply {
                    let _ = responder.publish(reply, question.payload).await;
                }
            }
        });
        other.flush().await?;
        Ok(Self { raw: async_nats::connect(url).await?, geo: nats_geo::connect(url).await?, other, rounds })
    }

    async fn publishing(&self, size: usize) -> Result<(), Failure> {
        let mut pairs = Pairs::default();
        for _ in 0..self.rounds {
            let raw = timed(async {
                publish(&self.raw, size, MESSAGES).await?;
                Ok(self.raw.flush().await?)
            });
            let raw = raw.await?;
            let geo = timed(async {
                publish(&self.geo, size, MESSAGES).await?;
                Ok(self.geo.flush().await?)
            });
            pairs.add(raw, geo.await?);
        }
        pairs.print(&format!("publish {size} B"), MESSAGES);
        Ok(())
    }

    /// From the first publish of the third party to the last message here.
    async fn subscribing(&self, size: usize) -> Result<(), Failure> {
        let mut pairs = Pairs::default();
        for _ in 0..self.rounds {
            let mut messages = self.raw.subscribe("overhead.publish").await?;
            barrier(&self.raw).await?;
            let raw = timed(self.receive(&mut messages, size)).await?;
            drop(messages);
            barrier(&self.raw).await?;
            let mut messages = self.geo.subscribe("overhead.publish").await?;
            barrier(&self.geo).await?;
            let geo = timed(self.receive(&mut messages, size)).await?;
            drop(messages);
            barrier(&self.geo).await?;
            pairs.add(raw, geo);
        }
        pairs.print(&format!("subscribe {size} B"), MESSAGES);
        Ok(())
    }

    async fn receive<M>(
        &self,
        messages: &mut (impl Stream<Item = M> + Unpin),
        size: usize,
    ) -> Result<(), Failure> {
        for _ in 0..MESSAGES / WINDOW {
            let receiving = async {
                for received in 0..WINDOW {
                    messages.next().await.ok_or_else(|| format!("ended after {received} messages"))?;
                }
                Ok(())
            };
            tokio::try_join!(publish(&self.other, size, WINDOW), receiving)?;
        }
        Ok(())
    }

    async fn requesting(&self, size: usize) -> Result<(), Failure> {
        for (in_flight, count) in [(1, REQUESTS_SERIAL), (IN_FLIGHT, REQUESTS)] {
            let mut pairs = Pairs::default();
            for _ in 0..self.rounds {
                let raw = ask(&self.raw, size, in_flight, count).await?;
                let geo = ask(&self.geo, size, in_flight, count).await?;
                pairs.add(raw.took, geo.took);
                pairs.p50s.push((raw.p50, geo.p50));
            }
            pairs.print(&format!("request {size} B, {in_flight} in flight"), count);
        }
        Ok(())
    }
}

/// How long the same work took with both, round by round.
#[derive(Default)]
struct Pairs {
    times: Vec<(Duration, Duration)>,
    p50s: Vec<(Duration, Duration)>,
}

impl Pairs {
    fn add(&mut self, raw: Duration, geo: Duration) {
        self.times.push((raw, geo));
    }

    fn print(&self, what: &str, count: u32) {
        let each = |times: Vec<Duration>| (median(times) / count).as_nanos();
        let (raw, geo) = self.times.iter().copied().unzip();
        let mut ratios: Vec<_> =
            self.times.iter().map(|(raw, geo)| raw.as_secs_f64() / geo.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        let (lowest, highest) = (ratios[0], ratios[ratios.len() - 1]);
        let ratio = ratios[ratios.len() / 2];
        print!("{what:<28} {:>14} {:>14}   {ratio:.2} ({lowest:.2} to {highest:.2})", each(raw), each(geo));
        if !self.p50s.is_empty() {
            let (raw, geo): (Vec<_>, Vec<_>) = self.p50s.iter().copied().unzip();
            let micros = |p50s| median(p50s).as_secs_f64() * 1e6;
            let (raw, geo) = (micros(raw), micros(geo));
            print!(", p50 {raw:.1} us and {geo:.1} us: {:+.1}", geo - raw);
        }
        println!();
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn timed(work: impl Future<Output = Result<(), Failure>>) -> Result<Duration, Failure> {
    let started = Instant::now();
    work.await?;
    Ok(started.elapsed())
}

/// What was asked of the server before has been done: async-nats' own flush only waits for the socket.
async fn barrier(client: &impl Requester) -> Result<(), Failure> {
    client.send_request("overhead.ask", async_nats::Request::new().payload("x".into())).await?;
    Ok(())
}

async fn publish(client: &impl Publisher, size: usize, count: u32) -> Result<(), Failure> {
    let payload = Bytes::from(vec![0; size]);
    for _ in 0..count {
        let (subject, payload) = ("overhead.publish".into(), payload.clone());
        client.publish_message(OutboundMessage { subject, payload, reply: None, headers: None }).await?;
    }
    Ok(())
}

struct Asked {
    took: Duration,
    p50: Duration,
}

async fn ask(client: &impl Requester, size: usize, in_flight: usize, count: u32) -> Result<Asked, Failure> {
    let payload = Bytes::from(vec![0; size]);
    let started = Instant::now();
    let mut asking = stream::iter(0..count)
        .map(|_| async {
            let asked = Instant::now();
            let request = async_nats::Request::new().payload(payload.clone());
            client.send_request("overhead.ask", request).await.map(|_| asked.elapsed())
        })
        .buffer_unordered(in_flight);
    let mut latencies = Vec::new();
    while let Some(latency) = asking.next().await {
        latencies.push(latency?);
    }
    Ok(Asked { took: started.elapsed(), p50: median(latencies) })
}
