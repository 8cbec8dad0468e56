//! Timers that are exact to a fraction of a millisecond.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::sync::Notify;

use crate::clock;

/// A timer fine enough for WAN delays: tokio's has a granularity of 1 ms, a tenth of the shortest link in the table.
///
/// All sleepers share one operating system timer, so a release costs one wake-up of the runtime's own poll and no
/// switch of threads.
#[derive(Debug)]
pub(super) struct Timer {
    queue: Arc<Queue>,
}

impl Timer {
    /// Starts the timer's task on the runtime of the current context.
    pub(super) fn start() -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let alarm = alarm::Alarm::new()?;
        tokio::spawn(run(Arc::clone(&queue), alarm));
        Ok(Self { queue })
    }

    /// Waits until `deadline`.
    pub(super) fn sleep_until(&self, deadline: Instant) -> SleepUntil {
        let id = self.queue.next_id.fetch_add(1, Ordering::Relaxed);
        SleepUntil { queue: Arc::clone(&self.queue), key: (deadline, id), queued: false }
    }
}

/// The future of [`Timer::sleep_until`].
#[derive(Debug)]
pub(super) struct SleepUntil {
    queue: Arc<Queue>,
    key: (Instant, u64),
    queued: bool,
}

impl Future for SleepUntil {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.key.0 <= clock::now() {
            return Poll::Ready(());
        }
        self.queue.insert(self.key, context.waker());
        self.queued = true;
        Poll::Pending
    }
}

impl Drop for SleepUntil {
    fn drop(&mut self) {
        if self.queued {
            self.queue.lock().sleepers.remove(&self.key);
        }
    }
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    next_id: AtomicU64,
    /// Tells the task that it waits for too late a time.
    earlier: Notify,
}

#[derive(Debug, Default)]
struct State {
    sleepers: BTreeMap<(Instant, u64), Waker>,
    /// What the task waits for. A sleeper that leaves does not change it: one wake-up in vain is cheaper than setting
    /// the alarm again for every parcel.
    armed: Option<Instant>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave the map half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, key: (Instant, u64), waker: &Waker) {
        let mut state = self.lock();
        state.sleepers.insert(key, waker.clone());
        if state.armed.is_none_or(|armed| key.0 < armed) {
            state.armed = Some(key.0);
            self.earlier.notify_one();
        }
    }

    /// Wakes whoever is due and says when to look again.
    fn wake_due(&self, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        while let Some(first) = state.sleepers.first_entry()
            && first.key().0 <= now
        {
            first.remove().wake();
        }
        state.armed = state.sleepers.first_key_value().map(|(key, _)| key.0);
        state.armed
    }
}

async fn run(queue: Arc<Queue>, alarm: alarm::Alarm) {
    loop {
        let rung = async {
            match queue.wake_due(clock::now()) {
                Some(deadline) => alarm.wait_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            rung = rung => if let Err(error) = rung {
                // Without a timer no byte would move: say so and stop, the peers see silence.
                tracing::error!(%error, "the WAN emulation's timer failed");
                return;
            },
            () = queue.earlier.notified() => {}
        }
    }
}

#[cfg(target_os = "linux")]
mod alarm {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::time::{Duration, Instant};

    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use crate::clock;

    /// A `timerfd` in the runtime's own poll: precise to some 10 us.
    #[derive(Debug)]
    pub(super) struct Alarm(AsyncFd<Timer>);

    impl Alarm {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
            #[expect(
                deprecated,
                reason = "its successor is unsafe; `Timer` owns its descriptor, as that asks for"
            )]
            let timer = AsyncFd::with_interest(Timer(timer), Interest::READABLE)?;
            Ok(Self(timer))
        }

        pub(super) async fn wait_until(&self, deadline: Instant) -> io::Result<()> {
            // A zero time would disarm the timer instead of firing it.
            let left = deadline.saturating_duration_since(clock::now()).max(Duration::from_nanos(1));
            let expiration = Expiration::OneShot(TimeSpec::from_duration(left));
            self.0.get_ref().0.set(expiration, TimerSetTimeFlags::empty())?;
            let mut ready = self.0.readable().await?;
            // Setting the timer again also clears it, so what the read returns does not matter.
            ready.clear_ready();
            Ok(())
        }
    }

    /// `AsyncFd` asks for `AsRawFd`, which `TimerFd` does not offer.
    #[derive(Debug)]
    struct Timer(TimerFd);

    impl AsRawFd for Timer {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod alarm {
    use std::io;
    use std::time::Instant;

    /// Where there is no `timerfd`, delays are rounded up to tokio's millisecond.
    #[derive(Debug)]
    pub(super) struct Alarm;

    impl Alarm {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn wait_until(&self, deadline: Instant) -> io::Result<()> {
            tokio::time::sleep_until(deadline.into()).await;
            Ok(())
        }
    }
}
