//! Parts that loadgen's web servers have in common: the demo of `up`, and the dashboard.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::secret::Secret;

/// Whether a request has the token in its `Authorization` header.
pub(crate) fn has_bearer(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|given| token.is(given))
}

/// Gives every answer a header, in place of one that it has.
pub(crate) fn fixed_header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}
