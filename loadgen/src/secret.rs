//! Values that no log may show.

use std::convert::Infallible;
use std::fmt::{self, Write};
use std::io::{self, Read};
use std::str::FromStr;

use serde::Deserialize;
use subtle::ConstantTimeEq as _;

/// Bytes that nobody can guess, from the operating system.
///
/// # Errors
/// There is no `/dev/urandom`.
pub fn random_seed() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A password, or anything else that no log may show.
#[derive(Clone, Deserialize, Eq, PartialEq, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps what the user chose.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A new one, which nobody can guess.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 16];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let mut text = String::new();
        for byte in bytes {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether a given text is this one. The time that it takes tells nothing but the length.
    pub fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

/// Writes the text itself. For channels that only the owner of the secret can read.
///
/// # Errors
/// The serializer's.
pub fn for_its_owner<S: serde::Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(***)")
    }
}
