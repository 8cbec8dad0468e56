//! What a server complains about in `-ERR`.

/// The text of an `-ERR`, sorted: the protocol has no codes.
///
/// ```
/// use nats_geo::wire::Complaint;
///
/// assert_eq!(Complaint::of("Authorization Violation"), Complaint::Credentials);
/// assert_eq!(Complaint::of("Authentication Timeout"), Complaint::Overload);
/// assert_eq!(Complaint::of("Stale Connection"), Complaint::Other);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Complaint {
    /// The credentials are wrong, expired or revoked: `Authorization Violation`, `User Authentication Expired`.
    Credentials,
    /// The server allows no further connection, whoever asks: `maximum connections exceeded`.
    ServerConnections,
    /// The account allows no further connection, wherever: `maximum account active connections exceeded`.
    AccountConnections,
    /// The server has too much to do for this client now: `Connection throttling is active`, and `Authentication
    /// Timeout`, which says nothing about credentials, but that nobody had time for them.
    Overload,
    /// The account may not publish or subscribe there; the connection stays open.
    Permissions,
    /// Anything else.
    Other,
}

impl Complaint {
    /// By the texts of nats-server 2.15.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let has = |part: &str| has(text, part);
        if text.starts_with("Permissions Violation") {
            Self::Permissions
        } else if has("throttling") || has("authentication timeout") {
            Self::Overload
        } else if has("account active connections exceeded") {
            Self::AccountConnections
        } else if has("connections exceeded") {
            Self::ServerConnections
        } else if has("authentication") || has("authorization") {
            Self::Credentials
        } else {
            Self::Other
        }
    }
}

/// Whatever the case. `str::contains` brings the search of Crochemore and Perrin along, which is 3 kB of a browser's
/// download.
fn has(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_told_apart() {
        for (text, complaint) in [
            ("Authorization Violation", Complaint::Credentials),
            ("User Authentication Expired", Complaint::Credentials),
            ("User Authentication Revoked", Complaint::Credentials),
            ("Account Authentication Expired", Complaint::Credentials),
            ("Authentication Timeout", Complaint::Overload),
            ("Connection throttling is active. Please try again later.", Complaint::Overload),
            ("maximum connections exceeded", Complaint::ServerConnections),
            ("maximum account active connections exceeded", Complaint::AccountConnections),
            ("Permissions Violation for Publish to \"authorization\"", Complaint::Permissions),
            ("Slow Consumer", Complaint::Other),
            ("Stale Connection", Complaint::Other),
            ("", Complaint::Other),
        ] {
            assert_eq!(Complaint::of(text), complaint, "{text}");
        }
    }
}
