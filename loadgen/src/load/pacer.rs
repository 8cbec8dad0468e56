//! An open-loop schedule: it never moves, whatever the replies do.

use std::time::{Duration, Instant};

use crate::clock;

/// Points in time at a fixed rate. Late ones are made up for at once, never skipped: otherwise an outage
/// would hide the requests that it swallowed (coordinated omission).
#[derive(Clone, Debug)]
pub struct Pacer {
    start: Instant,
    period: Duration,
    ticks: u32,
}

impl Pacer {
    /// `per_second` ticks, the first at `start`.
    pub fn new(start: Instant, per_second: u16) -> Self {
        Self { start, period: Duration::from_secs(1) / u32::from(per_second.max(1)), ticks: 0 }
    }

    /// Waits for the next tick and returns when it was intended.
    pub async fn tick(&mut self) -> Instant {
        let intended = self.start + self.period * self.ticks;
        self.ticks += 1;
        if intended > clock::now() {
            tokio::time::sleep_until(intended.into()).await;
        }
        intended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ticks_that_are_overdue_come_at_once_and_keep_their_times() {
        let start = clock::now() - Duration::from_millis(95);
        let mut pacer = Pacer::new(start, 100);
        let mut intended = Vec::new();
        for _ in 0..12 {
            intended.push(pacer.tick().await);
        }
        let gaps = intended.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.into_iter().all(|gap| gap == Duration::from_millis(10)));
        assert!(clock::now() >= start + Duration::from_millis(110), "the last two were waited for");
    }
}
