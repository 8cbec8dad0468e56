//! A dashboard that serves, and the bytes of its answers.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Several times what an answer takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A dashboard that serves. It ends when this is dropped.
pub(crate) struct Dashboard {
    running: Child,
    /// The first line of its standard output.
    pub(crate) address: String,
    /// `127.0.0.1:PORT`.
    pub(crate) host: String,
    /// Empty if the address has none.
    pub(crate) token: String,
    /// Token of operators; empty without `--operate` or with a file.
    pub(crate) operator: String,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Reads an answer to its end.
async fn answer(mut stream: BufReader<TcpStream>) -> Answer {
    let mut answer = Vec::new();
    timeout(LIMIT, stream.read_to_end(&mut answer)).await.expect("no answer").unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: answer[end + 4..].to_vec() }
}

/// The command in a folder, with nothing of the tester's own settings.
pub(crate) fn loadgen(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    for name in ["NATS_URL", "NATS_USER", "NATS_PASSWORD", "RUST_LOG", "AWS_ACCESS_KEY_ID", "LOADGEN_OPS"] {
        command.env_remove(name);
    }
    // A super-cluster that is up here for another reason is not looked at.
    command.env("XDG_RUNTIME_DIR", folder.join("run")).env("XDG_CONFIG_HOME", folder);
    command.args(args).envs(env.iter().copied()).current_dir(folder).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Dashboard {
    /// Starts it at a free port, on the store `loadgen-runs` in a folder.
    pub(crate) async fn start(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        let args = [&["dashboard", "--listen", "127.0.0.1:0"], args].concat();
        let mut running = loadgen(folder, &args, env).spawn().unwrap();
        let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
        let address = timeout(LIMIT, lines.next_line()).await.expect("no address").unwrap();
        let address = address.expect("it ended without an address");
        let (host, fragment) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let token = fragment.strip_prefix("#token=").unwrap_or_default().to_owned();
        let mut operator = String::new();
        if args.contains(&"--operate") {
            let second =
                timeout(LIMIT, lines.next_line()).await.expect("no second address").unwrap().unwrap();
            let fragment = second.strip_prefix(&format!("http://{host}/operate")).unwrap();
            operator = fragment.strip_prefix("#token=").unwrap_or_default().to_owned();
        }
        Self { running, host: host.to_owned(), token, operator, address }
    }

    /// Opens a request with these lines of a header. HTTP/1.0 has no chunks, so the body is the rest of the stream.
    pub(crate) async fn open(&self, method: &str, path: &str, lines: &[String]) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.host).await.unwrap();
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let request = format!("{method} {path} HTTP/1.0\r\nhost: {}\r\n{lines}\r\n", self.host);
        stream.write_all(request.as_bytes()).await.unwrap();
        BufReader::new(stream)
    }

    /// Asks with these lines of a header.
    pub(crate) async fn ask(&self, method: &str, path: &str, lines: &[String]) -> Answer {
        answer(self.open(method, path, lines).await).await
    }

    /// Gives an order with a token.
    pub(crate) async fn order(&self, token: &str, order: &str) -> Answer {
        let lines = [
            format!("authorization: Bearer {token}"),
            "content-type: application/json".to_owned(),
            format!("content-length: {}", order.len()),
        ];
        let mut stream = self.open("POST", "/api/orders", &lines).await;
        stream.write_all(order.as_bytes()).await.unwrap();
        answer(stream).await
    }

    pub(crate) fn bearer(&self) -> String {
        format!("authorization: Bearer {}", self.token)
    }

    /// Gets a path with the token.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[self.bearer()]).await
    }

    /// Ends it, and returns all that it printed on its standard error.
    pub(crate) async fn end(mut self) -> String {
        self.running.start_kill().unwrap();
        let mut printed = String::new();
        self.running.stderr.take().unwrap().read_to_string(&mut printed).await.unwrap();
        self.running.wait().await.unwrap();
        printed
    }
}
