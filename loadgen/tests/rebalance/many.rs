//! Tests with more clients than a server lists in one answer, on the oldest nats-server that accepts the order.

use std::process::{Child, Command, Stdio};

use loadgen::cluster::NatsServer;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::command::{LIMIT, TURN, rebalance_as, wait_until};

const OLD: &str = "2.10.26";
/// loadgen reads 512 connections at once.
const CLIENTS: usize = 1_100;

/// A client without a library. It shows the lines that the server sends.
struct RawClient(BufReader<TcpStream>);

impl RawClient {
    async fn connect(addr: &str) -> Self {
        let mut client = Self(BufReader::new(TcpStream::connect(addr).await.unwrap()));
        let connect =
            "CONNECT {\"verbose\":false,\"protocol\":1,\"lang\":\"raw\",\"version\":\"1\"}\r\nPING\r\n";
        client.0.write_all(connect.as_bytes()).await.unwrap();
        client.line_with("PONG").await;
        client
    }

    /// Waits for a line that contains `word`.
    async fn line_with(&mut self, word: &str) {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            let read = timeout(LIMIT, self.0.read_line(&mut line)).await;
            let read = read.unwrap_or_else(|_| panic!("no {word} within {LIMIT:?}")).unwrap();
            assert!(read > 0, "the server closed the connection before {word}");
        }
    }
}

/// The two servers of a cluster. loadgen's own super-clusters need newer ones.
struct Servers {
    folder: tempfile::TempDir,
    children: Vec<Child>,
}

impl Servers {
    /// Starts the servers `lon-1` and `lon-2` on these ports; the last two are for their routes.
    fn start(server: &NatsServer, ports: [u16; 4]) -> Self {
        let mut servers = Self { folder: tempfile::tempdir().unwrap(), children: Vec::new() };
        for (name, port, routes, other) in
            [("lon-1", ports[0], ports[2], ports[3]), ("lon-2", ports[1], ports[3], ports[2])]
        {
            let config = format!(
                "server_name: {name}\nlisten: \"127.0.0.1:{port}\"\nsystem_account: SYS\nno_auth_user: app\n\
                 accounts {{ SYS {{ users: [{{ user: system, password: hunter2 }}] }}\n\
                 APP {{ users: [{{ user: app, password: hunter3 }}] }} }}\n\
                 cluster {{ name: lon, listen: \"127.0.0.1:{routes}\", routes: [\"nats://127.0.0.1:{other}\"] }}\n"
            );
            let file = servers.folder.path().join(format!("{name}.conf"));
            std::fs::write(&file, config).unwrap();
            let mut command = Command::new(&server.path);
            command.arg("-c").arg(&file).stdin(Stdio::null()).stderr(Stdio::null());
            servers.children.push(command.spawn().unwrap());
        }
        servers
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ports that were free a moment ago.
fn free_ports() -> [u16; 4] {
    let listeners = [(); 4].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_counts_and_old_servers_carry_the_order_out() {
    let _turn = TURN.lock().await;
    let old = tokio::task::spawn_blocking(|| NatsServer::of_version(OLD).unwrap()).await.unwrap();
    assert_eq!(old.version.to_string(), OLD);
    let ports = free_ports();
    let _servers = Servers::start(&old, ports);
    let [addr, url] = [format!("127.0.0.1:{}", ports[0]), format!("nats://127.0.0.1:{}", ports[1])];
    let rebalance = async |args: &[&str]| rebalance_as(&url, "system", "hunter2", args).await;
    wait_until(async || {
        let (code, text, errors) = rebalance(&["--cluster", "lon"]).await;
        let are_there = code == 0 && ["lon-1", "lon-2"].iter().all(|name| text.contains(name));
        if are_there { Ok(()) } else { Err(text + &errors) }
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(RawClient::connect(&addr).await);
    }

    let (code, json, errors) = rebalance(&["--json", "--at-most", "2", "--patience", "1s"]).await;
    let report: Value = serde_json::from_str(&json).unwrap();
    assert!(code == 1 && errors.contains("--at-most"), "{errors}{report}");
    for look in ["before", "after"] {
        let lon = report[look].as_array().unwrap().iter().find(|row| row["cluster"] == "lon").unwrap();
        let counts: Vec<_> = lon["servers"].as_array().unwrap().iter().map(|row| &row["clients"]).collect();
        assert_eq!(counts, [CLIENTS, 0], "{look}: {report}");
    }
    assert_eq!(report["stayed"].as_array().unwrap().len(), 2, "{report}");
    assert_eq!(report["stayed"][0]["library"], "raw 1", "{report}");
    // The clients that came first were asked, and keep their connections.
    for client in &mut clients[..2] {
        client.line_with("\"ldm\":true").await;
        client.0.write_all(b"PING\r\n").await.unwrap();
        client.line_with("PONG").await;
    }

    // Half of them were asked without effect, and then the other half.
    let (code, text, errors) = rebalance(&["--batch", "300", "--pause", "100ms", "--patience", "1s"]).await;
    assert!(code == 1 && errors.contains("clients no longer move when loadgen asks them"), "{errors}{text}");
    assert!(text.contains("lon: loadgen asked 1100 clients to move, and 0 did"), "{text}");
    assert!(text.contains("* 1090 clients more stayed; --json lists them"), "{text}");
    clients[CLIENTS - 1].line_with("\"ldm\":true").await;
}
