//! Environment variables of the `nats` CLI: the servers and the user.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::super::credentials::{Credentials, KeyError, Login};
use super::super::model::Topology;
use super::super::spec::{AccountSpec, UserSpec};
use super::addresses::Placed;
use super::{accounts, shell};
use crate::secret::{Secret, for_its_owner};

/// A variable of the `nats` CLI.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Variable {
    /// The name, such as `NATS_URL`.
    pub name: String,
    /// The value; a password or a token is secret.
    #[serde(serialize_with = "for_its_owner")]
    pub value: Secret,
}

impl Variable {
    /// Makes a variable.
    pub fn new(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: Secret::new(value) }
    }
}

/// The variables of a user. `folder` is the rendered folder, in which the user's files and the certificates are.
///
/// # Errors
/// See [`KeyError`].
pub fn user(
    topology: &Topology,
    credentials: &Credentials,
    user: Option<(&AccountSpec, &UserSpec)>,
    folder: &str,
) -> Result<Vec<Variable>, KeyError> {
    let mut all = Vec::new();
    let mut set = |name, value: &str| all.push(Variable::new(name, value));
    match user {
        None => set("NATS_TOKEN", credentials.token(topology.spec().auth.token.as_ref()).expose()),
        Some((account, user)) => match credentials.login(topology, account, user)? {
            Login::Anonymous => {}
            Login::Password { user, password } => {
                set("NATS_USER", &user);
                set("NATS_PASSWORD", password.expose());
            }
            Login::Token(token) => set("NATS_TOKEN", token.expose()),
            Login::Nkey(_) => set("NATS_NKEY", &format!("{folder}/users/{}", accounts::seed_file(user))),
            Login::Creds(_) => set("NATS_CREDS", &format!("{folder}/users/{}", accounts::creds_file(user))),
        },
    }
    if let Some(tls) = &topology.spec().tls {
        set("NATS_CA", &format!("{folder}/tls/ca.pem"));
        if tls.mutual {
            set("NATS_CERT", &format!("{folder}/tls/client.pem"));
            set("NATS_KEY", &format!("{folder}/tls/client.key"));
        }
    }
    Ok(all)
}

/// The variables of the first user of the first account of applications, at one server.
///
/// # Errors
/// See [`KeyError`].
pub fn at(
    topology: &Topology,
    credentials: &Credentials,
    placed: &Placed,
    folder: &str,
) -> Result<Vec<Variable>, KeyError> {
    let first = topology.accounts().find_map(|account| Some((account, account.users.first()?)));
    let mut all = vec![Variable::new("NATS_URL", &url(topology, placed))];
    all.extend(user(topology, credentials, first, folder)?);
    Ok(all)
}

/// Returns the URL at which clients connect to a server.
pub fn url(topology: &Topology, placed: &Placed) -> String {
    let scheme = if topology.spec().tls.is_some() { "tls" } else { "nats" };
    format!("{scheme}://{}", placed.reach.client)
}

/// Option of the `nats` CLI that has no variable: servers begin with the TLS handshake.
pub(super) fn flags(topology: &Topology) -> &'static str {
    if topology.is_tls_first() { " --tlsfirst" } else { "" }
}

/// Lines for a shell: `export NAME=VALUE`. `is_tls_first`: servers begin with the TLS handshake, for which the `nats` CLI has an
/// option, but no variable.
pub fn exports(variables: &[Variable], is_tls_first: bool) -> String {
    let mut text = String::new();
    if is_tls_first {
        text.push_str("# Add --tlsfirst to every command of the nats CLI.\n");
    }
    for Variable { name, value } in variables {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "export {name}={}", shell::word(value.expose()));
    }
    text
}
