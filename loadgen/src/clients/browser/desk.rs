//! The web server of the pages: it serves them, and takes their connections.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
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

use super::orders::{Frame, Greeting};
use crate::secret::Secret;
use crate::web::fixed_header;

/// The place where pages arrive. Dropping it ends the server.
#[derive(Debug)]
pub(super) struct Desk {
    address: SocketAddr,
    token: Secret,
    frames: mpsc::UnboundedSender<Frame>,
    hall: Arc<Hall>,
    serving: JoinHandle<()>,
}

/// The part of the desk that connections know.
#[derive(Debug)]
struct Hall {
    token: Secret,
    /// Taken by the page that holds the others.
    frames: Mutex<Option<mpsc::UnboundedReceiver<Frame>>>,
    waiting: Mutex<Waiting>,
}

/// Clients without a page, and pages without a client.
#[derive(Debug, Default)]
struct Waiting {
    clients: BTreeMap<u32, oneshot::Sender<WebSocket>>,
    /// Those that a person has opened.
    pages: VecDeque<WebSocket>,
}

impl Desk {
    /// Serves the pages of a folder.
    pub(super) async fn open(at: SocketAddr, web: &Path) -> std::io::Result<Self> {
        let token = Secret::random()?;
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let (frames, ordered) = mpsc::unbounded_channel();
        let hall = Arc::new(Hall {
            token: token.clone(),
            frames: Mutex::new(Some(ordered)),
            waiting: Mutex::default(),
        });
        let router = router(web, Arc::clone(&hall));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the pages of the browser are served no more");
            }
        });
        Ok(Self { address, token, frames, hall, serving })
    }

    /// The address of a page, without the token.
    pub(super) fn page(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// The token that pages must know.
    pub(super) const fn token(&self) -> &Secret {
        &self.token
    }

    /// Returns where the page of a client will arrive. A page that a person has opened is there already.
    pub(super) fn expect(&self, client: u32) -> oneshot::Receiver<WebSocket> {
        let (arrives, arrived) = oneshot::channel();
        let mut waiting = self.hall.waiting();
        if let Some(page) = waiting.pages.pop_front() {
            // The receiver is returned below.
            let _ = arrives.send(page);
        } else {
            waiting.clients.insert(client, arrives);
        }
        arrived
    }

    /// Lets the page that holds the others open the page of a client.
    pub(super) fn open_frame(&self, client: u32) {
        // Its receiver is the hall's until that page comes.
        let _ = self.frames.send(Frame::Open(client));
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Hall {
    /// Takes a page that knows the token; every other one is closed.
    async fn welcome(&self, mut socket: WebSocket) {
        let Ok(Some(Ok(Message::Text(text)))) = timeout(GREETING_LIMIT, socket.recv()).await else { return };
        let Ok(greeting) = serde_json::from_str::<Greeting>(&text) else { return };
        if !self.token.is(&greeting.token) {
            return;
        }
        match greeting.client {
            Some(number) => self.waiting().hand_over(number, socket),
            None => {
                let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(frames) = frames {
                    send_frames(socket, frames).await;
                }
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Gives a page to its client. A page that a person has opened is for any client, or waits for one.
    fn hand_over(&mut self, number: u32, mut page: WebSocket) {
        if number != ANY_CLIENT {
            if let Some(client) = self.clients.remove(&number) {
                // The client may have given up on its page.
                let _ = client.send(page);
            }
            return;
        }
        while let Some((_, client)) = self.clients.pop_first() {
            match client.send(page) {
                Ok(()) => return,
                Err(refused) => page = refused,
            }
        }
        if self.pages.len() < PAGES_MAX {
            self.pages.push_back(page);
        }
    }
}

fn router(web: &Path, hall: Arc<Hall>) -> Router {
    Router::new()
        .route("/orders", get(orders))
        .with_state(hall)
        .fallback_service(ServeDir::new(web))
        .layer(fixed_header(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(fixed_header(header::CACHE_CONTROL, "no-cache"))
        .layer(fixed_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed_header(header::REFERRER_POLICY, "no-referrer"))
}

async fn orders(State(hall): State<Arc<Hall>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(REPORT_MAX).on_upgrade(async move |socket| hall.welcome(socket).await)
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

/// The number with which a page greets that a person has opened.
const ANY_CLIENT: u32 = 0;

/// As many clients as a population has in a region.
const PAGES_MAX: usize = 16;

/// A page greets as soon as it is connected.
const GREETING_LIMIT: Duration = Duration::from_secs(10);

/// More than the largest message of a workload (1 MB) as base64.
const REPORT_MAX: usize = 2 * 1024 * 1024;

/// Nothing from elsewhere but NATS over WebSocket; WebAssembly; frames of this server's own names.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws:; \
    img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-src http://*.localhost:*; \
    frame-ancestors 'self' http://127.0.0.1:*; base-uri 'none'";
