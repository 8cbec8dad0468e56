//! The speed at which receivers may take messages. The fault `slow-consumer` slows the receivers of a population.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// The most messages per second that each receiver takes; `None`: all that come.
type Limit = Option<f64>;

/// The brakes of all populations that have receivers.
#[derive(Clone, Debug)]
pub(crate) struct Brakes(Arc<BTreeMap<usize, watch::Sender<Limit>>>);

/// The brake of one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Brake(Option<watch::Receiver<Limit>>);

impl Brakes {
    pub(crate) fn new(populations: usize) -> Self {
        Self(Arc::new((0..populations).map(|population| (population, watch::Sender::new(None))).collect()))
    }

    pub(crate) fn of(&self, population: usize) -> Brake {
        Brake(self.0.get(&population).map(watch::Sender::subscribe))
    }

    /// Each receiver of the population takes so many messages per second from now on; 0: none.
    pub(crate) fn slow_down(&self, population: usize, per_s: f64) {
        self.set(population, Some(per_s));
    }

    /// Its receivers take all messages again.
    pub(crate) fn release(&self, population: usize) {
        self.set(population, None);
    }

    fn set(&self, population: usize, limit: Limit) {
        if let Some(sender) = self.0.get(&population) {
            sender.send_replace(limit);
        }
    }
}

impl Brake {
    /// Returns as soon as the receiver may take its next message.
    pub(crate) async fn wait(&mut self) {
        let Some(limit) = &mut self.0 else { return };
        let Some(per_s) = *limit.borrow_and_update() else { return };
        let is_free = limit.wait_for(Option::is_none);
        if per_s > 0.0 {
            // The pause ends early when the fault does.
            let _ = tokio::time::timeout(Duration::from_secs_f64(per_s.recip()), is_free).await;
        } else {
            // Without a sender the play is over.
            let _ = is_free.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_receiver_waits_only_while_its_population_is_slow() {
        let brakes = Brakes::new(2);
        let mut brake = brakes.of(0);
        brakes.slow_down(1, 0.0);
        assert!(brake.wait().now_or_never().is_some(), "another population is slow");
        brakes.slow_down(0, 4.0);
        let within = |limit| Duration::from_millis(limit);
        assert!(tokio::time::timeout(within(249), brake.wait()).await.is_err());
        assert!(tokio::time::timeout(within(251), brake.wait()).await.is_ok());
        brakes.slow_down(0, 0.0);
        assert!(brake.wait().now_or_never().is_none());
        brakes.release(0);
        assert!(brake.wait().now_or_never().is_some());
    }
}
