//! The files of the app, and the API.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};

use super::access::{self, Access};
use super::feed::{self, Feed};
use super::history::{self, History};
use super::operate::{self, Operation};
use super::origin::Origin;
use crate::web::fixed_header;

/// The app without data. `npm run dashboard` in `web` builds these files anew.
const PAGE: &str = include_str!("../../assets/dashboard/index.html");
const SCRIPT: &str = include_str!("../../assets/dashboard/dashboard.js");
const STYLE: &str = include_str!("../../assets/dashboard/dashboard.css");

/// The pages of the app. It draws the one that the address names.
const PAGES: [&str; 11] = [
    "/",
    "/runs",
    "/runs/{run}",
    "/compare/{a}/{b}",
    "/live",
    "/network",
    "/hosts",
    "/jetstream",
    "/servers/{server}",
    "/agents",
    "/operate",
];

/// Pages that other pages may embed: one for each layer.
const FRAMES: [&str; 5] =
    ["/frame/nats", "/frame/network", "/frame/hosts", "/frame/jetstream", "/frame/agents"];

/// The events that pages show live.
pub(super) struct Feeds {
    pub(super) nats: Arc<Feed>,
    pub(super) agents: Arc<Feed>,
    pub(super) up: Arc<Feed>,
}

/// Everything that is served.
pub(super) fn router(
    access: Access,
    history: History,
    feeds: &Feeds,
    operation: Arc<Operation>,
    embed_in: &[Origin],
) -> Router {
    let access = Arc::new(access);
    let readers = middleware::from_fn_with_state(access.clone(), access::only_readers);
    let session = get(access::session).route_layer(readers.clone());
    let session = session.post(access::log_in).delete(access::log_out).with_state(access);
    let data = Router::new()
        .route("/runs", get(history::list))
        .route("/runs/{run}", get(history::show))
        .route("/runs/{run}/files/{*path}", get(history::file))
        .with_state(Arc::new(history))
        .merge(Router::new().route("/live/nats", get(feed::listen)).with_state(feeds.nats.clone()))
        .merge(Router::new().route("/live/agents", get(feed::listen)).with_state(feeds.agents.clone()))
        .merge(Router::new().route("/live/up", get(feed::listen)).with_state(feeds.up.clone()))
        .merge(Router::new().route("/orders", post(operate::order)).with_state(operation))
        // An order is a line.
        .layer(DefaultBodyLimit::max(4 * 1024))
        .fallback(no_such_thing)
        .layer(readers);
    Router::new()
        .route("/api/session", session)
        .nest("/api", data)
        .merge(app(embed_in))
        .fallback(no_such_page)
        // Nothing of a run may stay on the disk of a reader.
        .layer(fixed_header(header::CACHE_CONTROL, "no-store"))
        .layer(fixed_header(header::REFERRER_POLICY, "no-referrer"))
        .layer(fixed_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed_header(CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"))
}

/// The app draws the page that its address names.
fn app(embed_in: &[Origin]) -> Router {
    let origins: String = embed_in.iter().map(|origin| format!(" {origin}")).collect();
    let policy = |ancestors: &str| HeaderValue::try_from(format!("{POLICY}; frame-ancestors {ancestors}"));
    // Origins are ASCII without spaces, so these are values of a header.
    let alone = policy("'none'").unwrap_or(NO_FRAMES);
    let framed = policy(&format!("'self'{origins}")).unwrap_or(NO_FRAMES);
    let drawn =
        |paths: &[&str]| paths.iter().fold(Router::new(), |router, path| router.route(path, get(page)));
    let router = drawn(&PAGES);
    let frames = drawn(&FRAMES).with_state(framed);
    let file =
        |content_type, text: &'static str| get(async move || ([(header::CONTENT_TYPE, content_type)], text));
    router
        .with_state(alone)
        .merge(frames)
        .route("/assets/dashboard.js", file("text/javascript; charset=utf-8", SCRIPT))
        .route("/assets/dashboard.css", file("text/css; charset=utf-8", STYLE))
}

async fn page(State(policy): State<HeaderValue>) -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(PAGE))
}

async fn no_such_page() -> impl IntoResponse {
    (
        StatusCode::NOT_FOUND,
        "the dashboard has no such page: its pages are /runs, /live, /network, /hosts, /jetstream, /agents and /operate",
    )
}

async fn no_such_thing() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "the API has no such path: the documentation of loadgen's dashboard lists all")
}

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Only the app's own files. `data:` is for drawings, which run no scripts; frames are the reports of runs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    frame-src 'self'; base-uri 'none'; form-action 'none'";

/// The policy if an origin cannot be written, which [`Origin`] excludes.
const NO_FRAMES: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
