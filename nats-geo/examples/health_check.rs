//! Uses a region only while the client can read its stream and its price service answers. Stop the service, or cut the
//! region's gateways. Then the client moves to a region where both work.
//!
//! ```text
//! cargo run --example health_check -- nats://127.0.0.1:4222,nats://127.0.0.1:4223 ORDERS prices.health
//! ```

use futures_util::StreamExt as _;
use nats_geo::core::Config;
use nats_geo::{GeoOptions, HealthCheck};

#[tokio::main]
async fn main() -> Result<(), nats_geo::ConnectError> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    let stream = arguments.next().unwrap_or_else(|| "ORDERS".into());
    let subject = arguments.next().unwrap_or_else(|| "prices.health".into());

    let mut config = Config::interactive();
    // No region is entered before two of its servers answer: the first one back must not get everybody.
    config.rank.servers_min = 2;
    let client = GeoOptions::new()
        .config(config)
        .name("checked")
        .health_check(HealthCheck::stream(stream))
        .health_check(HealthCheck::custom("prices", move |link| {
            let subject = subject.clone();
            async move {
                let answer = link.nats().request(subject, "".into()).await;
                answer.map(drop).map_err(|error| error.to_string())
            }
        }))
        .connect(servers)
        .await?;

    let mut notices = client.notices();
    print!("{}", client.snapshot());
    while let Some(notice) = notices.next().await {
        match notice {
            Ok(notice) => println!("{} {}", notice.at, notice.kind),
            Err(missed) => println!("{missed}"),
        }
    }
    Ok(())
}
