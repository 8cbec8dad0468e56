//! nats-geo in a real browser: each client is a page with a service worker of its own, which takes orders from loadgen.
//!
//! `desk` serves the pages and takes their connections, `program` runs the browser, `host` uses both to open pages, `page` is one
//! of them, and `orders` are the words of both ends. This folder must not know workloads or faults: times and numbers are made by
//! its callers, as for every other kind of client.

mod desk;
mod host;
mod orders;
mod page;
mod program;

use std::io::IsTerminal as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use futures_util::stream::{BoxStream, StreamExt as _};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use tokio::sync::OnceCell;

use super::{Journal, Seat, Spec};
pub use host::FindBrowserError;
use host::{Host, OpenPageError};
use orders::{Connect, Order, Policy};
use page::Page;

/// Options of clients that run in a browser. Doc comments are the help text.
#[derive(Args, Clone, Debug)]
pub struct BrowserOpts {
    /// Run clients of kind `browser` in this program [default: Chromium or Chrome on PATH]
    #[arg(long, value_name = "PATH")]
    pub browser: Option<PathBuf>,

    /// Start no browser: print an address at this IPv4 address of this machine, to open in one browser for each client
    #[arg(long, conflicts_with = "browser", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1",
        value_name = "IP")]
    pub by_hand: Option<Ipv4Addr>,

    /// Serve the pages of clients of kind `browser` from this folder; `make web` writes them
    #[arg(long, default_value = BUILT, value_name = "DIR")]
    pub web: PathBuf,
}

/// The values of the options that nobody gives.
impl Default for BrowserOpts {
    fn default() -> Self {
        Self { browser: None, by_hand: None, web: PathBuf::from(BUILT) }
    }
}

/// A browser for all clients of this process. It starts with the first client, and ends with the last clone.
#[derive(Clone, Debug)]
pub struct Browsers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    opts: BrowserOpts,
    host: OnceCell<Host>,
}

impl Default for Browsers {
    fn default() -> Self {
        Self::new(BrowserOpts::default())
    }
}

impl Browsers {
    /// Starts nothing yet.
    pub fn new(opts: BrowserOpts) -> Self {
        Self(Arc::new(Shared { opts, host: OnceCell::new() }))
    }

    /// Looks whether there is a browser, with pages to open.
    ///
    /// # Errors
    /// One of them is missing.
    pub fn check(&self) -> Result<(), FindBrowserError> {
        host::find(&self.0.opts).map(drop)
    }

    /// Prints the address for people who open browsers themselves, if they do.
    ///
    /// # Errors
    /// The pages are missing, or cannot be served.
    pub async fn invite(&self) -> Result<(), FindBrowserError> {
        if self.0.opts.by_hand.is_none() {
            return Ok(());
        }
        match self.0.host.get_or_try_init(|| Host::start(&self.0.opts)).await {
            Ok(host) => eprintln!("{}", invitation(&host.address(), std::io::stderr().is_terminal())),
            Err(OpenPageError::Find(error)) => return Err(error),
            // Only a program can fail to start.
            Err(_) => {}
        }
        Ok(())
    }

    async fn open(&self, journal: Journal) -> Result<Page, OpenPageError> {
        let host = self.0.host.get_or_try_init(|| Host::start(&self.0.opts)).await?;
        host.open(journal).await
    }
}

/// One client.
#[derive(Clone, Debug)]
pub(super) struct Browser {
    page: Arc<Page>,
    /// The browser runs as long as it has clients.
    _browsers: Browsers,
}

impl Browser {
    pub(super) async fn connect(spec: &Spec, journal: Journal) -> Result<Self, String> {
        let page = spec.browsers.open(journal).await.map_err(|error| error.to_string())?;
        let connect = Connect::new(spec, Policy::of(&spec.policy));
        page.order(Order::Connect(Box::new(connect))).await?;
        Ok(Self { page: Arc::new(page), _browsers: spec.browsers.clone() })
    }

    pub(super) fn seat(&self) -> Option<Seat> {
        self.page.seat()
    }

    pub(super) async fn request(&self, subject: &str, payload: Bytes) -> bool {
        self.page.order(Order::Request(orders::Message::new(subject, &payload))).await.is_ok()
    }

    pub(super) async fn publish(&self, subject: &str, payload: Bytes) -> bool {
        self.page.order(Order::Publish(orders::Message::new(subject, &payload))).await.is_ok()
    }

    pub(super) async fn flush(&self) -> bool {
        self.page.order(Order::Flush).await.is_ok()
    }

    pub(super) async fn publish_to_stream(&self, subject: &str, payload: Bytes) -> bool {
        self.page.order(Order::PublishToStream(orders::Message::new(subject, &payload))).await.is_ok()
    }

    pub(super) fn bucket(&self, name: &str) -> BrowserBucket {
        BrowserBucket { client: self.clone(), name: name.to_owned() }
    }

    pub(super) async fn subscribe(
        &self,
        subject: &str,
        group: Option<&str>,
    ) -> Result<BoxStream<'static, Bytes>, String> {
        let order = Order::Subscribe { subject: subject.to_owned(), group: group.map(str::to_owned) };
        let messages = self.page.subscribe(order).await?;
        // The page stays open as long as its messages are read.
        let client = self.clone();
        let messages = futures_util::stream::unfold((messages, client), |(mut messages, client)| async {
            Some((messages.recv().await?, (messages, client)))
        });
        Ok(messages.boxed())
    }
}

/// A bucket of keys and values, as a browser sees it. The page opens it with the first operation.
#[derive(Clone, Debug)]
pub struct BrowserBucket {
    client: Browser,
    name: String,
}

impl BrowserBucket {
    /// Returns the revision of the value.
    pub(super) async fn put(&self, key: &str, value: &[u8]) -> Result<u64, String> {
        let (bucket, key) = (self.name.clone(), key.to_owned());
        let order = Order::KvPut { bucket, key, payload: orders::to_base64(value) };
        self.client.page.order(order).await?.ok_or_else(|| "the page reported no revision".to_owned())
    }

    /// Returns the revision of the value, if the key has one.
    pub(super) async fn get(&self, key: &str) -> Result<Option<u64>, String> {
        let (bucket, key) = (self.name.clone(), key.to_owned());
        self.client.page.order(Order::KvGet { bucket, key }).await
    }
}

/// The text for people, with a QR code if it goes to a terminal.
fn invitation(address: &str, with_code: bool) -> String {
    let text = format!("open this address in one browser for each client of kind `browser`:\n  {address}");
    // An address is short enough for a code.
    let Some(code) = QrCode::new(address).ok().filter(|_| with_code) else { return text };
    // Most terminals are dark, so the light squares are printed.
    let mut code = code.render();
    let code = code.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    format!("{text}\n{code}")
}

/// Where `make web` puts the pages.
const BUILT: &str = "web/dist";
