//! The access of readers: by the token in a header, or by the cookie of a browser that has sent the token once.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cookie::{Cookie, SameSite};
use serde::Serialize;

use crate::secret::Secret;
use crate::web::has_bearer;

/// The secrets that a request must know one of.
#[derive(Debug)]
pub(super) struct Access {
    token: Secret,
    /// Value of the cookie. Browsers send a cookie to every port of its host, so it must not be the token.
    session: Secret,
    /// Name of the cookie, with the port: two dashboards on one host must not replace each other's cookie.
    name: String,
}

/// The rights of a reader.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    /// Read everything, change nothing.
    View,
}

/// The answer to `GET /api/session`.
#[derive(Debug, Serialize)]
pub(super) struct Session {
    role: Role,
    loadgen: &'static str,
}

impl Access {
    /// Admits readers with this token to the dashboard at this port.
    ///
    /// # Errors
    /// There is no randomness.
    pub(super) fn new(token: Secret, port: u16) -> std::io::Result<Self> {
        Ok(Self { token, session: Secret::random()?, name: format!("loadgen-dashboard-{port}") })
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        has_bearer(headers, &self.token) || self.has_cookie(headers)
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookies = texts.flat_map(Cookie::split_parse).flatten();
        cookies.any(|cookie| cookie.name() == self.name && self.session.is(cookie.value()))
    }

    /// Scripts cannot read it, other sites cannot use it, and it ends with the browser.
    fn cookie(&self, value: String) -> Cookie<'static> {
        Cookie::build((self.name.clone(), value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Strict)
            .build()
    }
}

/// Answers 401 to requests without the token and without the cookie.
pub(super) async fn only_readers(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    if access.admits(request.headers()) { next.run(request).await } else { refused() }
}

/// Answers `POST /api/session`: gives the browser a cookie for the token in the header.
pub(super) async fn log_in(State(access): State<Arc<Access>>, headers: HeaderMap) -> Response {
    if !has_bearer(&headers, &access.token) {
        return refused();
    }
    let cookie = access.cookie(access.session.expose().to_owned()).to_string();
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
}

/// Answers `DELETE /api/session`: takes the cookie away from this browser.
pub(super) async fn log_out(State(access): State<Arc<Access>>) -> Response {
    let mut cookie = access.cookie(String::new());
    cookie.make_removal();
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie.to_string())]).into_response()
}

/// Answers `GET /api/session`.
pub(super) async fn session() -> Json<Session> {
    Json(Session { role: Role::View, loadgen: env!("CARGO_PKG_VERSION") })
}

fn refused() -> Response {
    let remedy = "no valid token: open the address that `loadgen dashboard` printed, or log in with the token of --token-file";
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], remedy).into_response()
}
