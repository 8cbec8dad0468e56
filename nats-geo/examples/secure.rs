//! Connects over TLS with your own certificate authority and a creds file. If one of them is wrong, prints the error.
//!
//! ```text
//! cargo run --example secure -- tls://lon.example.net,tls://ams.example.net ca.pem app.creds
//! ```

use nats_geo::core::Config;
use nats_geo::{GeoOptions, Tls};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [servers, authority, creds] = &args[..] else {
        return Err("usage: secure SERVERS CA_FILE CREDS_FILE".into());
    };
    let client = GeoOptions::new()
        .config(Config::interactive())
        .name("secure")
        .tls(Tls::new().ca_file(authority))
        .creds_file(creds)
        .connect(servers)
        .await?;
    print!("{}", client.snapshot());
    client.publish("greetings", "in confidence".into()).await?;
    client.flush().await?;
    println!("the server has it");
    Ok(())
}
