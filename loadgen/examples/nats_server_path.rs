//! Prints the path of the nats-server that loadgen would start. If it is not in the cache, fetches it first.
//!
//! `make test` runs this program first, so no test has to wait for a download, and every test uses the same server.

use loadgen::cluster::{FindServerError, NatsServer};

fn main() -> Result<(), FindServerError> {
    let server = NatsServer::find(None)?;
    // Standard output is for the shell that asks.
    eprintln!("{server}");
    println!("{}", server.path.display());
    Ok(())
}
