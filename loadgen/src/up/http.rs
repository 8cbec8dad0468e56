//! The demo's files, and the control API beside them: loopback only, and only with the token.
//!
//! | request | answer |
//! |---|---|
//! | `GET /api/world` | the [`World`] as JSON |
//! | `GET /api/world/next?after=REVISION` | the same, as soon as there is a later one, or after 20 s |
//! | `POST /api/control` with a [`Command`] | 204, or what is wrong as text: 400, 409 |

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot, watch};
use tower_http::services::ServeDir;

use super::control::{Command, Order};
use super::world::World;
use crate::secret::Secret;
use crate::web::{fixed_header, has_bearer};

#[derive(Clone)]
struct Api {
    token: Arc<Secret>,
    orders: mpsc::Sender<Order>,
    world: watch::Receiver<World>,
}

/// Everything that is served.
pub(super) fn router(
    web: PathBuf,
    token: Secret,
    orders: mpsc::Sender<Order>,
    world: watch::Receiver<World>,
) -> Router {
    let api = Api { token: Arc::new(token), orders, world };
    let control = Router::new()
        .route("/world", get(world_now))
        .route("/world/next", get(world_next))
        .route("/control", post(control))
        .layer(middleware::from_fn_with_state(api.clone(), only_with_token))
        .with_state(api);
    Router::new()
        .nest("/api", control)
        .fallback_service(ServeDir::new(web))
        // A worker's policy is the one of its own script, so every file has it.
        .layer(fixed_header(header::CONTENT_SECURITY_POLICY, POLICY))
        // The demo is rebuilt while it is looked at.
        .layer(fixed_header(header::CACHE_CONTROL, "no-cache"))
        .layer(fixed_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed_header(header::REFERRER_POLICY, "no-referrer"))
}

async fn only_with_token(State(api): State<Api>, request: Request, next: Next) -> Response {
    if has_bearer(request.headers(), &api.token) {
        return next.run(request).await;
    }
    let remedy = "open the address that `loadgen up` printed: the address contains the token";
    (StatusCode::UNAUTHORIZED, remedy).into_response()
}

async fn world_now(State(api): State<Api>) -> Json<World> {
    let world = api.world.borrow().clone();
    Json(world)
}

#[derive(Deserialize)]
struct After {
    after: u64,
}

async fn world_next(State(mut api): State<Api>, Query(After { after }): Query<After>) -> Json<World> {
    let later = api.world.wait_for(|world| world.revision > after);
    // Too late, or the end of the process: the answer is the last world then.
    let _ = tokio::time::timeout(POLL_LIMIT, later).await;
    world_now(State(api)).await
}

async fn control(State(api): State<Api>, command: Result<Json<Command>, JsonRejection>) -> Response {
    let command = match command {
        // A fault can name a program that loadgen starts: only the owner of the control socket may.
        Ok(Json(Command::Inject { .. })) => {
            return (StatusCode::BAD_REQUEST, "use `loadgen ctl inject`").into_response();
        }
        Ok(Json(command)) => command,
        Err(rejection) => return (StatusCode::BAD_REQUEST, rejection.body_text()).into_response(),
    };
    let (answer, answered) = oneshot::channel();
    if api.orders.send(Order { command, answer }).await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "loadgen is ending").into_response();
    }
    match answered.await {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(error)) => (StatusCode::CONFLICT, error.to_string()).into_response(),
        Err(_ended) => (StatusCode::SERVICE_UNAVAILABLE, "loadgen is ending").into_response(),
    }
}

/// Nothing from elsewhere; WebAssembly; NATS over WebSocket on this machine.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    connect-src 'self' ws://127.0.0.1:* ws://localhost:*; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
    media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'";

/// Shorter than the time after which proxies and browsers give up on a silent answer.
const POLL_LIMIT: Duration = Duration::from_secs(20);
