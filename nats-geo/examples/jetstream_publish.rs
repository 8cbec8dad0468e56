//! Makes a stream in a region of its own choice and publishes to it once per second: kill the server that it talks to,
//! and watch the acknowledgements go on.
//!
//! ```text
//! loadgen up --regions lon,ams,dal        # prints where its servers are, as seen from each region
//! cargo run --example jetstream_publish -- nats://127.0.0.1:40001,nats://127.0.0.1:40002,... ams
//! ```

use std::time::Duration;

use nats_geo::GeoOptions;
use nats_geo::core::Config;
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    let client = GeoOptions::new().config(Config::interactive()).name("publish").connect(servers).await?;

    let mut stream =
        json!({ "name": "LAMPS", "subjects": ["lamps.>"], "storage": "file", "num_replicas": 1 });
    if let Some(region) = arguments.next() {
        // Without it the stream would be where the client happens to be now.
        stream["placement"] = json!({ "cluster": region });
    }
    let answer = client.request("$JS.API.STREAM.CREATE.LAMPS", stream.to_string().into()).await?;
    let answer: Value = serde_json::from_slice(&answer.payload)?;
    if let Some(error) = answer.get("error") {
        return Err(format!("the stream was not made: {error}").into());
    }

    let jetstream = client.jetstream();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let ack = jetstream.publish("lamps.new", "one lamp".into()).await?;
        let region =
            client.snapshot().active.map_or_else(|| "nowhere".into(), |place| place.region.to_string());
        println!("stored as {} after {} tries, by way of {region}", ack.sequence, ack.tries);
    }
}
