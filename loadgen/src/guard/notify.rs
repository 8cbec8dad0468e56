//! Notifications: a JSON document that is sent to a URL by POST.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url, redirect};

use super::audit::Outcome;
use super::check::web_address;
use super::rules::{Address, Notify, host};

/// A value of the environment, by name.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reason why a notification has no target. No value of the environment is shown.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The variable is absent or empty.
    #[error("the environment variable `{0}` is not set: set it, or change the rule")]
    Unset(String),
    /// The value is no address.
    #[error(
        "the environment variable `{name}` does not hold an HTTP address: {reason}; write `https://HOST/PATH`"
    )]
    Url {
        /// The variable.
        name: String,
        /// The reason.
        reason: String,
    },
    /// The value cannot be a header.
    #[error(
        "the environment variable `{0}` holds characters that an HTTP header cannot have: write one line of ASCII"
    )]
    Header(String),
}

/// Address and headers.
#[derive(Debug)]
pub(super) struct Target {
    url: Url,
    headers: HeaderMap,
}

impl Target {
    /// Reads the environment.
    ///
    /// # Errors
    /// A variable is not set, or its value does not fit.
    pub(super) fn new(notify: &Notify, env: Env<'_>) -> Result<Self, TargetError> {
        let value = |name: &str| {
            let value = env(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| TargetError::Unset(name.to_owned()))
        };
        let url = match &notify.to {
            Address::Url(url) => url.clone(),
            Address::Variable(name) => web_address(&value(name)?)
                .map_err(|reason| TargetError::Url { name: name.clone(), reason })?,
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (header, name) in &notify.headers {
            let wrong = || TargetError::Header(name.clone());
            let header: HeaderName = header.parse().map_err(|_| wrong())?;
            let mut value = HeaderValue::from_str(&value(name)?).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(Self { url, headers })
    }
}

/// Sends the document. It succeeds if the answer has a status of 200 to 299.
pub(super) async fn send(target: Target, limit: Duration, document: String) -> (Outcome, String) {
    // The HTTP client has no cryptography of its own. An error means that the process has chosen already.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    // A redirect would take the headers to another place.
    let client = Client::builder().redirect(redirect::Policy::none()).timeout(limit).build();
    let place = host(&target.url);
    let sent = match client {
        Ok(client) => client.post(target.url).headers(target.headers).body(document).send().await,
        Err(error) => Err(error),
    };
    match sent {
        Ok(answer) => {
            let outcome = if answer.status().is_success() { Outcome::Done } else { Outcome::Failed };
            (outcome, format!("{place} answered {}", answer.status()))
        }
        Err(error) if error.is_timeout() => (Outcome::TimedOut, format!("{place} did not answer")),
        Err(error) => (Outcome::Failed, format!("{place}: {}", causes(&error.without_url()))),
    }
}

/// The error and its causes: the error alone does not say why.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}
