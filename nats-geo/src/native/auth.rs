//! The credentials that the client sends to servers.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use async_nats::{AuthError, ConnectOptions};
use nkeys::KeyPair;
use tokio::task::JoinSet;

use super::Secret;
use super::creds::{self, CredentialsError};

/// Credentials. The same account must exist in every region, because the client can move to any region.
///
/// ```
/// use nats_geo::{Auth, GeoOptions, Secret};
///
/// // The client reads the file for every connection, so it uses a renewed file without a restart.
/// let from_a_file = GeoOptions::new().creds_file("/etc/nats/app.creds");
///
/// // The client calls the function for every connection, so tokens can change, and keys can stay elsewhere.
/// let from_elsewhere = GeoOptions::new().auth(Auth::callback(|_nonce| async {
///     Ok(Auth::Token(Secret::from("a fresh token")))
/// }));
/// ```
#[derive(Clone, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Auth {
    /// No credentials.
    #[default]
    None,
    /// User and password.
    UserAndPassword {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token.
    Token(Secret),
    /// An NKey: the client signs the nonce of the server with this seed (`SU...`). The seed never leaves the process.
    NKey(Secret),
    /// A user JWT and the seed of its NKey. [`Auth::creds`] reads both from the text of a creds file.
    Jwt {
        /// The JWT.
        jwt: Secret,
        /// The seed.
        seed: Secret,
    },
    /// A creds file in the format of `nsc`. The client reads the file for every connection, so it uses a renewed file at
    /// once.
    CredsFile(PathBuf),
    /// A function that the client calls for every connection; see [`Auth::callback`].
    Callback(AuthCallback),
    /// The answer of a callback that has itself signed the nonce, for example with a key in a hardware module.
    Signed {
        /// The public NKey (`U...`); not needed with a JWT, which contains the NKey.
        nkey: Option<String>,
        /// The user JWT, if there is one.
        jwt: Option<Secret>,
        /// The signature of the nonce.
        signature: Vec<u8>,
    },
}

/// The kind alone. A user is not shown either: a token with a `:` in it reads as user and password in a URL.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::UserAndPassword { .. } => "UserAndPassword(***)",
            Self::Token(_) => "Token(***)",
            Self::NKey(_) => "NKey(***)",
            Self::Jwt { .. } => "Jwt(***)",
            Self::CredsFile(path) => return f.debug_tuple("CredsFile").field(path).finish(),
            Self::Callback(_) => "Callback(..)",
            Self::Signed { .. } => "Signed(***)",
        })
    }
}

impl Auth {
    /// Reads JWT and seed from the text of a creds file.
    ///
    /// # Errors
    /// The JWT or the seed is missing or not valid.
    pub fn creds(text: &str) -> Result<Self, CredentialsError> {
        let (jwt, seed) = creds::parse(text)?;
        creds::key_pair(&seed)?;
        Ok(Self::Jwt { jwt, seed })
    }

    /// Creates credentials from a function. The client calls this function before every connection, with the nonce to
    /// sign. Use a callback for tokens that change, for auth callout, and for keys outside the process. If the function
    /// answers too late, the dial fails. An error of the function counts as refused credentials.
    pub fn callback<F, Answer>(callback: F) -> Self
    where
        F: Fn(Vec<u8>) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Result<Self, Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let callback = move |nonce| -> Answering {
            let answer = callback(nonce);
            Box::pin(async move { answer.await.map_err(|error| error.to_string()) })
        };
        Self::Callback(AuthCallback(Arc::new(callback)))
    }

    /// Returns whether they can be used at all, as far as that can be known without a server.
    pub(crate) async fn check(&self) -> Result<(), CredentialsError> {
        match self {
            Self::NKey(seed) | Self::Jwt { seed, .. } => creds::key_pair(seed).map(drop),
            Self::CredsFile(path) => creds::read(path).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Options of async-nats with these credentials.
    pub(crate) fn options(&self) -> ConnectOptions {
        if *self == Self::None {
            return ConnectOptions::new();
        }
        let auth = self.clone();
        ConnectOptions::with_auth_callback(move |nonce| {
            let auth = auth.clone();
            async move {
                // async-nats wants a future that can be shared, which few are; and what it gives up on must end.
                let mut asking = JoinSet::new();
                asking.spawn(async move { auth.answer(nonce).await });
                match asking.join_next().await {
                    Some(Ok(answer)) => answer.map_err(AuthError::new),
                    Some(Err(error)) => Err(AuthError::new(error)),
                    None => Err(AuthError::new("nobody was asked")),
                }
            }
        })
    }

    /// What goes into CONNECT.
    async fn answer(self, nonce: Vec<u8>) -> Result<async_nats::Auth, String> {
        let known = match self {
            Self::Callback(AuthCallback(callback)) => callback(nonce.clone()).await?,
            known => known,
        };
        let mut answer = async_nats::Auth::new();
        match known {
            Self::None => {}
            Self::UserAndPassword { user, password } => {
                answer.username = Some(user);
                answer.password = Some(password.expose().to_owned());
            }
            Self::Token(token) => answer.token = Some(token.expose().to_owned()),
            Self::NKey(seed) => {
                let pair = creds::key_pair(&seed).map_err(|error| error.to_string())?;
                answer.nkey = Some(pair.public_key());
                answer.signature = Some(sign(&pair, &nonce)?);
            }
            Self::Jwt { jwt, seed } => with_jwt(&mut answer, &jwt, &seed, &nonce)?,
            Self::CredsFile(path) => {
                let (jwt, seed) = creds::read(&path).await.map_err(|error| error.to_string())?;
                with_jwt(&mut answer, &jwt, &seed, &nonce)?;
            }
            Self::Signed { nkey, jwt, signature } => {
                answer.nkey = nkey;
                answer.jwt = jwt.map(|jwt| jwt.expose().to_owned());
                answer.signature = Some(signature);
            }
            Self::Callback(_) => return Err("the callback returned a callback, not credentials".into()),
        }
        Ok(answer)
    }
}

/// The function of [`Auth::Callback`], which [`Auth::callback`] creates. Two callbacks are equal if one is a clone of the
/// other.
#[derive(Clone)]
pub struct AuthCallback(Arc<dyn Fn(Vec<u8>) -> Answering + Send + Sync>);

type Answering = Pin<Box<dyn Future<Output = Result<Auth, String>> + Send>>;

impl fmt::Debug for AuthCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthCallback")
    }
}

impl PartialEq for AuthCallback {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for AuthCallback {}

fn with_jwt(answer: &mut async_nats::Auth, jwt: &Secret, seed: &Secret, nonce: &[u8]) -> Result<(), String> {
    let pair = creds::key_pair(seed).map_err(|error| error.to_string())?;
    answer.jwt = Some(jwt.expose().to_owned());
    answer.signature = Some(sign(&pair, nonce)?);
    Ok(())
}

fn sign(pair: &KeyPair, nonce: &[u8]) -> Result<Vec<u8>, String> {
    pair.sign(nonce).map_err(|_| "the key has no seed, so it cannot sign".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credentials_are_in_debug() {
        let secret = || Secret::from("s3cr3t");
        let all = [
            Auth::UserAndPassword { user: "u".into(), password: secret() },
            Auth::Token(secret()),
            Auth::NKey(secret()),
            Auth::Jwt { jwt: secret(), seed: secret() },
            Auth::callback(|_| async { Ok(Auth::Token(Secret::from("s3cr3t"))) }),
            Auth::Signed { nkey: None, jwt: Some(secret()), signature: vec![] },
        ];
        for auth in all {
            assert!(!format!("{auth:?}").contains("s3cr3t"), "{auth:?}");
        }
    }

    #[tokio::test]
    async fn an_nkey_signs_the_nonce() {
        let pair = KeyPair::new_user();
        let auth = Auth::NKey(Secret::from(pair.seed().unwrap()));
        let answer = auth.answer(b"nonce".to_vec()).await.unwrap();
        assert_eq!(answer.nkey, Some(pair.public_key()));
        pair.verify(b"nonce", &answer.signature.unwrap()).unwrap();
    }

    #[tokio::test]
    async fn a_callback_is_asked_with_the_nonce_and_may_fail() {
        let signing =
            Auth::callback(
                |nonce| async move { Ok(Auth::Signed { nkey: None, jwt: None, signature: nonce }) },
            );
        assert_eq!(signing.answer(b"n".to_vec()).await.unwrap().signature, Some(b"n".to_vec()));
        let failing = Auth::callback(|_| async { Err("the vault is sealed".into()) });
        assert_eq!(failing.answer(vec![]).await.err().unwrap(), "the vault is sealed");
        let endless = Auth::callback(|_| async { Ok(Auth::callback(|_| async { Ok(Auth::None) })) });
        assert!(endless.answer(vec![]).await.is_err());
    }
}
