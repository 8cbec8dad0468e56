//! What a person sees while something goes on, on standard error: a live display or a bar on a terminal, plain lines elsewhere.
//!
//! Owns the display of a play (`live`) and what it shows (`status`). Must not know what goes on.

mod live;
mod status;

use std::fmt;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock;
use live::Live;
pub(crate) use status::KEPT_MOVES;
pub use status::{RegionStatus, Status};

/// The progress display, on standard error.
#[derive(Clone)]
pub struct Progress(Shown);

#[derive(Clone)]
enum Shown {
    Lines,
    Bar(ProgressBar),
    Live(Arc<Mutex<Live>>),
    Kept(Arc<Mutex<Kept>>),
}

/// Where a play stood when somebody looked last.
#[derive(Default)]
struct Kept {
    looked: Option<Instant>,
    status: Status,
}

impl Progress {
    /// A display for this many steps.
    pub fn new(steps: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::lines();
        }
        let bar = ProgressBar::new(steps).with_style(style());
        bar.enable_steady_tick(TICK);
        Self(Shown::Bar(bar))
    }

    /// A live display of a play in so many regions; a bar of so many seconds where the terminal cannot show it.
    pub fn live(regions: usize, seconds: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::lines();
        }
        match Live::new(regions) {
            Ok(live) => Self(Shown::Live(Arc::new(Mutex::new(live)))),
            Err(error) => {
                tracing::debug!(%error, "no live display");
                Self::new(seconds)
            }
        }
    }

    /// Plain lines, for what goes on without an end.
    pub const fn lines() -> Self {
        Self(Shown::Lines)
    }

    /// No display: where a play stands is kept for somebody else to see.
    pub fn kept() -> Self {
        Self(Shown::Kept(Arc::default()))
    }

    /// Returns the state that was kept last.
    pub fn last_status(&self) -> Option<Status> {
        match &self.0 {
            Shown::Kept(kept) => Some(kept.lock().unwrap_or_else(PoisonError::into_inner).status.clone()),
            Shown::Lines | Shown::Bar(_) | Shown::Live(_) => None,
        }
    }

    /// What is going on now.
    pub fn doing(&self, what: &str) {
        match &self.0 {
            Shown::Bar(bar) => bar.set_message(what.to_owned()),
            Shown::Live(live) => lock(live).doing(what),
            Shown::Lines => eprintln!("{what}"),
            Shown::Kept(_) => {}
        }
    }

    /// The same, if lines already say it.
    pub fn title(&self, what: &str) {
        if !matches!(self.0, Shown::Lines | Shown::Kept(_)) {
            self.doing(what);
        }
    }

    /// A result worth keeping on the screen.
    pub fn note(&self, what: &str) {
        match &self.0 {
            Shown::Bar(bar) => bar.println(what),
            Shown::Live(live) => lock(live).note(what),
            Shown::Lines => eprintln!("{what}"),
            Shown::Kept(_) => {}
        }
    }

    /// Where a play stands. It is asked only when the display is to be drawn again.
    pub fn status(&self, status: impl FnOnce() -> Status) {
        match &self.0 {
            Shown::Live(live) if lock(live).is_due() => {
                let status = status();
                lock(live).status(status);
            }
            Shown::Kept(kept) => {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                // A look at very many clients takes a while.
                if kept.looked.is_none_or(|looked| looked.elapsed() >= KEEP_EVERY) {
                    *kept = Kept { looked: Some(clock::now()), status: status() };
                }
            }
            Shown::Lines | Shown::Bar(_) | Shown::Live(_) => {}
        }
    }

    /// So many steps are done.
    pub fn at(&self, step: u64) {
        if let Shown::Bar(bar) = &self.0 {
            bar.set_position(step);
        }
    }

    /// One step further.
    pub fn step(&self) {
        if let Shown::Bar(bar) = &self.0 {
            bar.inc(1);
        }
    }

    /// The end.
    pub fn finish(&self) {
        match &self.0 {
            Shown::Bar(bar) => bar.finish_and_clear(),
            Shown::Live(live) => lock(live).finish(),
            Shown::Lines | Shown::Kept(_) => {}
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match &self.0 {
            Shown::Lines => "Progress(Lines)",
            Shown::Bar(_) => "Progress(Bar)",
            Shown::Live(_) => "Progress(Live)",
            Shown::Kept(_) => "Progress(Kept)",
        })
    }
}

fn lock(live: &Mutex<Live>) -> std::sync::MutexGuard<'_, Live> {
    live.lock().unwrap_or_else(PoisonError::into_inner)
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} [{elapsed_precise}] {bar:24} {pos}/{len} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Twice for each sign of life of an agent.
const KEEP_EVERY: Duration = Duration::from_millis(500);

/// Smooth for the eye, nothing for the machine.
const TICK: Duration = Duration::from_millis(120);
