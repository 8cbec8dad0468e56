//! The super-cluster that `loadgen up` keeps running on this machine. Commands use it when the operator names no other.

use std::collections::BTreeMap;

use crate::ctl::client::{self, CtlError};
use crate::topology::credentials;
use crate::up::access::Access;
use crate::up::control::Command;

/// Which super-cluster, and as whom.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Running {
    /// The name that the operator gave; `None`: the only one that is up, if there is one.
    pub(super) deployment: Option<String>,
    pub(super) role: Role,
}

/// The account of the user.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Role {
    /// The system account.
    #[default]
    System,
    /// The first account of applications.
    Application,
}

impl Running {
    /// Asks for addresses and credentials; `None`, if nothing is up and the operator did not say that something is.
    pub(super) async fn access(&self) -> Result<Option<Access>, CtlError> {
        match client::access(self.deployment.as_deref()).await {
            Err(CtlError::NothingUp) if self.deployment.is_none() => Ok(None),
            found => found.map(Some),
        }
    }

    /// Asks for the round-trip times that it emulates, by pair of regions; nothing, if nothing is up.
    pub(super) async fn emulated(&self) -> BTreeMap<String, f64> {
        let world = client::order(self.deployment.as_deref(), Command::Snapshot).await;
        world.map(|world| world.rtt_ms).unwrap_or_default()
    }

    pub(super) const fn login<'a>(&self, access: &'a Access) -> &'a credentials::Login {
        match self.role {
            Role::System => &access.system,
            Role::Application => &access.application,
        }
    }
}
