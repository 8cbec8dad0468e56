//! The servers of the simulation: they accept connections, do handshakes, answer, enter lame duck mode, and end.

use std::time::Duration;

use super::super::server::Mood;
use super::transport::{FlowId, Message, Stage};
use super::{Happening, Seen, World};
use crate::core::Cause;

/// After it announced its end, a server leaves its clients alone for this long (nats-server's default) ...
const LAME_DUCK_GRACE: Duration = Duration::from_secs(10);
/// ... then ends them one after the other within this long, and itself. nats-server's default is 2 minutes
/// in all; less is harder for clients.
const LAME_DUCK_SPREAD: Duration = Duration::from_secs(20);

impl World {
    /// A message has reached the server of this connection.
    pub(super) fn serve(&mut self, id: FlowId, message: Message) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        let index = flow.server;
        let server = &self.servers[index];
        let is_new = matches!(message, Message::Syn);
        let listens = server.mood != Mood::Down && !server.lame_duck;
        match (is_new, server.mood) {
            (true, _) if !listens => self.reset(id, Message::Refused),
            (true, _) => {
                flow.life = server.life;
                self.send_to_client(id, Message::SynAck);
            }
            (false, Mood::Down) => self.reset(id, ended("no such connection")),
            (false, _) if flow.life != server.life => self.reset(id, ended("no such connection")),
            (false, Mood::Frozen) => {
                self.frozen.entry(index).or_default().push(Happening::Serve(id, message));
            }
            (false, Mood::Up | Mood::Dark) => self.answer(id, message),
        }
    }

    fn answer(&mut self, id: FlowId, message: Message) {
        let Some(flow) = self.flows.get(&id) else { return };
        let index = flow.server;
        let reply = match message {
            Message::Ack => Message::Info,
            Message::Ping { ping, sent } => Message::Pong { ping, sent },
            Message::Subscribe => Message::Subscribed,
            Message::Ask { question } => Message::Told { question, passed: !self.servers[index].unhealthy },
            Message::Connect => return self.handshake(id, index),
            _ => return,
        };
        let slow = self.servers[index].slow;
        if slow.is_zero() {
            self.send_to_client(id, reply);
        } else {
            self.at(self.now + slow, Happening::Reply(id, reply));
        }
    }

    fn handshake(&mut self, id: FlowId, index: usize) {
        self.seen.push(Seen::Handshake { server: index });
        let now = self.now;
        let server = &mut self.servers[index];
        if server.locked {
            return self.send_to_client(id, Message::AuthRefused);
        }
        let slow = server.slow;
        match server.handshake(now) {
            Ok(done) => self.at(done + slow, Happening::Reply(id, Message::Welcome)),
            Err(dropped) => {
                let cause = Cause::ServerError("Authentication Timeout".into());
                self.at(dropped, Happening::Reply(id, Message::End(cause)));
            }
        }
    }

    /// What took its time is said now, if the server still lives.
    pub(super) fn reply(&mut self, id: FlowId, message: Message) {
        let Some(flow) = self.flows.get(&id) else { return };
        let (index, server) = (flow.server, &self.servers[flow.server]);
        if server.life != flow.life {
            return;
        }
        match server.mood {
            Mood::Up => self.send_to_client(id, message),
            Mood::Frozen => self.frozen.entry(index).or_default().push(Happening::Reply(id, message)),
            Mood::Down | Mood::Dark => {}
        }
    }

    /// Ends the connections of a server, from its side.
    pub(super) fn end_connections(&mut self, index: usize, cause: &Cause) {
        let ids: Vec<_> = self.connections(index).map(|(id, _)| id).collect();
        for id in ids {
            self.end(id, cause.clone());
        }
    }

    fn end(&mut self, id: FlowId, cause: Cause) {
        self.send_to_client(id, Message::End(cause));
        if let Some(flow) = self.flows.get_mut(&id) {
            flow.ended = true;
        }
    }

    fn connections(&self, index: usize) -> impl Iterator<Item = (FlowId, Stage)> + '_ {
        let life = self.servers[index].life;
        let here = self.flows.iter().filter(move |(_, flow)| flow.server == index && flow.life == life);
        here.filter(|(_, flow)| !flow.ended).map(|(id, flow)| (*id, flow.stage))
    }

    /// Announces the end of a server.
    pub(super) fn announce_end(&mut self, index: usize) {
        if self.servers[index].mood != Mood::Up || self.servers[index].lame_duck {
            return;
        }
        self.servers[index].lame_duck = true;
        let open: Vec<_> = self.connections(index).filter(|(_, stage)| *stage != Stage::Dialing).collect();
        let share = LAME_DUCK_SPREAD / u32::try_from(open.len() + 1).unwrap_or(u32::MAX);
        let mut at = self.now + LAME_DUCK_GRACE;
        for (id, _) in open {
            self.send_to_client(id, Message::LameDuck);
            self.at(at, Happening::LameDuckEnd(id));
            at += share;
        }
        let life = self.servers[index].life;
        self.at(self.now + LAME_DUCK_GRACE + LAME_DUCK_SPREAD, Happening::Exit { server: index, life });
    }

    pub(super) fn lame_duck_end(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(&id) else { return };
        let server = &self.servers[flow.server];
        if server.life == flow.life && server.lame_duck && server.mood == Mood::Up {
            self.end(id, Cause::Eof);
        }
    }

    pub(super) fn exit(&mut self, index: usize, life: u32) {
        let server = &self.servers[index];
        if server.life == life && server.lame_duck && server.mood == Mood::Up {
            self.crash(index);
        }
    }

    /// The process ends; its host says so.
    pub(super) fn crash(&mut self, index: usize) {
        if !matches!(self.servers[index].mood, Mood::Up | Mood::Frozen) {
            return;
        }
        self.end_connections(index, &Cause::Eof);
        self.servers[index].mood = Mood::Down;
        self.frozen.remove(&index);
    }
}

fn ended(why: &str) -> Message {
    Message::End(Cause::Reset(why.into()))
}
