//! JSON as nats-server, a Go program, writes it.

use serde::{Deserialize, Deserializer};

/// Go prints an empty list as `null` unless its field may be left out.
///
/// # Errors
/// The value is neither `null` nor what is expected.
pub(crate) fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
