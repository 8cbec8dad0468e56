//! A durable worker. It reads orders from a stream, acknowledges each order, and continues when its client moves. It
//! also publishes an order each second, so that there is work. Kill the region that the client uses, and watch: the
//! worker misses no order, and it marks redelivered orders.
//!
//! ```text
//! loadgen up --regions lon,ams,dal        # prints the addresses of its servers, as seen from each region
//! cargo run --example jetstream_worker -- nats://127.0.0.1:40001,nats://127.0.0.1:40002,... ams
//! ```

use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::GeoOptions;
use nats_geo::core::Config;
use nats_geo::jetstream::consumer::pull;
use nats_geo::jetstream::stream::{self, Placement};
use nats_geo::jetstream::{Context, Message};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    let client = GeoOptions::new().config(Config::interactive()).name("worker").connect(servers).await?;
    let jetstream = client.jetstream();

    let config = stream::Config {
        name: "ORDERS".into(),
        subjects: vec!["orders.>".into()],
        // Without a region, the stream is made at home: in the region nearest to this client.
        placement: arguments.next().map(|region| Placement { cluster: Some(region), tags: Vec::new() }),
        ..Default::default()
    };
    let orders = jetstream.get_or_create_stream(config).await?;
    let config = pull::Config { durable_name: Some("workers".into()), ..Default::default() };
    let mut messages = orders.create_consumer(config).await?.messages().await?;

    tokio::spawn(publish(jetstream));
    while let Some(message) = messages.next().await {
        let message = message?;
        let region =
            client.snapshot().active.map_or_else(|| "nowhere".into(), |place| place.region.to_string());
        work(&message, &region);
        // Confirmed: what is done is not done twice. `ack` does not wait, and may be lost with a link.
        message.double_ack().await?;
    }
    Ok(())
}

fn work(message: &Message, region: &str) {
    let delivery = message.delivery();
    let again = if delivery.delivered > 1 { ", again" } else { "" };
    let text = String::from_utf8_lossy(&message.payload);
    println!("order {} by way of {region}{again}: {text}", delivery.stream_sequence);
}

async fn publish(jetstream: Context) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        if let Err(error) = jetstream.publish("orders.new", "one lamp".into()).await {
            eprintln!("{error}");
        }
    }
}
