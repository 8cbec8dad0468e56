//! Names that are too long for a line of the protocol.
//!
//! nats-server closes the connection of a client that sends a line that is too long. The client would resend this line on
//! the next link, so it refuses the name before it sends anything.

use async_nats::message::OutboundMessage;

use super::publish;

/// The error of a name that makes a line of the protocol longer than the limit of servers.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{name}` makes a protocol line of {length} bytes, more than the {limit} that servers read (`max_control_line`): \
     shorten the name, or set `GeoOptions::max_control_line` if all your servers read more"
)]
pub struct TooLong {
    /// The first 48 characters of the longest name on the line.
    pub name: String,
    /// The length of the line without its verb, in bytes. nats-server counts in the same way.
    pub length: usize,
    /// The limit of [`GeoOptions::max_control_line`](super::GeoOptions::max_control_line), in bytes.
    pub limit: usize,
}

/// Checks `SUB <subject> [queue] <sid>`.
pub(crate) fn check_subscription(
    subject: &str,
    queue: Option<&str>,
    limit: usize,
) -> Result<(), Box<TooLong>> {
    let length = names_length(subject, queue) + 1 + DIGITS_MAX;
    check(subject, queue, length, limit)
}

/// The length of the names on a line and the blank between them, in bytes. Every line is longer than its names, by two
/// bytes at least.
pub(crate) fn names_length(subject: &str, other: Option<&str>) -> usize {
    subject.len() + other.map_or(0, |other| other.len() + 1)
}

/// The length of `PUB <subject> [reply] <size>` and `HPUB <subject> [reply] <headers> <size>`, in bytes.
fn publish_length(message: &OutboundMessage) -> usize {
    let names = names_length(&message.subject, message.reply.as_deref());
    let headers = message.headers.as_ref().filter(|headers| !headers.is_empty());
    let headers = headers.map_or(0, |headers| digits(publish::headers_size(headers)) + 1);
    names + 1 + headers + digits(publish::size(message))
}

/// Checks `PUB <subject> [reply] <size>` and `HPUB <subject> [reply] <headers> <size>`.
pub(crate) fn check_publish(message: &OutboundMessage, limit: usize) -> Result<(), Box<TooLong>> {
    let (subject, reply) = (message.subject.as_str(), message.reply.as_deref());
    // Publishing is the fast path, and nearly every line is far shorter.
    if names_length(subject, reply) + NUMBERS_MAX <= limit {
        return Ok(());
    }
    check(subject, reply, publish_length(message), limit)
}

/// The start of a name, for errors and notices.
pub(crate) fn shown(name: &str) -> String {
    match name.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

/// The default limit of nats-server.
pub(crate) const CONTROL_LINE_MAX: usize = 4_096;

/// Digits of the longest subscription id.
const DIGITS_MAX: usize = 20;

/// Two numbers, and the blanks before them.
const NUMBERS_MAX: usize = 2 * (1 + DIGITS_MAX);

/// Enough to recognise a name.
const SHOWN_MAX: usize = 48;

fn check(subject: &str, other: Option<&str>, length: usize, limit: usize) -> Result<(), Box<TooLong>> {
    if length <= limit {
        return Ok(());
    }
    let longer = other.filter(|other| other.len() > subject.len()).unwrap_or(subject);
    Err(Box::new(TooLong { name: shown(longer), length, limit }))
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_as_nats_server_counts_them() {
        let message = |subject: usize, reply: Option<usize>, payload: usize| OutboundMessage {
            subject: "s".repeat(subject).into(),
            reply: reply.map(|length| "r".repeat(length).into()),
            payload: vec![0; payload].into(),
            headers: None,
        };
        for (message, length) in [
            (message(98, None, 0), 100),
            (message(97, None, 10), 100),
            (message(90, Some(7), 9), 100),
            (message(7, Some(86), 10_000), 100),
        ] {
            assert_eq!(check_publish(&message, length), Ok(()));
            let error = check_publish(&message, length - 1).unwrap_err();
            assert_eq!((error.length, error.limit), (length, length - 1));
        }
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("A", "b");
        let headed = OutboundMessage { headers: Some(headers), ..message(94, None, 0) };
        assert_eq!(check_publish(&headed, 100), Ok(()), "`18 18` are the numbers");
        assert_eq!(check_publish(&headed, 99).unwrap_err().length, 100);
        assert_eq!(check_subscription(&"s".repeat(70), Some("q23456789"), 101), Ok(()));
        assert!(check_subscription(&"s".repeat(70), Some("q23456789"), 100).is_err());
    }

    #[test]
    fn a_long_name_is_shown_in_part() {
        let error = check_subscription(&"é".repeat(5_000), None, CONTROL_LINE_MAX).unwrap_err();
        assert_eq!(error.name, format!("{}...", "é".repeat(48)));
        assert_eq!(shown("orders"), "orders");
    }
}
