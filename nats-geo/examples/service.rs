//! A service that `nats micro` finds. It answers with the time and its region, and continues when its client moves. Run
//! one instance in each region, and send a request: the nearest instance answers. Kill its region, and the next
//! instance answers. Ctrl-C stops the service without losing a request.
//!
//! ```text
//! loadgen up --regions lon,ams,dal        # prints the addresses of its servers, as seen from each region
//! cargo run --example service -- nats://127.0.0.1:40001,nats://127.0.0.1:40002,...
//! nats micro stats clock; nats request clock.now ''
//! ```

use futures_util::StreamExt as _;
use nats_geo::core::Config;
use nats_geo::service::{Endpoint, Error};
use nats_geo::{GeoClient, GeoOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let servers = std::env::args().nth(1).unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    let client = GeoOptions::new().config(Config::interactive()).name("clock").connect(servers).await?;

    let service = client.service("clock", "1.0.0").description("Says what time it is.").start().await?;
    let now = service.group("clock").endpoint("now").await?;
    client.flush().await?;
    println!("instance {} listens to {}", service.id(), now.subject());
    let serving = tokio::spawn(serve(now, client.clone()));

    tokio::signal::ctrl_c().await?;
    service.stop().await;
    serving.await?;
    // The last answers are with the server.
    client.drain().await?;
    Ok(())
}

async fn serve(mut now: Endpoint, client: GeoClient) {
    while let Some(request) = now.next().await {
        let region =
            client.snapshot().active.map_or_else(|| "nowhere".into(), |place| place.region.to_string());
        let answer = match request.message.payload.is_empty() {
            true => Ok(format!("{} in {region}", async_nats::datetime::now()).into()),
            false => Err(Error { code: 400, status: "ask without a payload".into() }),
        };
        // Also of a message without a reply subject, which is no request: neither ends the service.
        if let Err(error) = request.respond(answer).await {
            eprintln!("not answered: {error}");
        }
    }
}
