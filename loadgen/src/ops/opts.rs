//! The address of a back channel.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

/// The URL of a back channel, such as `nats://user:password@host:4222` or `nats://token@host`. No output shows its credentials.
#[derive(Clone, Eq, PartialEq)]
pub struct OpsUrl {
    text: String,
    address: ServerAddr,
}

/// An address of this machine at which agents reach it: 127.0.0.1, or one that other machines can dial.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ListenAddress(Ipv4Addr);

/// Text that is no such address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("agents cannot dial `{0}`: give one IPv4 address of this machine, such as 192.168.1.20")]
pub struct ParseListenAddressError(String);

impl ListenAddress {
    pub(crate) const fn ip(self) -> Ipv4Addr {
        self.0
    }
}

impl Default for ListenAddress {
    fn default() -> Self {
        Self(Ipv4Addr::LOCALHOST)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for ListenAddress {
    type Err = ParseListenAddressError;

    fn from_str(text: &str) -> Result<Self, ParseListenAddressError> {
        let can_be_dialled = |ip: &Ipv4Addr| !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast();
        let ip = text.parse().ok().filter(can_be_dialled);
        ip.map(Self).ok_or_else(|| ParseListenAddressError(text.to_owned()))
    }
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
    fn agents_dial_one_address() {
        let address: ListenAddress = "192.168.1.20".parse().unwrap();
        assert_eq!(address.to_string(), "192.168.1.20");
        assert_eq!(ListenAddress::default().to_string(), "127.0.0.1");
        for wrong in ["0.0.0.0", "::1", "localhost", "192.168.1.20:4222", "224.0.0.1", ""] {
            let error = wrong.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("agents cannot dial `{wrong}`: give")), "{error}");
        }
    }

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
