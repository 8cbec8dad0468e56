//! The events that an open page receives.

use loadgen::clock;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::served::{Dashboard, LIMIT};

/// A page that listens.
pub(crate) struct Page {
    stream: BufReader<TcpStream>,
    event: &'static str,
}

impl Page {
    /// Opens `/api/live/EVENT`.
    pub(crate) async fn open(dashboard: &Dashboard, event: &'static str) -> Self {
        let path = format!("/api/live/{event}");
        let mut stream = dashboard.open("GET", &path, &[dashboard.bearer()]).await;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut head).await.unwrap() > 0, "{head}");
        }
        assert!(head.contains(" 200 ") && head.contains("content-type: text/event-stream"), "{head}");
        Self { stream, event }
    }

    /// The name and the data of the next event.
    pub(crate) async fn next(&mut self) -> (String, Value) {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            let read = timeout(LIMIT, self.stream.read_line(&mut line)).await.expect("no event").unwrap();
            assert!(read > 0, "the stream ended");
            if let Some(event) = line.strip_prefix("event: ") {
                name = event.trim().to_owned();
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return (name, serde_json::from_str(data).unwrap());
            }
        }
    }

    /// Waits for an event that `check` has no complaint about.
    pub(crate) async fn shows(&mut self, mut check: impl FnMut(&Value) -> Result<(), String>) {
        let deadline = clock::now() + LIMIT;
        loop {
            let (name, data) = self.next().await;
            let complaint = if name == self.event { check(&data).err() } else { Some(data.to_string()) };
            let Some(complaint) = complaint else { return };
            assert!(clock::now() < deadline, "after {LIMIT:?}: {complaint}");
        }
    }
}

/// A complaint about data, unless it is as it should be.
pub(crate) fn expect(is: bool, what: &str, data: &Value) -> Result<(), String> {
    if is { Ok(()) } else { Err(format!("{what}: {data}")) }
}
