//! Connects to the servers of a DNS name. Prints a line when these servers change, or when a lookup fails.
//!
//! ```text
//! cargo run --example dns -- nats.example.net https://cloudflare
//! ```

use futures_util::StreamExt as _;
use nats_geo::GeoOptions;
use nats_geo::core::Config;
use nats_geo::dns::{Dns, Resolver};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let name = args.next().ok_or("usage: dns NAME [RESOLVER]")?;
    let resolver: Resolver = args.next().as_deref().unwrap_or("system").parse()?;
    let dns = Dns::new(&name)?.resolver(resolver);
    let answer = dns.look_up().await?;
    for server in &answer.servers {
        println!("{}:{} at {:?}", server.host, server.port, server.addresses);
    }
    println!("valid for {:?}", answer.valid_for);

    let client = GeoOptions::new().config(Config::interactive()).name("dns").dns(dns).connect("").await?;
    print!("{}", client.snapshot());
    let mut notices = client.notices();
    while let Some(notice) = notices.next().await {
        match notice {
            Ok(notice) => println!("{} {}", notice.at, notice.kind),
            Err(missed) => println!("{missed}"),
        }
    }
    Ok(())
}
