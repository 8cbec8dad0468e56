//! Files of users: `NAME.env` for a shell, besides creds files and seeds.

use super::super::credentials::KeyError;
use super::super::model::{Topology, file_stem};
use super::super::spec::{AccountSpec, UserSpec};
use super::files::{Inputs, RenderedFile};
use super::{env, shell};

/// One `users/NAME.env` per user, with the variables of the `nats` CLI. Paths in them begin at the rendered folder.
///
/// # Errors
/// See [`KeyError`].
pub(super) fn env_files(inputs: &Inputs<'_>) -> Result<Vec<RenderedFile>, KeyError> {
    let users = all(inputs.topology).map(|(account, user)| (file(user), Some((account, user))));
    let all: Vec<_> = if inputs.topology.spec().accounts.is_empty() {
        vec![("users/token.env".to_owned(), None)]
    } else {
        users.collect()
    };
    let file = |(path, user)| {
        let variables = env::user(inputs.topology, inputs.credentials, user, ".")?;
        Ok(RenderedFile::secret(path, env::exports(&variables, inputs.topology.is_tls_first())))
    };
    all.into_iter().map(file).collect()
}

/// The line that makes a shell a user of an account; the first account's where it has none.
pub(super) fn become_user(topology: &Topology, account: &str) -> String {
    let of_account = all(topology).find(|(owner, _)| owner.name == account);
    let path = of_account.map_or_else(|| "users/token.env".to_owned(), |(_, user)| file(user));
    format!(". ./{}", shell::word(&path))
}

fn all(topology: &Topology) -> impl Iterator<Item = (&AccountSpec, &UserSpec)> {
    let accounts = topology.spec().accounts.iter();
    accounts.flat_map(|account| account.users.iter().map(move |user| (account, user)))
}

fn file(user: &UserSpec) -> String {
    format!("users/{}.env", file_stem(&user.name, 0))
}
