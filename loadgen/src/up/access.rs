//! Access to the super-cluster that is up, for other commands of its owner on this machine.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cluster::SuperCluster;
use crate::topology::credentials::{KeyError, Login};
use crate::topology::render::env::{self, Variable};
use crate::topology::spec::{AccountSpec, UserSpec};

/// Addresses and credentials. They leave loadgen only by the control socket, which nobody but its owner can open.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Access {
    /// The servers themselves, not the emulated links to them.
    pub servers: Vec<String>,
    /// A user of the system account.
    pub system: Login,
    /// A user of the first account of applications.
    pub application: Login,
    /// The authority's certificate, if the servers use TLS.
    pub ca: Option<PathBuf>,
    /// A client's certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Whether the servers begin with the TLS handshake.
    pub tls_first: bool,
    /// Every user, applications first.
    #[serde(default)]
    pub logins: Vec<UserLogin>,
}

/// The variables with which a user logs in.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct UserLogin {
    /// Name of the user. It is empty if all clients share one token.
    pub user: String,
    /// The variables, without an address.
    pub variables: Vec<Variable>,
}

impl Access {
    /// Of a super-cluster that runs.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn of(cluster: &SuperCluster) -> Result<Self, KeyError> {
        let (credentials, topology) = (cluster.credentials(), cluster.topology());
        let files = cluster.tls();
        Ok(Self {
            servers: cluster.server_urls().into_values().collect(),
            system: credentials.system_login(topology)?,
            application: credentials.application_login(topology)?,
            ca: files.map(|files| files.ca.clone()),
            tls_first: topology.is_tls_first(),
            logins: logins(cluster)?,
            certificate: files.map(|files| (files.client.cert.clone(), files.client.key.clone())),
        })
    }
}

fn logins(cluster: &SuperCluster) -> Result<Vec<UserLogin>, KeyError> {
    let (topology, folder) = (cluster.topology(), cluster.folder().display().to_string());
    let login = |user: Option<(&AccountSpec, &UserSpec)>| {
        let variables = env::user(topology, cluster.credentials(), user, &folder)?;
        Ok(UserLogin { user: user.map(|(_, user)| user.name.clone()).unwrap_or_default(), variables })
    };
    let mut logins = Vec::new();
    for account in topology.accounts().chain(topology.system_account()) {
        for user in &account.users {
            logins.push(login(Some((account, user)))?);
        }
    }
    if logins.is_empty() {
        logins.push(login(None)?);
    }
    Ok(logins)
}
