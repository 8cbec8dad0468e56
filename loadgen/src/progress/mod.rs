//! The progress that loadgen shows on standard error: a live display or a bar on a terminal, plain lines elsewhere.
//!
//! This folder owns the display of a play (`live`), its content (`status`), and the same content for other readers
//! (`board`). It must not know the work whose progress it shows.

mod board;
mod live;
mod status;

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

pub use board::{Board, Notes};
use live::Live;
pub(crate) use status::KEPT_MOVES;
pub use status::{RegionStatus, Status};

/// The progress display, on standard error.
#[derive(Clone, Debug)]
pub struct Progress {
    shown: Shown,
    board: Option<Board>,
}

#[derive(Clone, Debug)]
enum Shown {
    Nothing,
    Lines,
    Bar(ProgressBar),
    Live(Arc<Mutex<Live>>),
}

impl Progress {
    /// A display for this many steps.
    pub fn new(steps: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::lines();
        }
        let bar = ProgressBar::new(steps).with_style(style());
        bar.enable_steady_tick(TICK);
        Self::of(Shown::Bar(bar))
    }

    /// A live display of a play in so many regions; a bar of so many seconds where the terminal cannot show it.
    pub fn live(regions: usize, seconds: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::lines();
        }
        match Live::new(regions) {
            Ok(live) => Self::of(Shown::Live(Arc::new(Mutex::new(live)))),
            Err(error) => {
                tracing::debug!(%error, "no live display");
                Self::new(seconds)
            }
        }
    }

    /// Plain lines, for what goes on without an end.
    pub const fn lines() -> Self {
        Self::of(Shown::Lines)
    }

    /// No display.
    pub const fn silent() -> Self {
        Self::of(Shown::Nothing)
    }

    const fn of(shown: Shown) -> Self {
        Self { shown, board: None }
    }

    /// Keeps where a play stands on a board, too.
    #[must_use]
    pub fn on(self, board: Option<Board>) -> Self {
        Self { board, ..self }
    }

    /// Shows the work that goes on now.
    pub fn doing(&self, what: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.set_message(what.to_owned()),
            Shown::Live(live) => lock(live).doing(what),
            Shown::Lines => eprintln!("{what}"),
            Shown::Nothing => {}
        }
    }

    /// The same, if lines already say it.
    pub fn title(&self, what: &str) {
        if !matches!(self.shown, Shown::Lines) {
            self.doing(what);
        }
    }

    /// A phase of the timeline begins.
    pub fn begin_phase(&self, name: &str) {
        if let Some(board) = &self.board {
            board.begin_phase(name);
        }
        self.title(&format!("phase {name}"));
    }

    /// The phase that began last, if it is kept.
    pub fn phase(&self) -> Option<String> {
        self.board.as_ref()?.read().phase
    }

    /// A result worth keeping on the screen.
    pub fn note(&self, what: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.println(what),
            Shown::Live(live) => lock(live).note(what),
            Shown::Lines => eprintln!("{what}"),
            Shown::Nothing => {}
        }
    }

    /// Where a play stands. It is asked only when somebody is to see it.
    pub fn status(&self, mut status: impl FnMut() -> Status) {
        if let Some(board) = &self.board {
            board.look(&mut status);
        }
        if let Shown::Live(live) = &self.shown
            && lock(live).is_due()
        {
            let status = status();
            lock(live).status(status);
        }
    }

    /// So many steps are done.
    pub fn at(&self, step: u64) {
        if let Shown::Bar(bar) = &self.shown {
            bar.set_position(step);
        }
    }

    /// One step further.
    pub fn step(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.inc(1);
        }
    }

    /// The end.
    pub fn finish(&self) {
        match &self.shown {
            Shown::Bar(bar) => bar.finish_and_clear(),
            Shown::Live(live) => lock(live).finish(),
            Shown::Lines | Shown::Nothing => {}
        }
    }
}

fn lock(live: &Mutex<Live>) -> std::sync::MutexGuard<'_, Live> {
    live.lock().unwrap_or_else(PoisonError::into_inner)
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} [{elapsed_precise}] {bar:24} {pos}/{len} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Smooth for the eye, nothing for the machine.
const TICK: Duration = Duration::from_millis(120);
