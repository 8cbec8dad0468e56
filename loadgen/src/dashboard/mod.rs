//! `loadgen dashboard`: the runs of a store, and the super-cluster that is up, in a browser.
//!
//! This folder owns the checked options (`plan`), the access of readers and operators (`access`, `origin`), the runs
//! (`history`), the super-cluster (`live`), the agents (`agents`), orders (`operate`), events (`feed`) and the server
//! (`http`). `web/dashboard` is the app. This folder must not know how runs are played. It changes nothing except by the
//! orders of operators, which it sends to `loadgen up` as `loadgen ctl` does.
//!
//! All answers except errors are JSON. Errors are plain text that names the remedy. Every request below `/api` except
//! `POST /api/session` needs the token in `Authorization: Bearer TOKEN`, or the cookie. Without both, it gets status
//! 401.
//!
//! | request | answer |
//! |---|---|
//! | `POST /api/session` with the token in the header | 204 and a cookie: `HttpOnly`, `SameSite=Strict`, until the browser ends |
//! | `GET /api/session` | `{"role": "view" or "operate", "operable": BOOL, "loadgen": VERSION}` |
//! | `DELETE /api/session` | 204, and the browser forgets the cookie |
//! | `GET /api/runs?scenario=&verdict=&text=&before=&limit=` | `runs` of the index, the newest first; `matching`, `total`, `scenarios`, `store` |
//! | `GET /api/runs/RUN` | the manifest of the run. RUN is a name, the beginning of one, or `latest` |
//! | `GET /api/runs/RUN/files/PATH` | a file that the manifest names, such as `report.json` |
//! | `GET /api/live/agents` | server-sent events: `agents` with the agents of the back channel and the run that they play, `trouble` with a `reason` |
//! | `GET /api/live/nats` | server-sent events: `nats` with an [`Overview`](crate::look::overview::Overview), `trouble` with a `reason` |
//! | `GET /api/live/up` | server-sent events: `up` with the [`World`](crate::up::world::World) and the last `orders`, `trouble` with a `reason` |
//! | `POST /api/orders` with a [`Command`](crate::up::control::Command) | 204; 403 for readers who are no operators; 400 and 409 with the reason |
//!
//! A list reads no run. If the digest of a file is not the one of the manifest, the answer is an error, or ends before
//! the end of a large file.

mod access;
mod agents;
mod feed;
mod history;
mod http;
mod live;
mod operate;
pub mod opts;
pub mod origin;
pub mod plan;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::secret::Secret;
use crate::stdout::print_or_warn;
use crate::store::StoreError;

use access::{Access, Role};
use feed::Feed;
use history::History;
use http::Feeds;
use operate::Operation;
use plan::{DashboardPlan, Operators};

/// Reason why `loadgen dashboard` ended.
#[derive(Debug, thiserror::Error)]
pub enum DashboardError {
    /// The address is taken, most likely.
    #[error(
        "cannot serve at {address}: {error}; choose another --listen, such as `127.0.0.1:0` for any free port"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Error of the operating system.
        error: io::Error,
    },
    /// No randomness for the token.
    #[error("cannot make a token from /dev/urandom: {0}")]
    Token(io::Error),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server ended.
    #[error("the server of the dashboard ended: {0}")]
    Serve(io::Error),
}

/// Serves until the future is dropped. Prints the address first.
///
/// # Errors
/// The address is taken, or the store cannot be opened.
pub async fn run(plan: DashboardPlan) -> Result<(), DashboardError> {
    let history = History::open(plan.store.clone()).await?;
    let listen = |error| DashboardError::Listen { address: plan.listen, error };
    let listener = TcpListener::bind(plan.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let is_random = plan.token.is_none();
    let token = plan.token.map_or_else(Secret::random, Ok).map_err(DashboardError::Token)?;
    // A fragment is in no request, and so in no log and no referrer.
    let fragment = |token: &Secret| format!("#token={}", token.expose());
    print_or_warn(&format!("http://{address}/{}", if is_random { fragment(&token) } else { String::new() }));
    let mut tokens = vec![(Role::View, token)];
    if let Some((token, fragment)) = operator(plan.operators, fragment).map_err(DashboardError::Token)? {
        print_or_warn(&format!("http://{address}/operate{fragment}"));
        tokens.push((Role::Operate, token));
    }
    eprintln!("{}", hints(address, is_random, tokens.len() > 1, &plan.store.to_string()));

    let access = Access::new(tokens, address.port()).map_err(DashboardError::Token)?;
    let feed = || Arc::new(Feed::new());
    let feeds = Feeds { nats: feed(), agents: feed(), up: feed() };
    let operation = Arc::new(Operation::new(plan.deployment, feeds.up.clone()));
    let router = http::router(access, history, &feeds, operation.clone(), &plan.embed_in);
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served.map_err(DashboardError::Serve),
        () = live::follow(&feeds.nats, &plan.live) => Ok(()),
        () = agents::follow(&feeds.agents, plan.ops.as_ref()) => Ok(()),
        () = operation.follow() => Ok(()),
    }
}

/// Returns the token of operators, and the fragment of their address: none, if the token comes from a file.
fn operator(
    operators: Operators,
    fragment: impl Fn(&Secret) -> String,
) -> io::Result<Option<(Secret, String)>> {
    Ok(match operators {
        Operators::None => None,
        Operators::Token(token) => Some((token, String::new())),
        Operators::Random => {
            let token = Secret::random()?;
            let fragment = fragment(&token);
            Some((token, fragment))
        }
    })
}

fn hints(address: SocketAddr, is_random: bool, is_operable: bool, store: &str) -> String {
    let mut text = match is_random {
        true => "Open that address in a browser. The address holds the token, and is printed only once."
            .to_owned(),
        false => "Open that address in a browser, and log in with the token of --token-file.".to_owned(),
    };
    if is_operable {
        text.push_str("\nThe second address is for operators: who opens it gives orders to the super-cluster of `loadgen up` on this machine.");
    }
    text.push_str(&format!("\nThe dashboard shows the runs in {store}. Ctrl-C ends the dashboard."));
    if !address.ip().is_loopback() {
        text.push_str(
            "\nWarning: other machines can reach this address, and the token travels without TLS. Put a proxy with TLS in front of it.",
        );
    }
    text
}
