//! The effect of one fault on one client.

use std::time::{Duration, Instant};

use crate::clients::{Outcome, Sign};
use crate::load::requests::Op;

/// The parts of a failover.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Phases {
    /// Until the client knew, or suspected.
    pub detection: Duration,
    /// Until it dialled the server that it landed on; `None` where the client does not tell.
    pub selection: Option<Duration>,
    /// Until that connection was open.
    pub reconnect: Duration,
    /// Until the first request was answered.
    pub resume: Duration,
}

/// What a client did during a fault.
#[derive(Clone, Debug)]
pub struct Trace<'a> {
    /// When the fault was in force.
    pub fault_at: Instant,
    /// Its requests.
    pub ops: &'a [Op],
    /// What it noticed.
    pub signs: &'a [(Instant, Sign)],
}

impl Trace<'_> {
    /// From the fault to the first request that was sent after it and answered.
    pub fn failover(&self) -> Option<Duration> {
        let after = self.ops.iter().filter(|op| op.sent > self.fault_at && op.outcome == Outcome::Ok);
        after.map(|op| op.done - self.fault_at).min()
    }

    /// The parts of `failover`.
    pub fn phases(&self, failover: Duration) -> Option<Phases> {
        let resumed = self.fault_at + failover;
        let detected = self.after_fault().find(|(_, sign)| *sign == Sign::Trouble)?.0;
        let moved = self.after_fault().find_map(|(at, sign)| match sign {
            Sign::Moved(conn) => Some((*at, *conn)),
            _ => None,
        });
        let (moved_at, conn) = moved?;
        let at = |wanted: Sign| self.after_fault().find(|(_, sign)| *sign == wanted).map(|(at, _)| *at);
        // A standby was dialled and opened before: then the choice is made when traffic moves.
        let opened = at(Sign::Opened(conn)).unwrap_or(moved_at);
        let dialled = at(Sign::Dialing(conn));
        let is_standby = at(Sign::Opened(conn)).is_none();
        let selected = if is_standby { Some(moved_at) } else { dialled };
        Some(Phases {
            detection: detected.saturating_duration_since(self.fault_at),
            selection: selected.map(|selected| selected.saturating_duration_since(detected)),
            reconnect: opened.saturating_duration_since(selected.unwrap_or(detected)),
            resume: resumed.saturating_duration_since(opened),
        })
    }

    fn after_fault(&self) -> impl Iterator<Item = &(Instant, Sign)> {
        self.signs.iter().filter(|(at, _)| *at >= self.fault_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A request from `sent` to `done`, in milliseconds after the fault (plus 1000).
    fn op(base: Instant, sent: u64, done: u64, outcome: Outcome) -> Op {
        Op { intended: base + ms(sent), sent: base + ms(sent), done: base + ms(done), outcome }
    }

    #[test]
    fn a_failover_ends_with_the_first_answer_to_a_request_sent_after_the_fault() {
        let base = clock::now();
        let fault_at = base + ms(1_000);
        let ops = [
            op(base, 995, 1_004, Outcome::Ok),
            op(base, 998, 1_300, Outcome::Failed),
            op(base, 1_005, 1_900, Outcome::Ok),
            op(base, 1_100, 1_410, Outcome::Ok),
            op(base, 1_200, 1_420, Outcome::Ok),
        ];
        let signs = [
            (base, Sign::Moved(0)),
            (base + ms(1_250), Sign::Trouble),
            (base + ms(1_260), Sign::Dialing(3)),
            (base + ms(1_260), Sign::Dialing(4)),
            (base + ms(1_290), Sign::Opened(4)),
            (base + ms(1_290), Sign::Moved(4)),
        ];
        let trace = Trace { fault_at, ops: &ops, signs: &signs };
        assert_eq!(trace.failover(), Some(ms(410)), "the first request was on its way already");
        let phases = trace.phases(ms(410)).unwrap();
        assert_eq!((phases.detection, phases.selection), (ms(250), Some(ms(10))));
        assert_eq!((phases.reconnect, phases.resume), (ms(30), ms(120)));
    }

    #[test]
    fn a_standby_has_no_dial_in_the_fault() {
        let base = clock::now();
        let ops = [op(base, 10, 30, Outcome::Ok)];
        let signs = [(base + ms(5), Sign::Trouble), (base + ms(8), Sign::Moved(7))];
        let phases = Trace { fault_at: base, ops: &ops, signs: &signs }.phases(ms(30)).unwrap();
        assert_eq!((phases.selection, phases.reconnect, phases.resume), (Some(ms(3)), ms(0), ms(22)));
    }

    #[test]
    fn without_an_answer_there_is_no_failover() {
        let base = clock::now();
        let ops = [op(base, 10, 30, Outcome::TimedOut)];
        let trace = Trace { fault_at: base, ops: &ops, signs: &[] };
        assert_eq!((trace.failover(), trace.phases(ms(1))), (None, None));
    }
}
