//! Connects to the nearest region, prints why this region is the nearest, and publishes there.
//!
//! ```text
//! loadgen up --regions lon,ams,dal        # prints the addresses of its servers, as seen from each region
//! cargo run --example nearest -- nats://127.0.0.1:40001,nats://127.0.0.1:40002,...
//! ```

use nats_geo::GeoOptions;
use nats_geo::core::Config;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let servers = std::env::args().nth(1).unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    let client = GeoOptions::new().config(Config::interactive()).name("nearest").connect(servers).await?;
    // The ranking is complete once every server has answered a probe, or has failed to.
    print!("{}", client.snapshot());
    client.publish("greetings", "from the nearest region".into()).await?;
    client.flush().await?;
    println!("the server has it");
    Ok(())
}
