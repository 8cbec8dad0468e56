//! The servers, and the clients in their handshake queues.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::player::{Meeting, Player, Stage};
use crate::core::Time;
use crate::sim::server::Server;

/// Clients that dial somebody after the loss. Between two handshakes nothing that another client does matters to a client,
/// so each is played from one to the next by itself; the handshakes themselves take place in the order of time.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) stage: Stage<'a>,
    pub(super) players: Vec<Player>,
    /// The next one of each client that has one, by time and number of the client.
    meetings: BinaryHeap<Reverse<(Time, usize)>>,
    next: Vec<Option<Meeting>>,
    /// Handshakes have to wait for each other.
    servers: Vec<Server>,
    /// Handshakes that each server was asked for, in each second since the loss.
    pub(super) load: Vec<Vec<u32>>,
}

impl<'a> World<'a> {
    pub(super) fn new(stage: Stage<'a>) -> Self {
        let herd = stage.herd;
        let server = |number| Server::new(String::new(), herd.region_of(number), herd.accepts_per_second);
        Self {
            stage,
            players: Vec::new(),
            meetings: BinaryHeap::new(),
            next: Vec::new(),
            servers: (0..herd.servers()).map(server).collect(),
            load: vec![Vec::new(); herd.servers()],
        }
    }

    /// A client that was played up to here comes in; it is about to meet others, or not for now.
    pub(super) fn enter(&mut self, mut player: Player, meeting: Option<Meeting>) {
        player.shrink();
        let number = self.players.len();
        self.players.push(player);
        self.next.push(None);
        self.await_meeting(number, meeting);
    }

    /// Each thing that happens to anybody, one after the other in the order of time, however quiet the time is.
    #[cfg(test)]
    pub(super) fn run_step_by_step(&mut self, end: Time) {
        let mut upcoming = BinaryHeap::new();
        let stage = self.stage;
        for (number, player) in self.players.iter_mut().enumerate() {
            upcoming.extend(player.next_at(end, &stage).map(|at| Reverse((at, number))));
        }
        while let Some(Reverse((_, number))) = upcoming.pop().filter(|Reverse((at, _))| *at < end) {
            if let Some(meeting) = self.players[number].step(&stage) {
                self.next[number] = Some(meeting);
                self.meet(number);
            }
            upcoming.extend(self.players[number].next_at(end, &stage).map(|at| Reverse((at, number))));
        }
    }

    pub(super) fn run_until(&mut self, end: Time) {
        for number in 0..self.players.len() {
            if self.next[number].is_none() {
                let meeting = self.players[number].run_until(end, &self.stage);
                self.await_meeting(number, meeting);
            }
        }
        while let Some(Reverse((_, number))) = self.meetings.peek().filter(|Reverse((at, _))| *at < end) {
            let number = *number;
            self.meetings.pop();
            self.meet(number);
            let meeting = self.players[number].run_until(end, &self.stage);
            self.await_meeting(number, meeting);
        }
    }

    fn await_meeting(&mut self, number: usize, meeting: Option<Meeting>) {
        self.next[number] = meeting;
        if let Some(Meeting { at, .. }) = meeting {
            self.meetings.push(Reverse((at, number)));
        }
    }

    fn meet(&mut self, number: usize) {
        let Some(meeting) = self.next[number].take() else { return };
        let Meeting { at, server, .. } = meeting;
        let load = &mut self.load[server];
        let second = at.since(self.stage.herd.loss_at()).as_secs() as usize;
        if load.len() <= second {
            load.resize(second + 1, 0);
        }
        load[second] += 1;
        let answer = self.servers[server].handshake(at);
        self.players[number].answered(meeting, answer, self.stage.herd);
    }
}
