//! Variables of the `nats` CLI: where to connect, and as which user.

use std::fmt::Write as _;

use super::super::credentials::{Credentials, KeyError, Login};
use super::super::model::Topology;
use super::super::spec::{AccountSpec, UserSpec};
use super::addresses::Placed;
use super::{accounts, shell};
use crate::secret::Secret;

/// Variables with their values; `NATS_PASSWORD` and `NATS_TOKEN` are secret.
pub type Variables = Vec<(&'static str, Secret)>;

/// The variables of a user. `folder` is the rendered folder, in which the user's files and the certificates are.
///
/// # Errors
/// See [`KeyError`].
pub fn user(
    topology: &Topology,
    credentials: &Credentials,
    user: Option<(&AccountSpec, &UserSpec)>,
    folder: &str,
) -> Result<Variables, KeyError> {
    let mut all = Variables::new();
    let mut set = |name, value: &str| all.push((name, Secret::new(value)));
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
) -> Result<Variables, KeyError> {
    let first = topology.accounts().find_map(|account| Some((account, account.users.first()?)));
    let mut all = vec![("NATS_URL", Secret::new(url(topology, placed)))];
    all.extend(user(topology, credentials, first, folder)?);
    Ok(all)
}

/// Returns the URL at which clients connect to a server.
pub fn url(topology: &Topology, placed: &Placed) -> String {
    let scheme = if topology.spec().tls.is_some() { "tls" } else { "nats" };
    format!("{scheme}://{}", placed.reach.client)
}

/// Lines for a shell: `export NAME=VALUE`.
pub fn exports(variables: &Variables) -> String {
    let mut text = String::new();
    for (name, value) in variables {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "export {name}={}", shell::word(value.expose()));
    }
    text
}
