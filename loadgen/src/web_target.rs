//! HTTP addresses that files of loadgen name: with secrets from the environment, which no error and no `Debug` shows.

use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url, redirect};

/// A value of the environment, by name.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reason why a request has no target. No value of the environment is shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// The variable is absent or empty.
    #[error("the environment variable `{0}` is not set: set it, or change the file")]
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

/// Address and headers. `Debug` shows only the host.
#[derive(Clone)]
pub(crate) struct Target {
    url: Url,
    headers: HeaderMap,
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Target({})", self.host())
    }
}

impl Target {
    /// Reads the environment. `headers` are names of headers, each with the variable that holds its value.
    ///
    /// # Errors
    /// A variable is not set, or its value does not fit.
    pub(crate) fn new(
        address: &Address,
        headers: &[(String, String)],
        env: Env<'_>,
    ) -> Result<Self, TargetError> {
        let value = |name: &str| {
            let value = env(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| TargetError::Unset(name.to_owned()))
        };
        let url = match address {
            Address::Url(url) => url.clone(),
            Address::Variable(name) => web_address(&value(name)?)
                .map_err(|reason| TargetError::Url { name: name.clone(), reason })?,
        };
        let mut all = HeaderMap::new();
        for (header, name) in headers {
            let wrong = || TargetError::Header(name.clone());
            let header: HeaderName = header.parse().map_err(|_| wrong())?;
            let mut value = HeaderValue::from_str(&value(name)?).map_err(|_| wrong())?;
            value.set_sensitive(true);
            all.insert(header, value);
        }
        Ok(Self { url, headers: all })
    }

    /// The part that may be shown.
    pub(crate) fn host(&self) -> String {
        host(&self.url)
    }

    /// Makes a request with the headers.
    pub(crate) fn request(&self, client: &Client, method: Method) -> RequestBuilder {
        client.request(method, self.url.clone()).headers(self.headers.clone())
    }
}

/// Makes a client that gives up after a time.
///
/// # Errors
/// The operating system's certificates cannot be read.
pub(crate) fn client(limit: Duration) -> reqwest::Result<Client> {
    // The HTTP client has no cryptography of its own. An error means that the process has chosen already.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    // A redirect would take the headers to another place.
    Client::builder().redirect(redirect::Policy::none()).timeout(limit).build()
}

/// The place of an address. `Debug` shows only its host: the rest may be a secret.
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum Address {
    /// In the file.
    Url(Url),
    /// In this environment variable.
    Variable(String),
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(formatter, "Url({})", host(url)),
            Self::Variable(name) => write!(formatter, "Variable({name})"),
        }
    }
}

/// The part of an address that may be shown: its scheme and host.
pub(crate) fn host(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// Reads an address of HTTP. The error does not contain it.
pub(crate) fn web_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    if is_web { Ok(url) } else { Err(format!("its scheme is `{}`", url.scheme())) }
}

/// Upper-case names only: so a secret that stands in place of a name is refused without being shown.
pub(crate) fn is_variable(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    !name.is_empty() && name.chars().all(is_letter) && !name.starts_with(|first: char| first.is_ascii_digit())
}

pub(crate) fn is_header(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}

/// The error and its causes: the error alone does not say why.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}
