//! The servers that answer a client in quiet time, while no server starts or stops.

use std::time::Duration;

use super::player::Stage;
use crate::core::{EndpointId, QuietInfo, QuietProbe, QuietWorld, Time};

/// The world as one client sees it from `now` on, until the region is lost or returns.
#[derive(Debug)]
pub(super) struct Quiet<'a> {
    pub(super) stage: &'a Stage<'a>,
    /// Where the client sits.
    pub(super) home: usize,
    pub(super) now: Time,
    /// Probes whose answers are to be given; all of them in tests, which compare them.
    pub(super) sent: Vec<QuietProbe>,
}

impl Quiet<'_> {
    /// The server and how far it is, unless it is lost.
    fn reach(&self, endpoint: EndpointId) -> Option<(usize, Duration)> {
        let (server, herd) = (endpoint.0 as usize, self.stage.herd);
        (!herd.is_lost(server, self.now)).then(|| (server, herd.rtt[self.home][herd.region_of(server)]))
    }
}

impl QuietWorld for Quiet<'_> {
    fn pong_after(&self, endpoint: EndpointId) -> Option<Duration> {
        self.reach(endpoint).map(|(_, rtt)| rtt)
    }

    fn info(&self, endpoint: EndpointId) -> Option<QuietInfo> {
        let (server, rtt) = self.reach(endpoint)?;
        Some(self.stage.maker.info(server, rtt, self.stage.herd.is_second_life(self.now)))
    }

    fn probe_sent(&mut self, probe: QuietProbe) {
        if cfg!(test) || !probe.is_answered {
            self.sent.push(probe);
        }
    }
}
