//! The address of a back channel.

use std::fmt;
use std::str::FromStr;

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

/// The URL of a back channel, such as `nats://user:password@host:4222` or `nats://token@host`. No output shows its credentials.
#[derive(Clone, Eq, PartialEq)]
pub struct OpsUrl {
    text: String,
    address: ServerAddr,
}

/// Text that is no URL of a back channel.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this is not the URL of a NATS server ({0}): write one such as nats://user:password@host:4222")]
pub struct ParseOpsUrlError(String);

impl OpsUrl {
    /// The whole URL, with credentials.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }

    pub(super) const fn address(&self) -> &ServerAddr {
        &self.address
    }

    /// Its credentials, which async-nats does not take from a URL.
    pub(super) fn login(&self, options: ConnectOptions) -> ConnectOptions {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        match (self.address.username(), self.address.password()) {
            (None, _) => options,
            (Some(token), None) => options.token(decoded(token)),
            (Some(user), Some(password)) => options.user_and_password(decoded(user), decoded(password)),
        }
    }
}

impl FromStr for OpsUrl {
    type Err = ParseOpsUrlError;

    fn from_str(text: &str) -> Result<Self, ParseOpsUrlError> {
        // The error of a URL does not repeat it.
        let address: ServerAddr =
            text.parse().map_err(|error: std::io::Error| ParseOpsUrlError(error.to_string()))?;
        if address.host().is_empty() {
            return Err(ParseOpsUrlError("it has no host".to_owned()));
        }
        Ok(Self { text: text.to_owned(), address })
    }
}

/// Without credentials.
impl fmt::Display for OpsUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}:{}", self.address.scheme(), self.address.host(), self.address.port())
    }
}

impl fmt::Debug for OpsUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "OpsUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_shown() {
        let url: OpsUrl = "nats://ops:hush@127.0.0.1:4333".parse().unwrap();
        assert_eq!(url.to_string(), "nats://127.0.0.1:4333");
        assert!(!format!("{url:?}").contains("hush"));
        for wrong in ["", "nats://", "nats://a:hush@:99999"] {
            let error = wrong.parse::<OpsUrl>().unwrap_err().to_string();
            assert!(error.contains("nats://user:password@host:4222") && !error.contains("hush"), "{error}");
        }
    }
}
