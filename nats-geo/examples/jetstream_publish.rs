//! Creates a stream in a region that you name, and publishes to it once per second. Kill the server that the client
//! uses, and watch: acknowledgements still arrive.
//!
//! ```text
//! loadgen up --regions lon,ams,dal        # prints the addresses of its servers, as seen from each region
//! cargo run --example jetstream_publish -- nats://127.0.0.1:40001,nats://127.0.0.1:40002,... ams
//! ```

use std::time::Duration;

use nats_geo::GeoOptions;
use nats_geo::core::Config as Policy;
use nats_geo::jetstream::stream::{Config, Placement};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    let client = GeoOptions::new().config(Policy::interactive()).name("publish").connect(servers).await?;

    let jetstream = client.jetstream();
    let config = Config {
        name: "LAMPS".into(),
        subjects: vec!["lamps.>".into()],
        // Without a region, the stream is made at home: in the region nearest to this client.
        placement: arguments.next().map(|region| Placement { cluster: Some(region), tags: Vec::new() }),
        ..Config::default()
    };
    jetstream.get_or_create_stream(config).await?;

    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let ack = jetstream.publish("lamps.new", "one lamp".into()).await?;
        let region =
            client.snapshot().active.map_or_else(|| "nowhere".into(), |place| place.region.to_string());
        println!("stored as {} after {} tries, by way of {region}", ack.sequence, ack.tries);
    }
}
