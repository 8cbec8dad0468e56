//! Passwords and keys of a topology's users, all from one seed.

use std::fmt::Write as _;

use nkeys::{KeyPair, KeyPairType};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::jwt;
use super::model::Topology;
use super::spec::{AccountSpec, AuthKind, UserSpec};
use crate::secret::{Secret, for_its_owner};

/// Credentials of all users. The same seed gives the same passwords and keys, so that a rendered folder and a running
/// super-cluster agree, and a restart keeps them.
#[derive(Clone)]
pub struct Credentials {
    seed: [u8; 32],
    /// Password of every user that has none of its own.
    shared: Option<Secret>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credentials(***)")
    }
}

/// Credentials of a client.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Login {
    /// No login.
    Anonymous,
    /// User name and password.
    Password {
        /// The user's name.
        user: String,
        /// The user's password.
        #[serde(serialize_with = "for_its_owner")]
        password: Secret,
    },
    /// The token that all clients share.
    Token(#[serde(serialize_with = "for_its_owner")] Secret),
    /// The NKey with this seed.
    Nkey(#[serde(serialize_with = "for_its_owner")] Secret),
    /// The text of a creds file.
    Creds(#[serde(serialize_with = "for_its_owner")] Secret),
}

/// A seed that gives no key, or a key that gives no signature. This cannot happen with seeds of the right length, but it is an
/// error nevertheless.
#[derive(Debug, thiserror::Error)]
#[error("cannot make an NKey for {whose}: {error}")]
pub struct KeyError {
    whose: String,
    error: nkeys::error::Error,
}

impl KeyError {
    pub(super) fn new(whose: &str, error: nkeys::error::Error) -> Self {
        Self { whose: whose.to_owned(), error }
    }
}

impl Credentials {
    /// Makes the credentials from a seed, which must be secret. `shared` is the password of all users without one of their own.
    pub fn new(seed: [u8; 32], shared: Option<Secret>) -> Self {
        Self { seed, shared }
    }

    /// Returns the credentials of a user of an account.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn login(
        &self,
        topology: &Topology,
        account: &AccountSpec,
        user: &UserSpec,
    ) -> Result<Login, KeyError> {
        let auth = &topology.spec().auth;
        Ok(match auth.kind {
            AuthKind::None | AuthKind::Password => {
                Login::Password { user: user.name.clone(), password: self.password(user) }
            }
            AuthKind::Token => Login::Token(self.token(auth.token.as_ref())),
            AuthKind::Nkey => Login::Nkey(self.user_seed(user)?),
            AuthKind::Operator => Login::Creds(jwt::creds(topology, account, user, self)?),
        })
    }

    /// Returns the credentials of loadgen itself in the first account of applications.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn application_login(&self, topology: &Topology) -> Result<Login, KeyError> {
        if topology.anonymous_user().is_some() {
            return Ok(Login::Anonymous);
        }
        self.first_login(topology, topology.accounts().next())
    }

    /// Returns the credentials of loadgen itself in the system account. With one token for all clients there is no system account:
    /// loadgen is then an application.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn system_login(&self, topology: &Topology) -> Result<Login, KeyError> {
        self.first_login(topology, topology.system_account())
    }

    fn first_login(&self, topology: &Topology, account: Option<&AccountSpec>) -> Result<Login, KeyError> {
        match account.and_then(|account| Some((account, account.users.first()?))) {
            Some((account, user)) => self.login(topology, account, user),
            None => Ok(Login::Token(self.token(topology.spec().auth.token.as_ref()))),
        }
    }

    /// A user's password.
    pub fn password(&self, user: &UserSpec) -> Secret {
        let own = user.password.as_ref().or(self.shared.as_ref()).cloned();
        own.unwrap_or_else(|| self.hex(&format!("password of {}", user.name)))
    }

    /// The token that all share.
    pub fn token(&self, own: Option<&Secret>) -> Secret {
        own.or(self.shared.as_ref()).cloned().unwrap_or_else(|| self.hex("token"))
    }

    /// Salt for a bcrypt hash of a user's password.
    pub fn salt(&self, user: &UserSpec) -> [u8; 16] {
        let mut salt = [0; 16];
        salt.copy_from_slice(&self.derive(&format!("salt of {}", user.name))[..16]);
        salt
    }

    /// A user's NKey.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn user_key(&self, user: &str) -> Result<KeyPair, KeyError> {
        self.key(KeyPairType::User, &format!("user {user}"))
    }

    /// The seed of a user's NKey, as a file holds it.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn user_seed(&self, user: &UserSpec) -> Result<Secret, KeyError> {
        let seed = self.user_key(&user.name)?.seed().map_err(|error| KeyError::new(&user.name, error))?;
        Ok(Secret::new(seed))
    }

    /// An account's NKey.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn account_key(&self, account: &AccountSpec) -> Result<KeyPair, KeyError> {
        self.key(KeyPairType::Account, &format!("account {}", account.name))
    }

    /// The operator's NKey.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn operator_key(&self) -> Result<KeyPair, KeyError> {
        self.key(KeyPairType::Operator, "the operator")
    }

    fn key(&self, kind: KeyPairType, whose: &str) -> Result<KeyPair, KeyError> {
        KeyPair::new_from_raw(kind, self.derive(whose)).map_err(|error| KeyError::new(whose, error))
    }

    fn hex(&self, purpose: &str) -> Secret {
        let mut text = String::new();
        for byte in &self.derive(purpose)[..16] {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Secret::new(text)
    }

    fn derive(&self, purpose: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.seed).chain_update(purpose.as_bytes()).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_something_of_their_own() {
        let user = |name: &str| UserSpec { name: name.to_owned(), ..UserSpec::default() };
        let credentials = Credentials::new([7; 32], None);
        assert_ne!(credentials.password(&user("a")), credentials.password(&user("b")));
        assert_eq!(credentials.password(&user("a")), Credentials::new([7; 32], None).password(&user("a")));
        assert_ne!(credentials.password(&user("a")), Credentials::new([8; 32], None).password(&user("a")));
        let shared = Credentials::new([7; 32], Some(Secret::new("pw")));
        assert_eq!(shared.password(&user("a")).expose(), "pw");
        let own = UserSpec { password: Some(Secret::new("mine")), ..user("a") };
        assert_eq!(shared.password(&own).expose(), "mine");
        assert!(credentials.user_key("a").unwrap().public_key().starts_with('U'));
        assert!(credentials.operator_key().unwrap().public_key().starts_with('O'));
        assert_eq!(format!("{credentials:?}"), "Credentials(***)");
    }
}
