//! Connects and tells what happens: stop a server, or put one into lame duck mode, and watch.
//!
//! ```text
//! cargo run --example watch -- lon=nats://127.0.0.1:4222,ams=nats://127.0.0.1:4223
//! ```

use futures_util::StreamExt as _;
use nats_geo::GeoOptions;
use nats_geo::core::Config;

#[tokio::main]
async fn main() -> Result<(), nats_geo::ConnectError> {
    let servers = std::env::args().nth(1).unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    let client = GeoOptions::new().config(Config::interactive()).name("watch").connect(servers).await?;
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
