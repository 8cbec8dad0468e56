//! The kinds of errors that a server sends with `-ERR`.

/// Kind of the error in an `-ERR`. The text determines the kind, because the protocol has no error codes.
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
    /// The server allows no further connection of any client: `maximum connections exceeded`.
    ServerConnections,
    /// The account allows no further connection to any server: `maximum account active connections exceeded`.
    AccountConnections,
    /// The server is overloaded: `Connection throttling is active`, or `Authentication Timeout`. A timeout does not mean
    /// that the credentials are wrong: the server had no time to check them.
    Overload,
    /// The user has no permission to publish or subscribe to a subject. The connection stays open. [`Denied`] has the
    /// subject.
    Permissions,
    /// The connection has as many subscriptions as the server or the account allows: `maximum subscriptions exceeded`.
    /// The server ignores the newest subscription, and the connection stays open.
    Subscriptions,
    /// The client sent something that no server with the same configuration accepts: `maximum control line exceeded`,
    /// `Maximum Payload Violation`, `Unknown Protocol Operation`. The server closes the connection. Another server
    /// would also close the connection after the same input.
    Protocol,
    /// Anything else.
    Other,
}

impl Complaint {
    /// Returns the kind of an error with this text. The function knows the texts of nats-server 2.15.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let has = |part: &str| has(text, part);
        if text.starts_with("Permissions Violation") {
            Self::Permissions
        } else if has("throttling") || has("authentication timeout") {
            Self::Overload
        } else if has("subscriptions exceeded") {
            Self::Subscriptions
        } else if has("control line")
            || has("payload violation")
            || has("protocol operation")
            || has("parser error")
        {
            Self::Protocol
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

/// The operation that an `-ERR` of [`Complaint::Permissions`] denies.
///
/// ```
/// use nats_geo::wire::Denied;
///
/// let denied = Denied::parse("Permissions Violation for Subscription to \"orders.>\" using queue \"workers\"");
/// let queue = Some("workers".to_owned());
/// assert_eq!(denied, Some(Denied::Subscription { subject: "orders.>".into(), queue }));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Denied {
    /// A subscription.
    Subscription {
        /// The subject of the subscription.
        subject: String,
        /// The queue group of the subscription, if it has one.
        queue: Option<String>,
    },
    /// A publish to this subject.
    Publish {
        /// The subject.
        subject: String,
    },
    /// A publish with this reply subject.
    Reply {
        /// The reply subject.
        reply: String,
    },
}

impl Denied {
    /// Parses the text of a permissions error of nats-server 2.15. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("Permissions Violation for ")?;
        if let Some(rest) = rest.strip_prefix("Subscription to ") {
            let (subject, rest) = unquote(rest)?;
            let queue = rest.strip_prefix(" using queue ").and_then(unquote).map(|(queue, _)| queue);
            Some(Self::Subscription { subject, queue })
        } else if let Some(rest) = rest.strip_prefix("Publish to ") {
            unquote(rest).map(|(subject, _)| Self::Publish { subject })
        } else {
            unquote(rest.strip_prefix("Publish with Reply of ")?).map(|(reply, _)| Self::Reply { reply })
        }
    }
}

/// Reads a string that Go has quoted (`%q`), and returns what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut plain = String::new();
    let mut chars = text.strip_prefix('"')?.chars();
    loop {
        match chars.next()? {
            '"' => return Some((plain, chars.as_str())),
            '\\' => plain.push(match chars.next()? {
                digits @ ('x' | 'u' | 'U') => escaped(&mut chars, digits)?,
                // White space and control characters cannot be in a subject: only these two are escaped by a letter.
                other => other,
            }),
            other => plain.push(other),
        }
    }
}

/// The character of `\x41`, `\u0041` or `\U00000041`.
fn escaped(chars: &mut std::str::Chars<'_>, kind: char) -> Option<char> {
    let count = match kind {
        'x' => 2,
        'u' => 4,
        _ => 8,
    };
    let code = (0..count).try_fold(0, |code, _| Some(code * 16 + chars.next()?.to_digit(16)?))?;
    char::from_u32(code)
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
            ("maximum subscriptions exceeded", Complaint::Subscriptions),
            ("maximum control line exceeded", Complaint::Protocol),
            ("Maximum Payload Violation", Complaint::Protocol),
            ("Unknown Protocol Operation", Complaint::Protocol),
            ("Slow Consumer", Complaint::Other),
            ("Stale Connection", Complaint::Other),
            ("", Complaint::Other),
        ] {
            assert_eq!(Complaint::of(text), complaint, "{text}");
        }
    }

    #[test]
    fn a_permission_error_names_what_it_denies() {
        let subscription = |subject: &str, queue: Option<&str>| {
            Some(Denied::Subscription { subject: subject.into(), queue: queue.map(Into::into) })
        };
        for (text, denied) in [
            (r#"Subscription to "secret.x""#, subscription("secret.x", None)),
            (r#"Subscription to "a" using queue "q""#, subscription("a", Some("q"))),
            (r#"Subscription to "a" using queue "q" (sid "1")"#, subscription("a", Some("q"))),
            (r#"Subscription to "a.b.c", too many tokens"#, subscription("a.b.c", None)),
            (r#"Subscription to "a\"b\\c\u00e9\x41\U0001f4a1""#, subscription("a\"b\\cé\u{41}💡", None)),
            (r#"Publish to "a.b""#, Some(Denied::Publish { subject: "a.b".into() })),
            (r#"Publish with Reply of "_INBOX.1""#, Some(Denied::Reply { reply: "_INBOX.1".into() })),
            (r#"Subscription to "a"#, None),
            (r#"Publish to "a\u00""#, None),
            ("Something to \"a\"", None),
        ] {
            assert_eq!(Denied::parse(&format!("Permissions Violation for {text}")), denied, "{text}");
        }
        assert_eq!(Denied::parse("maximum subscriptions exceeded"), None);
    }
}
