//! The web server of the pages, and the browser that shows them.
//!
//! One page holds a frame for each client. Each frame has an origin of its own, a name below `localhost`, so each client
//! has a service worker of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header;
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower_http::services::ServeDir;

use super::BrowserOpts;
use super::orders::{Frame, Greeting};
use super::page::Page;
use super::program::{self, Program};
use crate::clients::Journal;
use crate::secret::Secret;
use crate::web::fixed_header;

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
    #[error("there is no Chromium or Chrome on PATH: install one, or name its program with `--browser`")]
    NoBrowser,
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
    /// The pages cannot be served.
    #[error("cannot serve the pages of the browser's clients: {0}")]
    Serve(io::Error),
    /// The browser runs, and opens nothing.
    #[error(
        "`{}` has not opened a page within {} s: choose Chromium or Chrome with `--browser`; the browser printed {printed}",
        program.display(), LIMIT.as_secs()
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
}

/// Finds the browser's program, and looks whether its pages are built.
///
/// # Errors
/// One of them is missing.
pub(super) fn find(opts: &BrowserOpts) -> Result<PathBuf, FindBrowserError> {
    let file = opts.web.join(PAGE);
    if !file.is_file() {
        return Err(FindBrowserError::NotBuilt { file });
    }
    opts.browser.clone().or_else(program::find).ok_or(FindBrowserError::NoBrowser)
}

/// Everything that one browser needs. Dropping it ends the browser.
#[derive(Debug)]
pub(super) struct Host {
    program: Mutex<Program>,
    path: PathBuf,
    desk: Arc<Desk>,
    last: AtomicU32,
    serving: JoinHandle<()>,
}

/// The place where pages arrive.
#[derive(Debug)]
struct Desk {
    token: Secret,
    frames: mpsc::UnboundedSender<Frame>,
    /// Taken by the page that holds the others.
    frames_of_host: Mutex<Option<mpsc::UnboundedReceiver<Frame>>>,
    expected: Mutex<BTreeMap<u32, oneshot::Sender<WebSocket>>>,
}

impl Host {
    pub(super) async fn start(opts: &BrowserOpts) -> Result<Self, OpenPageError> {
        let path = find(opts)?;
        let token = Secret::random().map_err(OpenPageError::Serve)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(OpenPageError::Serve)?;
        let port = listener.local_addr().map_err(OpenPageError::Serve)?.port();
        let (frames, of_host) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            token: token.clone(),
            frames,
            frames_of_host: Mutex::new(Some(of_host)),
            expected: Mutex::default(),
        });
        let router = router(&opts.web, Arc::clone(&desk));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the pages of the browser are served no more");
            }
        });
        let page = format!("http://127.0.0.1:{port}/{PAGE}");
        let program = Program::start(&path, &page, &token)
            .map_err(|error| OpenPageError::Start { program: path.clone(), error })?;
        Ok(Self { program: Mutex::new(program), path, desk, last: AtomicU32::new(0), serving })
    }

    /// Opens the page of a new client.
    pub(super) async fn open(&self, journal: Journal) -> Result<Page, OpenPageError> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (arrives, arrived) = oneshot::channel();
        self.desk.expected.lock().unwrap_or_else(PoisonError::into_inner).insert(number, arrives);
        // Its receiver is the desk's until the first page comes.
        let _ = self.desk.frames.send(Frame::Open(number));
        let socket = tokio::select! {
            arrived = timeout(LIMIT, arrived) => arrived.ok().and_then(Result::ok),
            () = self.ended() => None,
        };
        let Some(socket) = socket else { return Err(self.no_page()) };
        Ok(Page::new(number, socket, journal))
    }

    /// Waits until the browser has ended.
    async fn ended(&self) {
        while !self.program().has_ended() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn no_page(&self) -> OpenPageError {
        let mut process = self.program();
        let (program, printed) = (self.path.clone(), process.last_line());
        if process.has_ended() {
            OpenPageError::Ended { program, printed }
        } else {
            OpenPageError::NoPage { program, printed }
        }
    }

    fn program(&self) -> MutexGuard<'_, Program> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn router(web: &std::path::Path, desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/orders", get(orders))
        .with_state(desk)
        .fallback_service(ServeDir::new(web))
        .layer(fixed_header(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(fixed_header(header::CACHE_CONTROL, "no-cache"))
        .layer(fixed_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed_header(header::REFERRER_POLICY, "no-referrer"))
}

async fn orders(State(desk): State<Arc<Desk>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(REPORT_MAX).on_upgrade(async move |socket| desk.welcome(socket).await)
}

impl Desk {
    /// Takes a page that knows the token; every other one is closed.
    async fn welcome(&self, mut socket: WebSocket) {
        let Ok(Some(Ok(Message::Text(text)))) = timeout(LIMIT, socket.recv()).await else { return };
        let Ok(Greeting { token, client }) = serde_json::from_str(&text) else { return };
        if !self.token.is(&token) {
            return;
        }
        let Some(number) = client else {
            let frames = self.frames_of_host.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(frames) = frames {
                send_frames(socket, frames).await;
            }
            return;
        };
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        if let Some(expected) = expected {
            // The client may have given up on its page.
            let _ = expected.send(socket);
        }
    }
}

/// Tells the page that holds the others which of them to open.
async fn send_frames(mut socket: WebSocket, mut frames: mpsc::UnboundedReceiver<Frame>) {
    while let Some(frame) = frames.recv().await {
        // A record of numbers is JSON.
        let text = serde_json::to_string(&frame).unwrap_or_default();
        if socket.send(Message::Text(text.into())).await.is_err() {
            return;
        }
    }
}

/// The page that holds the others, in the folder of the built demo.
const PAGE: &str = "clients.html";

/// A browser starts in a second or two; a busy machine with a cold disk needs some more.
const LIMIT: Duration = Duration::from_secs(30);

/// How often the browser's process is looked at until its page comes.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// More than the largest message of a workload (1 MB) as base64.
const REPORT_MAX: usize = 2 * 1024 * 1024;

/// Nothing from elsewhere; WebAssembly; NATS over WebSocket on this machine; frames of this server's own names.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    connect-src 'self' ws://127.0.0.1:* ws://localhost:* ws://*.localhost:*; img-src 'self' data:; \
    style-src 'self' 'unsafe-inline'; frame-src http://*.localhost:*; frame-ancestors 'self' http://127.0.0.1:*; \
    base-uri 'none'";
