//! The access of readers and operators: by a token in a header, or by the cookie of a browser that has sent the token once.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use cookie::{Cookie, SameSite};
use serde::Serialize;

use crate::secret::Secret;
use crate::web::has_bearer;

/// The secrets that a request must know one of.
#[derive(Debug)]
pub(super) struct Access {
    keys: Vec<Key>,
    /// Name of the cookie, with the port: two dashboards on one host must not replace each other's cookie.
    name: String,
}

/// The secrets of one role.
#[derive(Debug)]
struct Key {
    role: Role,
    token: Secret,
    /// Value of the cookie. Browsers send a cookie to every port of its host, so it must not be the token.
    session: Secret,
}

/// The rights of a reader.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// Read everything, change nothing.
    View,
    /// Give orders too.
    Operate,
}

/// The answer to `GET /api/session`.
#[derive(Debug, Serialize)]
pub(super) struct Session {
    role: Role,
    /// Whether the dashboard has a token for operators.
    operable: bool,
    loadgen: &'static str,
}

impl Access {
    /// Admits readers with these tokens to the dashboard at this port.
    ///
    /// # Errors
    /// There is no randomness.
    pub(super) fn new(tokens: Vec<(Role, Secret)>, port: u16) -> std::io::Result<Self> {
        let keys =
            tokens.into_iter().map(|(role, token)| Ok(Key { role, token, session: Secret::random()? }));
        let keys = keys.collect::<std::io::Result<_>>()?;
        Ok(Self { keys, name: format!("loadgen-dashboard-{port}") })
    }

    /// Returns the role of a request. A token in the header counts more than the cookie.
    fn role(&self, headers: &HeaderMap) -> Option<Role> {
        let by_token = self.by_token(headers);
        by_token.or_else(|| self.keys.iter().find(|key| self.has_cookie(headers, key))).map(|key| key.role)
    }

    fn by_token(&self, headers: &HeaderMap) -> Option<&Key> {
        self.keys.iter().find(|key| has_bearer(headers, &key.token))
    }

    fn has_cookie(&self, headers: &HeaderMap, key: &Key) -> bool {
        let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookies = texts.flat_map(Cookie::split_parse).flatten();
        cookies.any(|cookie| cookie.name() == self.name && key.session.is(cookie.value()))
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

/// Answers 401 to requests without a token and without the cookie. Gives the others their role.
pub(super) async fn only_readers(
    State(access): State<Arc<Access>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(role) = access.role(request.headers()) else { return refused() };
    request.extensions_mut().insert(role);
    next.run(request).await
}

/// Answers `POST /api/session`: gives the browser a cookie for the token in the header.
pub(super) async fn log_in(State(access): State<Arc<Access>>, headers: HeaderMap) -> Response {
    let Some(key) = access.by_token(&headers) else { return refused() };
    let cookie = access.cookie(key.session.expose().to_owned()).to_string();
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
}

/// Answers `DELETE /api/session`: takes the cookie away from this browser.
pub(super) async fn log_out(State(access): State<Arc<Access>>) -> Response {
    let mut cookie = access.cookie(String::new());
    cookie.make_removal();
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie.to_string())]).into_response()
}

/// Answers `GET /api/session`.
pub(super) async fn session(
    State(access): State<Arc<Access>>,
    Extension(role): Extension<Role>,
) -> Json<Session> {
    let operable = access.keys.iter().any(|key| key.role == Role::Operate);
    Json(Session { role, operable, loadgen: env!("CARGO_PKG_VERSION") })
}

fn refused() -> Response {
    let remedy = "no valid token: open the address that `loadgen dashboard` printed, or log in with the token of --token-file";
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], remedy).into_response()
}
