//! Who the client is, to servers.

use std::fmt;

/// Credentials. The same account must exist in every region: credentials are never a reason to fail over.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Auth {
    /// None.
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
}

impl Auth {
    /// `options` with these credentials.
    pub(crate) fn apply(&self, options: async_nats::ConnectOptions) -> async_nats::ConnectOptions {
        match self {
            Self::None => options,
            Self::UserAndPassword { user, password } => {
                options.user_and_password(user.clone(), password.expose().to_owned())
            }
            Self::Token(token) => options.token(token.expose().to_owned()),
        }
    }
}

/// A text that is never shown: `Debug` prints `***`, and there is no `Display`.
///
/// ```
/// let password = nats_geo::Secret::from("s3cr3t");
/// assert_eq!(format!("{password:?}"), "***");
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// For the wire only.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(secret: T) -> Self {
        Self(secret.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
