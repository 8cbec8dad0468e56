//! Stage 6: decides whether a link is alive. A silent link first becomes suspect, and only later dead.

use std::time::Duration;

use super::estimate::RttTimer;
use super::time::earliest;
use super::{PingId, Time, WatchConfig};

/// Watches one open link by PINGs; at most one is outstanding, since TCP repeats it anyway.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) timer: RttTimer,
    next_ping: Time,
    outstanding: Option<Outstanding>,
    suspect: bool,
}

#[derive(Clone, Copy, Debug)]
struct Outstanding {
    ping: PingId,
    sent: Time,
    /// When something last moved on the link; `sent` at first.
    progress: Time,
}

/// What is due on a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Due {
    /// Send a PING and tell [`Watch::pinged`].
    Ping,
    /// It just became suspect.
    Suspect,
    /// It is to be ended.
    Dead,
}

impl Watch {
    /// Watches a link that was opened now, from a first idea of its RTT. The first PING is due at once.
    pub(crate) fn new(base: Option<Duration>, now: Time) -> Self {
        Self { timer: RttTimer::seeded(base), next_ping: now, outstanding: None, suspect: false }
    }

    pub(crate) fn awaits(&self, ping: PingId) -> bool {
        self.outstanding.is_some_and(|outstanding| outstanding.ping == ping)
    }

    pub(crate) const fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// What is due now. Becoming suspect is reported once; Dead until the link is gone.
    pub(crate) fn poll(&mut self, now: Time, config: &WatchConfig) -> Option<Due> {
        let Some(outstanding) = self.outstanding else {
            return (self.next_ping <= now).then_some(Due::Ping);
        };
        if self.dead_at(outstanding, config) <= now {
            return Some(Due::Dead);
        }
        if !self.suspect && self.suspect_at(outstanding, config) <= now {
            self.suspect = true;
            return Some(Due::Suspect);
        }
        None
    }

    /// A PING went out.
    pub(crate) fn pinged(&mut self, ping: PingId, now: Time, config: &WatchConfig) {
        self.outstanding = Some(Outstanding { ping, sent: now, progress: now });
        self.next_ping = now + config.ping_interval;
    }

    /// A PONG came. Returns whether it is the one that is awaited.
    pub(crate) fn pong(&mut self, ping: PingId, rtt: Duration) -> bool {
        let is_awaited = self.awaits(ping);
        if is_awaited {
            self.outstanding = None;
            self.suspect = false;
            self.timer.record(rtt);
        }
        is_awaited
    }

    /// Something moved on the link. Returns whether that lifts a suspicion.
    pub(crate) fn progress(&mut self, now: Time, config: &WatchConfig) -> bool {
        let Some(outstanding) = &mut self.outstanding else { return false };
        outstanding.progress = outstanding.progress.max(now);
        let outstanding = *outstanding;
        let lifts = self.suspect && now < self.suspect_at(outstanding, config);
        if lifts {
            self.suspect = false;
        }
        lifts
    }

    /// After a stall: what was awaited proves nothing. Pings again.
    pub(crate) fn restart(&mut self, now: Time) {
        self.outstanding = None;
        self.suspect = false;
        self.next_ping = now;
    }

    /// No PING is on its way.
    #[cfg(feature = "sim")]
    pub(crate) const fn is_idle(&self) -> bool {
        self.outstanding.is_none() && !self.suspect
    }

    /// When the last PING before `end` is sent, if all of them are answered in time.
    #[cfg(feature = "sim")]
    pub(crate) fn last_ping_before(&self, end: Time, config: &WatchConfig) -> Option<Time> {
        let pings = self.pings_before(end, config);
        pings.checked_sub(1).map(|before| self.next_ping + nanos_times(config.ping_interval, before))
    }

    /// The state after all PINGs before `end` were answered after `rtt`, how many those are, and when the last answer came;
    /// `None` if the link would become suspect meanwhile.
    #[cfg(feature = "sim")]
    pub(crate) fn after_answered_pings(
        &self,
        end: Time,
        rtt: Duration,
        config: &WatchConfig,
    ) -> Option<(Self, u64, Time)> {
        let mut after = self.clone();
        let pings = self.pings_before(end, config);
        let mut left = pings;
        while left > 0 {
            if rtt >= after.timer.suspect_after(config) {
                return None;
            }
            let before = after.timer.clone();
            after.timer.record(rtt);
            left -= 1;
            if after.timer.is_as_settled_as(&before) {
                // From here on each answer only takes the place of one like it.
                after.timer.turn(left);
                break;
            }
        }
        after.next_ping += nanos_times(config.ping_interval, pings);
        let last_pong = self.last_ping_before(end, config).map_or(Time::ZERO, |last| last + rtt);
        Some((after, pings, last_pong))
    }

    #[cfg(feature = "sim")]
    fn pings_before(&self, end: Time, config: &WatchConfig) -> u64 {
        let interval = nanos(config.ping_interval).max(1);
        nanos(end.since(self.next_ping)).div_ceil(interval)
    }

    pub(crate) fn poll_timeout(&self, config: &WatchConfig) -> Option<Time> {
        let Some(outstanding) = self.outstanding else { return Some(self.next_ping) };
        let suspect = (!self.suspect).then(|| self.suspect_at(outstanding, config));
        earliest(suspect, Some(self.dead_at(outstanding, config)))
    }

    /// No PONG *and* no progress; but progress alone (the way in works, the way out may not) only
    /// postpones it up to the patience.
    fn suspect_at(&self, outstanding: Outstanding, config: &WatchConfig) -> Time {
        let after = self.timer.suspect_after(config);
        (outstanding.progress + after).min(outstanding.sent + after.max(config.progress_patience))
    }

    fn dead_at(&self, outstanding: Outstanding, config: &WatchConfig) -> Time {
        let ladder = self.timer.dead_after(config).saturating_sub(self.timer.suspect_after(config));
        self.suspect_at(outstanding, config) + ladder
    }
}

#[cfg(feature = "sim")]
fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(feature = "sim")]
fn nanos_times(span: Duration, times: u64) -> Duration {
    Duration::from_nanos(nanos(span).saturating_mul(times))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const PING: PingId = PingId(1);

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    /// A link over 9 ms, pinged at 0.
    fn pinged() -> (Watch, WatchConfig) {
        let config = Config::interactive().watch;
        let mut watch = Watch::new(None, Time::ZERO);
        (0..50).for_each(|_| watch.timer.record(Duration::from_millis(9)));
        assert_eq!(watch.poll(Time::ZERO, &config), Some(Due::Ping));
        watch.pinged(PING, Time::ZERO, &config);
        (watch, config)
    }

    #[test]
    fn silence_is_suspect_at_250_ms_and_dead_at_1_s() {
        let (mut watch, config) = pinged();
        assert_eq!(watch.poll_timeout(&config), Some(at(250)));
        assert_eq!(watch.poll(at(249), &config), None);
        assert_eq!(watch.poll(at(250), &config), Some(Due::Suspect));
        assert_eq!(watch.poll(at(251), &config), None, "once");
        assert_eq!(watch.poll_timeout(&config), Some(at(1_000)));
        assert_eq!(watch.poll(at(1_000), &config), Some(Due::Dead));
    }

    #[test]
    fn a_pong_lifts_the_suspicion_and_the_next_ping_keeps_its_time() {
        let (mut watch, config) = pinged();
        watch.poll(at(250), &config);
        assert!(!watch.pong(PingId(9), Duration::from_millis(300)), "not the awaited one");
        assert!(watch.pong(PING, Duration::from_millis(300)));
        assert!(!watch.is_suspect());
        assert_eq!(watch.poll_timeout(&config), Some(at(500)));
        assert_eq!(watch.poll(at(500), &config), Some(Due::Ping));
    }

    #[test]
    fn progress_postpones_the_verdict_but_not_beyond_the_patience() {
        let (mut watch, config) = pinged();
        for ms in (100..=19_900).step_by(100) {
            assert_eq!(watch.poll(at(ms), &config), None, "at {ms} ms");
            watch.progress(at(ms), &config);
        }
        assert_eq!(watch.poll(at(20_000), &config), Some(Due::Suspect));
        assert_eq!(watch.poll(at(20_749), &config), None);
        assert_eq!(watch.poll(at(20_750), &config), Some(Due::Dead));
    }

    #[test]
    fn progress_lifts_a_suspicion() {
        let (mut watch, config) = pinged();
        watch.poll(at(250), &config);
        assert!(watch.progress(at(260), &config));
        assert!(!watch.is_suspect());
        assert_eq!(watch.poll_timeout(&config), Some(at(510)));
    }

    #[test]
    fn a_stall_voids_what_is_pending() {
        let (mut watch, config) = pinged();
        watch.poll(at(250), &config);
        watch.restart(at(9_000));
        assert!(!watch.is_suspect());
        assert_eq!(watch.poll(at(9_000), &config), Some(Due::Ping));
        assert!(!watch.pong(PING, Duration::from_millis(9)), "the old ping is forgotten");
    }
}
