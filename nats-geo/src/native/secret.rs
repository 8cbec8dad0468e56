//! Secret texts, which are never printed.

use std::fmt;

/// A text that is never printed: `Debug` prints `***`, and there is no `Display`.
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
