//! Replays a decision log: checks that this version makes the same decisions as the client made, and prints the events.
//!
//! ```text
//! cargo run --example watch -- lon=nats://127.0.0.1:4222,ams=nats://127.0.0.1:4223 decisions.jsonl
//! cargo run --example replay -- decisions.jsonl
//! ```

use std::error::Error;
use std::fs::File;
use std::io::BufReader;

use nats_geo::core::{Action, Log};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which log? give its path as the first argument")?;
    let log = Log::read(BufReader::new(File::open(&path).map_err(|error| format!("{path}: {error}"))?))?;
    let replayed = log.replay()?;
    for (_, action) in &replayed {
        if let Action::Notify(notice) = action {
            println!("{} {}", notice.at, notice.kind);
        }
    }
    let differs = log.actions.iter().zip(&replayed).position(|(recorded, again)| recorded != again);
    if let Some(index) = differs {
        let (recorded, again) = (&log.actions[index], &replayed[index]);
        return Err(format!("decision {index} was {recorded:?}, and is {again:?} now").into());
    }
    println!("{} facts lead to the same {} decisions", log.calls.len(), log.actions.len());
    Ok(())
}
