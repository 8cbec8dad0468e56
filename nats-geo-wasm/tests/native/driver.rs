//! A driver of the engine for tests: tokio's sockets and clock instead of a browser's.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use nats_geo::core::Time;
use nats_geo_wasm::engine::{
    Code, Credentials, Effect, Engine, Options, Outlet, Refusal, SocketEnd, SocketId,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{PATIENCE, Server, stopwatch};

/// An engine and the sockets that it runs on.
pub(crate) struct Client {
    pub(crate) engine: Engine,
    sockets: Sockets,
    facts: mpsc::UnboundedReceiver<Fact>,
    tell: mpsc::UnboundedSender<Fact>,
    clock: Box<dyn Fn() -> Duration + Send>,
    pub(crate) notices: Vec<serde_json::Value>,
    pub(crate) messages: Vec<Frame>,
    pub(crate) completed: BTreeMap<u32, (Option<Code>, Option<f64>)>,
    pub(crate) is_open: bool,
    pub(crate) closed: Option<(Option<Code>, Option<String>)>,
    pub(crate) credentials: Result<Credentials, String>,
}

/// A frame, read back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Frame {
    pub(crate) is_reply: bool,
    pub(crate) is_no_responders: bool,
    pub(crate) id: u32,
    pub(crate) subject: String,
    pub(crate) reply: String,
    pub(crate) headers: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

enum Fact {
    Opened(SocketId),
    Received(SocketId, Vec<u8>),
    Closed(SocketId, SocketEnd),
}

#[derive(Default)]
struct Sockets(BTreeMap<SocketId, (mpsc::UnboundedSender<Vec<u8>>, JoinHandle<()>)>);

impl Outlet for Sockets {
    fn buffered(&mut self, _: SocketId) -> usize {
        0
    }

    fn send(&mut self, socket: SocketId, bytes: &[u8]) {
        if let Some((sender, _)) = self.0.get(&socket) {
            let _ = sender.send(bytes.to_vec());
        }
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for (_, task) in std::mem::take(&mut self.0).into_values() {
            task.abort();
        }
    }
}

/// Options as a single client in a test wants them.
pub(crate) fn options(servers: &[String]) -> Options {
    let json = serde_json::json!({ "servers": servers, "preset": "interactive", "connectTimeoutMs": 8_000 });
    Options::from_json(&json.to_string(), 7, [9, 9]).unwrap()
}

/// A client of these servers that is connected.
pub(crate) async fn connected(servers: &[&Server]) -> Client {
    let urls: Vec<_> = servers.iter().map(|server| server.ws_url()).collect();
    let mut client = Client::new(options(&urls)).unwrap();
    client.connect().await;
    client
}

impl Client {
    pub(crate) fn new(options: Options) -> Result<Self, Refusal> {
        let (tell, facts) = mpsc::unbounded_channel();
        Ok(Self {
            engine: Engine::new(options, Time::ZERO)?,
            sockets: Sockets::default(),
            facts,
            tell,
            clock: Box::new(stopwatch()),
            notices: Vec::new(),
            messages: Vec::new(),
            completed: BTreeMap::new(),
            is_open: false,
            closed: None,
            credentials: Ok(Credentials::default()),
        })
    }

    pub(crate) fn now(&self) -> Time {
        Time::from_start((self.clock)())
    }

    /// Calls the engine with the time.
    pub(crate) fn call<T>(&mut self, call: impl FnOnce(&mut Engine, Time) -> T) -> T {
        let now = self.now();
        call(&mut self.engine, now)
    }

    pub(crate) async fn connect(&mut self) {
        self.call(Engine::connect);
        self.until("the first link", |client| client.is_open).await;
    }

    pub(crate) fn publish(&mut self, subject: &str, payload: &str) {
        self.call(|engine, now| engine.publish(subject, None, None, payload.as_bytes(), now)).unwrap();
    }

    /// Begins a request, to be awaited by its number.
    pub(crate) fn ask(&mut self, op: u32, subject: &str, payload: &str) {
        let limit = Duration::from_secs(5);
        self.call(|engine, now| engine.request(op, subject, None, payload.as_bytes(), limit, now)).unwrap();
    }

    pub(crate) async fn flush(&mut self) -> Option<Code> {
        const OP: u32 = 1 << 30;
        self.completed.remove(&OP);
        self.call(|engine, now| engine.flush(OP, now));
        self.until("a flush", |client| client.completed.contains_key(&OP)).await;
        self.completed[&OP].0
    }

    /// Runs until `is_done`; panics, naming `what`, when that takes too long.
    pub(crate) async fn until(&mut self, what: &str, is_done: impl Fn(&Self) -> bool) {
        let running = async {
            loop {
                self.perform_all();
                if is_done(self) {
                    return;
                }
                self.step().await;
            }
        };
        if tokio::time::timeout(PATIENCE, running).await.is_err() {
            panic!("{what} took longer than {PATIENCE:?}; notices: {:#?}", self.texts());
        }
    }

    /// Runs for so long.
    pub(crate) async fn run_for(&mut self, duration: Duration) {
        let end = self.now() + duration;
        self.perform_all();
        while self.now() < end {
            let _ = tokio::time::timeout(end.since(self.now()), self.step()).await;
            self.perform_all();
        }
    }

    pub(crate) fn texts(&self) -> Vec<&str> {
        self.notices.iter().filter_map(|notice| notice["text"].as_str()).collect()
    }

    /// The notices of this type.
    pub(crate) fn noticed(&self, kind: &str) -> Vec<&serde_json::Value> {
        self.notices.iter().filter(|notice| notice["type"] == kind).collect()
    }

    pub(crate) fn stat(&self, name: &str) -> u64 {
        let stats: serde_json::Value = serde_json::from_str(&self.engine.stats()).unwrap();
        stats[name].as_u64().unwrap()
    }

    /// The server that new traffic goes to.
    pub(crate) fn server(&self) -> Option<String> {
        self.engine.info().map(|info| info.server_name.clone())
    }

    pub(crate) fn payloads(&self) -> Vec<String> {
        self.messages.iter().map(|frame| String::from_utf8(frame.payload.clone()).unwrap()).collect()
    }

    /// Whether one link is left: what was left behind is closed.
    pub(crate) fn is_settled(&self) -> bool {
        let json: serde_json::Value = serde_json::from_str(&self.engine.snapshot(self.now())).unwrap();
        json["state"] == "live" && self.sockets.0.len() == 1
    }

    /// Takes the effects of now, and returns the addresses of the sockets that are to be opened.
    pub(crate) fn sockets_wanted(&mut self) -> Vec<String> {
        let mut urls = Vec::new();
        while let Some(effect) = self.engine.poll_effect() {
            if let Effect::OpenSocket { url, .. } = &effect {
                urls.push(url.clone());
            }
            self.perform(effect);
        }
        urls
    }

    async fn step(&mut self) {
        let due = self.engine.poll_timeout().map_or(Duration::from_secs(3_600), |due| due.since(self.now()));
        match tokio::time::timeout(due, self.facts.recv()).await {
            Ok(Some(Fact::Opened(socket))) => self.call(|engine, now| engine.socket_opened(socket, now)),
            Ok(Some(Fact::Received(socket, bytes))) => {
                self.call(|engine, now| engine.socket_received(socket, &bytes, now));
            }
            Ok(Some(Fact::Closed(socket, end))) => {
                self.call(|engine, now| engine.socket_closed(socket, end, now));
            }
            Ok(None) => unreachable!("we hold a sender"),
            Err(_elapsed) => self.call(Engine::handle_timeout),
        }
    }

    fn perform_all(&mut self) {
        loop {
            let frames = self.engine.take_frames();
            self.messages.extend(read(&frames));
            match self.engine.poll_effect() {
                Some(effect) => self.perform(effect),
                None if frames.is_empty() => break,
                None => {}
            }
        }
        let now = self.now();
        self.engine.transmit(&mut self.sockets, now);
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::OpenSocket { socket, url } => {
                let (sender, receiver) = mpsc::unbounded_channel();
                let task = tokio::spawn(run_socket(socket, url, receiver, self.tell.clone()));
                self.sockets.0.insert(socket, (sender, task));
            }
            // Without its sender, the task sends what is left and closes.
            Effect::CloseSocket { socket } => drop(self.sockets.0.remove(&socket)),
            Effect::Authenticate { socket, .. } => {
                let credentials = self.credentials.clone();
                self.call(|engine, now| engine.authenticated(socket, credentials, now));
            }
            Effect::Opened => self.is_open = true,
            Effect::Closed { code, text } => self.closed = Some((code, text)),
            Effect::Completed { op, code, value, .. } => _ = self.completed.insert(op, (code, value)),
            Effect::Notice(json) => self.notices.push(serde_json::from_str(&json).unwrap()),
            _ => {}
        }
    }
}

async fn run_socket(
    id: SocketId,
    url: String,
    mut outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
    tell: mpsc::UnboundedSender<Fact>,
) {
    let closed = |code, reason: &str| Fact::Closed(id, SocketEnd::Closed(code, reason.into()));
    let Ok((socket, _)) = tokio_tungstenite::connect_async(url).await else {
        let _ = tell.send(closed(1_006, ""));
        return;
    };
    let _ = tell.send(Fact::Opened(id));
    let (mut sink, mut stream) = socket.split();
    loop {
        tokio::select! {
            bytes = outgoing.recv() => match bytes {
                Some(bytes) => _ = sink.send(Message::binary(bytes)).await,
                None => {
                    let _ = sink.close().await;
                    return;
                }
            },
            message = stream.next() => {
                let fact = match message {
                    Some(Ok(Message::Binary(bytes))) => Fact::Received(id, bytes.to_vec()),
                    Some(Ok(Message::Text(text))) => Fact::Received(id, text.as_bytes().to_vec()),
                    Some(Ok(Message::Close(frame))) => {
                        closed(frame.as_ref().map_or(1_005, |frame| frame.code.into()), "")
                    }
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => closed(1_006, ""),
                };
                let is_end = matches!(fact, Fact::Closed(..));
                let _ = tell.send(fact);
                if is_end {
                    return;
                }
            }
        }
    }
}

fn read(mut frames: &[u8]) -> Vec<Frame> {
    let mut read = Vec::new();
    while !frames.is_empty() {
        let u16_at = |at: usize| usize::from(u16::from_le_bytes([frames[at], frames[at + 1]]));
        let u32_at = |at: usize| u32::from_le_bytes(frames[at..at + 4].try_into().unwrap());
        let (frame, rest) = frames.split_at(u32_at(0) as usize);
        let mut parts = frame[24..].iter().copied();
        let mut part = |length: usize| parts.by_ref().take(length).collect::<Vec<u8>>();
        read.push(Frame {
            is_reply: frame[4] == 1,
            is_no_responders: frame[5] & 1 == 1,
            id: u32_at(12),
            subject: String::from_utf8(part(u16_at(6))).unwrap(),
            reply: String::from_utf8(part(u16_at(8))).unwrap(),
            headers: part(u32_at(16) as usize),
            payload: part(u32_at(20) as usize),
        });
        frames = rest;
    }
    read
}
