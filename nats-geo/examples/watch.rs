//! Connects and prints all events. Stop a server, or put a server into lame duck mode, and watch. After each move,
//! prints the report of the client. If you give a path, writes the decisions there, for the example `replay`.
//!
//! ```text
//! cargo run --example watch -- lon=nats://127.0.0.1:4222,ams=nats://127.0.0.1:4223 [decisions.jsonl]
//! ```

use std::error::Error;
use std::fs::File;

use futures_util::StreamExt as _;
use nats_geo::GeoOptions;
use nats_geo::core::{Config, NoticeKind};
use nats_geo::observe::DecisionLog;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    let mut options = GeoOptions::new().config(Config::interactive()).name("watch");
    if let Some(path) = arguments.next() {
        options = options.decision_log(DecisionLog::new(File::create(path)?));
    }
    let client = options.connect(servers).await?;
    let mut notices = client.notices();
    print!("{}", client.snapshot());
    loop {
        let notice = tokio::select! {
            notice = notices.next() => notice,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                // So that the log is complete.
                client.close().await;
                return Ok(());
            }
        };
        match notice {
            Some(Ok(notice)) => {
                println!("{} {}", notice.at, notice.kind);
                if matches!(notice.kind, NoticeKind::Moved { .. }) {
                    println!("{}", serde_json::to_string_pretty(&client.report())?);
                }
            }
            Some(Err(missed)) => println!("{missed}"),
            None => return Ok(()),
        }
    }
}
