//! Health checks of links, at the times when the native driver runs them.

use std::time::Duration;

use super::transport::Message;
use super::{Happening, World};
use crate::core::{ConnId, Event, Handover};

/// The defaults of the native client.
const TIMEOUT: Duration = Duration::from_secs(2);
const FAILURES: u32 = 3;

/// The health check of one link.
#[derive(Clone, Debug)]
pub(super) struct HealthCheck {
    /// The link waits for its result.
    bars: bool,
    /// In a row.
    failures: u32,
    /// The one that waits for an answer, if any, and how many there were.
    waiting: Option<u64>,
    asked: u64,
}

impl World {
    /// Moves the subscriptions to a link: after its health check, if there is time for that.
    pub(super) fn activate(&mut self, client: usize, conn: ConnId, handover: Handover) {
        let bars = handover == Handover::AfterBarrier;
        if self.health_check_period.is_some() {
            let check = HealthCheck { bars, failures: 0, waiting: None, asked: 0 };
            self.hosts[client].health_checks.insert(conn, check);
            self.check_health(client, conn);
        }
        if !bars || self.health_check_period.is_none() {
            self.send_on(client, conn, Message::Subscribe);
        }
    }

    /// Asks, and again after the period.
    pub(super) fn check_health(&mut self, client: usize, conn: ConnId) {
        let Some(check) = self.hosts[client].health_checks.get_mut(&conn) else { return };
        let Some(period) = self.health_check_period else { return };
        check.asked += 1;
        let question = check.asked;
        check.waiting = Some(question);
        self.send_on(client, conn, Message::Ask { question });
        self.at(self.now + TIMEOUT, Happening::HealthCheckOverdue { client, conn, question });
        self.at(self.now + period, Happening::HealthCheck { client, conn });
    }

    /// The answer, or that there is none.
    pub(super) fn health_check_answered(&mut self, client: usize, conn: ConnId, question: u64, passed: bool) {
        let checks = &mut self.hosts[client].health_checks;
        let Some(check) = checks.get_mut(&conn).filter(|check| check.waiting == Some(question)) else {
            return;
        };
        check.waiting = None;
        check.failures = if passed { 0 } else { check.failures + 1 };
        let (was_barred, is_bad) = (std::mem::take(&mut check.bars), check.failures >= FAILURES);
        match (was_barred, passed) {
            (true, true) => self.send_on(client, conn, Message::Subscribe),
            (true, false) => {
                checks.remove(&conn);
                self.failed_health_check(client, conn);
            }
            (false, _) if is_bad => self.failed_health_check(client, conn),
            (false, _) => {}
        }
    }

    fn failed_health_check(&mut self, client: usize, conn: ConnId) {
        self.tell(client, Event::Unhealthy { conn, why: "the health check failed".into() });
    }

    /// Returns whether all servers of a region are unhealthy.
    pub(crate) fn is_unhealthy(&self, region: usize) -> bool {
        self.servers.iter().filter(|server| server.region == region).all(|server| server.unhealthy)
    }

    /// The longest time from the moment when a region is unhealthy until a client knows.
    pub(crate) fn verdict_within(&self) -> Option<Duration> {
        self.health_check_period.map(|period| FAILURES * period + period + TIMEOUT)
    }
}
