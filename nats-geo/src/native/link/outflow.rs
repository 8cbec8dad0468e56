//! This module decides whether an answer may be late only because of data that was written before its request.

use std::collections::VecDeque;
use std::time::Duration;

use crate::core::{DeliveryRate, Time};
use crate::native::clock::Clock;

/// The questions of one link that have no answer yet, and how fast what it writes arrives.
#[derive(Debug)]
pub(super) struct Outflow {
    clock: Clock,
    rate: DeliveryRate,
    /// In the order in which they were asked, which is that of their answers.
    questions: VecDeque<Asked>,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    number: u64,
    /// Bytes that the kernel had taken by then.
    position: u64,
    at: Time,
}

impl Outflow {
    pub(super) fn new() -> Self {
        Self { clock: Clock::start(), rate: DeliveryRate::default(), questions: VecDeque::new(), next: 0 }
    }

    /// A question stands in our own buffers; the kernel has taken this many bytes so far. Returns its number.
    pub(super) fn asked(&mut self, position: u64) -> u64 {
        let number = self.next;
        self.next += 1;
        self.questions.push_back(Asked { number, position, at: self.clock.now() });
        number
    }

    /// The kernel has taken the question, and this many bytes in all.
    pub(super) fn written(&mut self, number: u64, position: u64) {
        let at = self.clock.now();
        if let Some(asked) = self.questions.iter_mut().find(|asked| asked.number == number) {
            *asked = Asked { number, position, at };
        }
    }

    /// The answer came this long after the question was written.
    pub(super) fn answered(&mut self, number: u64, round_trip: Duration) {
        // Those before it have been given up by whoever asked.
        while let Some(asked) = self.questions.front().filter(|asked| asked.number <= number).copied() {
            self.questions.pop_front();
            if asked.number == number {
                self.rate.pong(asked.position, round_trip, self.clock.now());
            }
        }
    }

    /// Returns whether the oldest answer may still wait behind what was written.
    pub(super) fn is_under_way(&self) -> bool {
        self.questions
            .front()
            .is_some_and(|asked| self.clock.now().since(asked.at) < self.rate.queueing(asked.position))
    }
}
