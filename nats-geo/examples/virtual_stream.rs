//! One stream for all regions. Publishes a line each second to the nearest region, and prints the lines of all regions,
//! in whichever region the client is. Kill or cut off a region, and watch: publishing continues. The lines of a region
//! that was cut off arrive when the region is back.
//!
//! ```text
//! loadgen up --regions lon,ams,dal        # prints the addresses of its servers, as seen from each region
//! cargo run --example virtual_stream -- nats://127.0.0.1:40001,nats://127.0.0.1:40002,... lon,ams,dal
//! ```

use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::GeoOptions;
use nats_geo::core::Config;
use nats_geo::jetstream::VirtualStream;
use nats_geo::jetstream::virtual_stream::{self, Position};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    let regions = arguments.next().unwrap_or_else(|| "lon,ams,dal".into());
    let client = GeoOptions::new().config(Config::interactive()).name("traveller").connect(servers).await?;

    let config = virtual_stream::Config::new("news", regions.split(','));
    // Made once; while a region is down, this says what is missing, and `virtual_stream` would do.
    let news = client.jetstream().create_virtual_stream(config).await?;
    tokio::spawn(publish(news.clone()));

    let mut messages = news.ordered(Position::first()).await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let origin = news.origin(&message).map_or_else(|| "nowhere".into(), |origin| origin.region);
        let here =
            client.snapshot().active.map_or_else(|| "nowhere".into(), |place| place.region.to_string());
        println!("from {origin}, read in {here}: {}", String::from_utf8_lossy(&message.payload));
    }
    Ok(())
}

async fn publish(news: VirtualStream) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    for number in 0_u64.. {
        ticks.tick().await;
        match news.publish("news.local", format!("line {number}").into()).await {
            Ok(ack) => println!("line {number} is in {}", ack.stream),
            Err(error) => eprintln!("line {number}: {error}"),
        }
    }
}
