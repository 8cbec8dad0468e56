//! The browser of a process's clients: a program that loadgen runs, or browsers that people open.
//!
//! In the program, one page holds a frame for each client. Each frame has an origin of its own, a name below `localhost`, so
//! each client has a service worker of its own.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::BrowserOpts;
use super::desk::Desk;
use super::page::Page;
use super::program::{self, Program};
use crate::clients::Journal;

/// Reason why no browser can have clients.
#[derive(Debug, thiserror::Error)]
pub enum FindBrowserError {
    /// There are no pages to open.
    #[error("`{}` is missing: run `make web`, or name the folder of the built demo with `--web`", file.display())]
    NotBuilt {
        /// The page.
        file: PathBuf,
    },
    /// There is no browser.
    #[error(
        "there is no Chromium or Chrome on PATH: install one, name its program with `--browser`, or open browsers yourself with `--by-hand`"
    )]
    NoBrowser,
    /// The pages cannot be served.
    #[error(
        "cannot serve pages for browsers at {at}: {error}; name an IPv4 address of this machine with `--by-hand`"
    )]
    Serve {
        /// The address.
        at: Ipv4Addr,
        /// Error of the operating system.
        error: io::Error,
    },
}

/// Reason why a client has no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenPageError {
    /// No browser, or no page.
    #[error(transparent)]
    Find(#[from] FindBrowserError),
    /// The browser does not start.
    #[error("cannot start the browser `{}`: {error}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The browser runs, and opens nothing.
    #[error(
        "`{}` has not opened a page within {} s: choose Chromium or Chrome with `--browser`; the browser printed {printed}",
        program.display(), PROGRAM_LIMIT.as_secs()
    )]
    NoPage {
        /// The program.
        program: PathBuf,
        /// Last line that it printed.
        printed: String,
    },
    /// The browser has ended.
    #[error("the browser `{}` has ended: choose Chromium or Chrome with `--browser`; it printed {printed}", program.display())]
    Ended {
        /// The program.
        program: PathBuf,
        /// Last line that it printed.
        printed: String,
    },
    /// Too few people have opened a page.
    #[error(
        "no browser has opened the printed address within {} s: open it in a browser for each client of kind `browser`",
        PERSON_LIMIT.as_secs()
    )]
    NobodyCame,
}

/// Everything that the clients need. Dropping it ends the browser.
#[derive(Debug)]
pub(super) struct Host {
    opener: Opener,
    desk: Desk,
    last: AtomicU32,
}

/// Opens pages.
#[derive(Debug)]
enum Opener {
    Program { path: PathBuf, process: Mutex<Program> },
    Person,
}

/// Looks whether the pages are built, and finds the browser's program; `None`: people open browsers.
///
/// # Errors
/// One of them is missing.
pub(super) fn find(opts: &BrowserOpts) -> Result<Option<PathBuf>, FindBrowserError> {
    let file = opts.web.join(PAGE_OF_FRAMES);
    if !file.is_file() {
        return Err(FindBrowserError::NotBuilt { file });
    }
    if opts.by_hand.is_some() {
        return Ok(None);
    }
    opts.browser.clone().or_else(program::find).map(Some).ok_or(FindBrowserError::NoBrowser)
}

impl Host {
    pub(super) async fn start(opts: &BrowserOpts) -> Result<Self, OpenPageError> {
        let path = find(opts)?;
        let at = opts.by_hand.unwrap_or(Ipv4Addr::LOCALHOST);
        let desk = Desk::open((at, 0).into(), &opts.web).await;
        let desk = desk.map_err(|error| FindBrowserError::Serve { at, error })?;
        let opener = match path {
            Some(path) => {
                let process = Program::start(&path, &desk.page(PAGE_OF_FRAMES), desk.token())
                    .map_err(|error| OpenPageError::Start { program: path.clone(), error })?;
                Opener::Program { path, process: Mutex::new(process) }
            }
            None => Opener::Person,
        };
        Ok(Self { opener, desk, last: AtomicU32::new(0) })
    }

    /// The address that people open, with the token in its fragment, which no server and no log sees.
    pub(super) fn address(&self) -> String {
        format!("{}#token={}", self.desk.page(PAGE_OF_A_CLIENT), self.desk.token().expose())
    }

    /// Opens the page of a new client.
    pub(super) async fn open(&self, journal: Journal) -> Result<Page, OpenPageError> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let arrived = self.desk.expect(number);
        let socket = match &self.opener {
            Opener::Program { path, process } => {
                self.desk.open_frame(number);
                let socket = tokio::select! {
                    arrived = timeout(PROGRAM_LIMIT, arrived) => arrived.ok().and_then(Result::ok),
                    () = ended(process) => None,
                };
                socket.ok_or_else(|| no_page(path.clone(), process))?
            }
            Opener::Person => {
                let arrived = timeout(PERSON_LIMIT, arrived).await;
                arrived.ok().and_then(Result::ok).ok_or(OpenPageError::NobodyCame)?
            }
        };
        Ok(Page::new(number, socket, journal))
    }
}

/// Waits until the browser has ended.
async fn ended(process: &Mutex<Program>) {
    while !lock(process).has_ended() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn no_page(program: PathBuf, process: &Mutex<Program>) -> OpenPageError {
    let mut process = lock(process);
    let printed = process.last_line();
    if process.has_ended() {
        OpenPageError::Ended { program, printed }
    } else {
        OpenPageError::NoPage { program, printed }
    }
}

fn lock(process: &Mutex<Program>) -> MutexGuard<'_, Program> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The page that holds the others, in the folder of the built demo.
const PAGE_OF_FRAMES: &str = "clients.html";

/// The page of one client.
const PAGE_OF_A_CLIENT: &str = "client.html";

/// A browser starts in a second or two; a busy machine with a cold disk needs some more.
const PROGRAM_LIMIT: Duration = Duration::from_secs(30);

/// Time to find a phone and to read the code.
const PERSON_LIMIT: Duration = Duration::from_secs(300);

/// How often the browser's process is looked at until its page comes.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
