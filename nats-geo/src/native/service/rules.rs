//! Rules for names, versions, subjects and queue groups of services (ADR-32).

use async_nats::Subject;

/// Letters, digits, `-` and `_`: a name is one token of the `$SRV` subjects, by which clients discover services.
pub(in crate::native) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(may_be_in_name)
}

/// A version as semver.org defines it.
pub(super) fn is_version(version: &str) -> bool {
    let (version, build) = split(version, '+');
    let (core, pre_release) = split(version, '-');
    let is_pre_release = |it: &str| is_identifier(it) && (is_number(it) || !it.bytes().all(is_digit));
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && pre_release.is_none_or(|it| it.split('.').all(is_pre_release))
        && build.is_none_or(|it| it.split('.').all(is_identifier))
}

/// Whether an endpoint may subscribe to this subject: the `$SRV` subjects are reserved for the discovery of services.
pub(super) fn is_subject(subject: &str) -> bool {
    let mut tokens = subject.split('.').rev().skip(1);
    let is_reserved = subject == PREFIX || subject.starts_with("$SRV.");
    // What stands behind `>` would never be looked at.
    Subject::from(subject).is_valid() && !is_reserved && tokens.all(|token| token != ">")
}

pub(super) fn is_queue_group(queue_group: &str) -> bool {
    !queue_group.is_empty() && !queue_group.contains([' ', '\t', '\r', '\n'])
}

/// What an endpoint is called that was given no name: its subject, as far as it may be a name.
pub(super) fn name_of(subject: &str) -> String {
    let letter = |c| match c {
        '.' => '-',
        c if may_be_in_name(c) => c,
        _ => '_',
    };
    subject.chars().map(letter).collect()
}

/// First token of the subjects by which clients discover services.
pub(super) const PREFIX: &str = "$SRV";

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Without leading zeros.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_digit) && (text == "0" || !text.starts_with('0'))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

const fn may_be_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_plain_token() {
        for name in ["orders", "Orders-2", "_", "-"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a b", "a.b", "*", ">", "é", "a\n"] {
            assert!(!is_name(name), "{name}");
        }
    }

    /// From the examples of semver.org.
    #[test]
    fn versions_are_semantic() {
        for version in [
            "0.0.4",
            "1.2.3",
            "10.20.30",
            "1.1.2-prerelease+meta",
            "1.1.2+meta-valid",
            "1.0.0-alpha",
            "1.0.0-alpha.beta.1",
            "1.0.0-alpha0.valid",
            "1.0.0-alpha.0valid",
            "1.0.0-rc.1+build.123",
            "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
            "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
            "99999999999999999999999.999999999999999999.99999999999999999",
            "1.0.0-0A.is.legal",
            "2.0.0+build.1848",
        ] {
            assert!(is_version(version), "{version}");
        }
        for version in [
            "",
            "1",
            "1.2",
            "1.2.3-0123",
            "1.2.3-0123.0123",
            "1.1.2+.123",
            "+invalid",
            "-invalid",
            "alpha",
            "1.0.0-alpha_beta",
            "1.0.0-alpha..",
            "01.1.1",
            "1.01.1",
            "1.1.01",
            "1.2.3.DEV",
            "1.2.31.2.3",
            "1.2.3-",
            "1.2.3+",
            "1.2.3+a+b",
            "v1.2.3",
            " 1.2.3",
            "1.2.3\n",
        ] {
            assert!(!is_version(version), "{version}");
        }
    }

    #[test]
    fn subjects_can_be_subscribed_to_and_are_not_reserved() {
        for subject in ["orders", "orders.new", "orders.*.new", "orders.>", ">", "$SRVICE.a", "a.$SRV"] {
            assert!(is_subject(subject), "{subject}");
        }
        for subject in
            ["", ".", "a.", ".a", "a..b", "a b", "a\r\nb", "orders.>.new", ">.a", "$SRV", "$SRV.PING"]
        {
            assert!(!is_subject(subject), "{subject}");
        }
    }

    #[test]
    fn what_has_no_name_is_called_by_its_subject() {
        for (subject, name) in [("orders", "orders"), ("orders.new", "orders-new"), ("a.*.$x.>", "a-_-_x-_")]
        {
            assert_eq!(name_of(subject), name);
            assert!(is_name(name));
        }
    }
}
