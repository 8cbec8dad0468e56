//! The driver's wrapper of the selector. It can record every call and every decision in a decision log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::core::{Action, Call, Selector, Time};
use crate::native::clock::Clock;
use crate::native::hub::lock;
use crate::native::observe::Recorder;

/// Calls the selector. What it decides is taken at once, so that a log shows what follows from what.
#[derive(Debug)]
pub(crate) struct Decider {
    selector: Arc<Mutex<Selector>>,
    clock: Clock,
    recorder: Option<Recorder>,
    /// Not performed yet, oldest first.
    decided: VecDeque<Action>,
}

impl Decider {
    pub(crate) const fn new(
        selector: Arc<Mutex<Selector>>,
        clock: Clock,
        recorder: Option<Recorder>,
    ) -> Self {
        Self { selector, clock, recorder, decided: VecDeque::new() }
    }

    pub(super) fn call(&mut self, call: Call) {
        let mut selector = lock(&self.selector);
        let now = self.clock.now();
        if let Some(recorder) = &mut self.recorder {
            recorder.told(now, call.clone());
        }
        match call {
            Call::Event(event) => selector.handle_event(event, now),
            Call::Timeout => selector.handle_timeout(now),
        }
        while let Some(action) = selector.poll_action() {
            if let Some(recorder) = &mut self.recorder {
                recorder.decided(now, action.clone());
            }
            self.decided.push_back(action);
        }
    }

    pub(super) fn next_action(&mut self) -> Option<Action> {
        self.decided.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        lock(&self.selector).poll_timeout()
    }

    /// Returns when all is written down.
    pub(super) async fn finish(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.finish().await;
        }
    }
}
