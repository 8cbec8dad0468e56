//! The ways to emulate the WAN, and the effects that each of them can show.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::effect::LinkEffect;

/// The emulation that an operator asks for.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Eq, PartialEq, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum WanChoice {
    /// `netns` if this machine allows it, otherwise `proxy`
    Auto,
    /// TCP proxies, on any Unix without privileges
    #[default]
    Proxy,
    /// Network namespaces, in which the kernel's TCP retransmits lost packets. Linux only, as root or in a user namespace
    Netns,
    /// No emulation: all regions are on one machine, without distances or faults of links
    None,
}

/// The emulation that a super-cluster has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Backend {
    /// TCP proxies.
    Proxy,
    /// Network namespaces.
    Netns,
    /// No emulation.
    None,
}

/// A fault that the emulation of this run does not have.
#[derive(Debug, thiserror::Error)]
#[error("{effect}: `--wan {backend}` cannot inject this fault, because {reason}; use `--wan {instead}`")]
pub struct UnsupportedError {
    effect: LinkEffect,
    backend: Backend,
    reason: &'static str,
    instead: &'static str,
}

impl Backend {
    /// The value of `--wan`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Netns => "netns",
            Self::None => "none",
        }
    }

    /// Refuses an effect that it cannot have.
    ///
    /// # Errors
    /// See [`UnsupportedError`].
    pub fn check(self, effect: LinkEffect) -> Result<(), UnsupportedError> {
        let (reason, instead) = match (self, effect) {
            (Self::None, _) => ("it does not emulate links", "proxy` or `--wan netns"),
            (Self::Proxy, LinkEffect::Loss(_) | LinkEffect::Jitter { reorders: true, .. }) => {
                ("TCP proxies carry bytes and see no packets", "netns")
            }
            (Self::Netns, LinkEffect::Close) => {
                ("only the two ends of a connection can close it in order", "proxy")
            }
            _ => return Ok(()),
        };
        Err(UnsupportedError { effect, backend: self, reason, instead })
    }

    /// The facts that a reader of its figures must know, one sentence each.
    pub const fn limits(self) -> &'static [&'static str] {
        match self {
            Self::Proxy => &[
                "TCP proxies emulate the WAN: there is no packet loss and no slow start.",
                "During silence the kernel still acknowledges TCP segments, so the time-outs of TCP itself are not tested.",
                "The kernel completes TCP handshakes at once; the proxy delays the server's first byte by the round trips of \
                 the handshake.",
            ],
            Self::Netns => &[
                "Network namespaces emulate the WAN: connections use the kernel's TCP, and packets are delayed and lost.",
                "A TUN device and one thread carry all packets, so the throughput is lower than on a real link.",
                "Servers of one region share a namespace: no emulated packet passes between them.",
            ],
            Self::None => &["The WAN is not emulated: all regions are equally near."],
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::wan::{Loss, Silence};

    #[test]
    fn a_fault_that_a_backend_lacks_is_refused_with_the_one_that_has_it() {
        let loss = LinkEffect::Loss(Loss { per_million: 10_000, burst: NonZeroU16::MIN, seed: 1 });
        let error = Backend::Proxy.check(loss).unwrap_err().to_string();
        assert!(error.contains("a loss of 1 %") && error.contains("use `--wan netns`"), "{error}");
        let error = Backend::Netns.check(LinkEffect::Close).unwrap_err().to_string();
        assert!(error.contains("use `--wan proxy`"), "{error}");
        let silence = LinkEffect::Silence(Silence::Both);
        assert!(Backend::Netns.check(loss).is_ok() && Backend::Netns.check(silence).is_ok());
        assert!(Backend::Proxy.check(LinkEffect::Close).is_ok());
        let error = Backend::None.check(silence).unwrap_err().to_string();
        assert!(error.contains("`--wan proxy` or `--wan netns`"), "{error}");
    }
}
