//! Simulated servers for tests. They answer correctly, unless a test changes an answer.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use super::Script;

/// An engine among servers of two regions.
pub(super) struct Servers {
    pub(super) script: Script,
    greeted: BTreeSet<SocketId>,
    /// All that was sent to each.
    pub(super) heard: BTreeMap<SocketId, String>,
    /// How many PONGs those owe who have fallen silent.
    silent: BTreeMap<SocketId, usize>,
}

/// What makes a server fall silent.
pub(super) type Ignored = fn(&str) -> bool;

pub(super) const NOTHING: Ignored = |_| false;

impl Servers {
    /// Until the first link is live; `more` options, as JSON.
    pub(super) fn live(more: &str) -> Self {
        let json = format!(
            r#"{{"servers":["lon=ws://a:1","ams=ws://b:1"],"preset":"interactive","config":{{"spread":{{"lame_duck":0}}}}{more}}}"#
        );
        let script = Script::new(Options::from_json(&json, 1, [2, 0]).unwrap());
        let mut servers =
            Self { script, greeted: BTreeSet::new(), heard: BTreeMap::new(), silent: BTreeMap::new() };
        servers.run(100, NOTHING);
        assert!(servers.script.engine.is_live(), "{:?}", servers.script.effects);
        servers
    }

    /// As [`live`](Self::live), but nothing has happened yet.
    pub(super) fn of(options: Options) -> Option<Self> {
        let script = Script::over(Engine::new(options, Time::ZERO).ok()?);
        Some(Self { script, greeted: BTreeSet::new(), heard: BTreeMap::new(), silent: BTreeMap::new() })
    }

    pub(super) fn engine(&mut self) -> &mut Engine {
        &mut self.script.engine
    }

    pub(super) fn now(&self) -> Time {
        self.script.now
    }

    pub(super) fn home(&self) -> SocketId {
        self.script.engine.live.unwrap()
    }

    /// Lets time pass, in steps of a millisecond.
    pub(super) fn run(&mut self, ms: u64, ignored: Ignored) {
        for _ in 0..ms {
            self.script.later(1);
            self.serve(ignored);
        }
    }

    /// Runs until something was sent to a server other than `socket` that begins so; returns to which.
    pub(super) fn run_until_heard(&mut self, begin: &str, socket: SocketId, ignored: Ignored) -> SocketId {
        for _ in 0..2_000 {
            self.run(1, ignored);
            let lines = |text: &str| text.lines().any(|line| line.starts_with(begin));
            if let Some((other, _)) =
                self.heard.iter().find(|(other, text)| **other != socket && lines(text.as_str()))
            {
                return *other;
            }
        }
        panic!("nobody was told `{begin}`: {:?}", self.heard);
    }

    pub(super) fn close(&mut self, socket: SocketId) {
        let now = self.now();
        self.engine().socket_closed(socket, SocketEnd::Closed(1_006, String::new()), now);
        self.script.drain();
    }

    /// It hears everything and says nothing from now on.
    pub(super) fn silence(&mut self, socket: SocketId) {
        self.silent.entry(socket).or_default();
    }

    /// It says all that it owes.
    pub(super) fn speak(&mut self, socket: SocketId) {
        let owed = self.silent.remove(&socket).unwrap_or_default();
        self.script.say(socket, &b"PONG\r\n".repeat(owed));
    }

    pub(super) fn is_open(&self, socket: SocketId) -> bool {
        self.script.engine.links.contains_key(&socket)
    }

    /// Returns whether any link was suspected.
    pub(super) fn is_suspected(&self) -> bool {
        let is_suspicion =
            |effect: &Effect| matches!(effect, Effect::Notice(json) if json.contains("\"suspected\""));
        self.script.effects.iter().any(is_suspicion)
    }

    pub(super) fn announce_the_end(&mut self, socket: SocketId) {
        self.script.say(socket, b"INFO {\"server_id\":\"S\",\"ldm\":true}\r\n");
    }

    /// How often a line was sent to a server.
    pub(super) fn count(&self, socket: SocketId, line: &str) -> usize {
        self.heard.get(&socket).map_or(0, |text| text.lines().filter(|it| *it == line).count())
    }

    fn serve(&mut self, ignored: Ignored) {
        loop {
            for socket in self.script.opened() {
                if self.greeted.insert(socket) {
                    self.script.engine.socket_opened(socket, self.script.now);
                    let id = socket.0;
                    self.script.say(
                        socket,
                        format!("INFO {{\"server_id\":\"S{id}\",\"max_payload\":1000,\"headers\":true}}\r\n")
                            .as_bytes(),
                    );
                }
            }
            let sent = std::mem::take(&mut self.script.sent);
            if sent.is_empty() {
                return;
            }
            for (socket, bytes) in sent {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                self.heard.entry(socket).or_default().push_str(&text);
                if ignored(&text) {
                    self.silence(socket);
                }
                let pings = text.lines().filter(|line| *line == "PING").count();
                match self.silent.get_mut(&socket) {
                    Some(owed) => *owed += pings,
                    None => self.script.say(socket, &b"PONG\r\n".repeat(pings)),
                }
            }
        }
    }
}
