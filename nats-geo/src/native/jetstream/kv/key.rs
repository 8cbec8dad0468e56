//! Keys, as subjects of the stream.

use async_nats::HeaderMap;

use super::Operation;

/// The header that says what an entry does.
pub(super) const OPERATION: &str = "KV-Operation";

/// The header of a mark that the server leaves in place of a value.
const MARKER_REASON: &str = "Nats-Marker-Reason";

/// The keys of one bucket.
#[derive(Clone, Debug)]
pub(super) struct Keyspace {
    pub(super) bucket: String,
    /// `$KV.<bucket>.`; of a mirror that of the bucket that it mirrors.
    prefix: String,
}

impl Keyspace {
    pub(super) fn new(bucket: &str, origin: Option<&str>) -> Self {
        let origin = origin.and_then(|name| name.strip_prefix("KV_")).unwrap_or(bucket);
        Self { bucket: bucket.to_owned(), prefix: format!("$KV.{origin}.") }
    }

    /// `None` of what is no key.
    pub(super) fn subject(&self, key: &str) -> Option<String> {
        is_key(key, |c| c.is_ascii_alphanumeric() || "-/_=".contains(c))
            .then(|| format!("{}{key}", self.prefix))
    }

    /// As [`subject`](Self::subject), of one or many keys by wildcards.
    pub(super) fn filter(&self, keys: &str) -> Option<String> {
        is_key(keys, |c| c.is_ascii_alphanumeric() || "-/_=*>".contains(c))
            .then(|| format!("{}{keys}", self.prefix))
    }

    pub(super) fn key<'a>(&self, subject: &'a str) -> Option<&'a str> {
        subject.strip_prefix(&self.prefix)
    }
}

fn is_key(key: &str, is_allowed: impl Fn(char) -> bool) -> bool {
    key.split('.').all(|token| !token.is_empty() && token.chars().all(&is_allowed))
}

pub(super) fn operation(headers: Option<&HeaderMap>) -> Operation {
    let header = |name: &'static str| headers?.get(name).map(async_nats::HeaderValue::as_str);
    match (header(OPERATION), header(MARKER_REASON)) {
        (Some("DEL"), _) | (None, Some("Remove")) => Operation::Delete,
        (Some("PURGE"), _) | (None, Some(_)) => Operation::Purge,
        _ => Operation::Put,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_subjects_lead_to_each_other() {
        let keys = Keyspace::new("lamps", None);
        assert_eq!(keys.subject("hall.colour/left=1").as_deref(), Some("$KV.lamps.hall.colour/left=1"));
        assert_eq!(keys.key("$KV.lamps.hall.colour"), Some("hall.colour"));
        assert_eq!(keys.key("$KV.other.hall"), None);
        let mirror = Keyspace::new("lamps-ams", Some("KV_lamps"));
        assert_eq!(mirror.subject("hall").as_deref(), Some("$KV.lamps.hall"));
    }

    #[test]
    fn what_is_no_key_has_no_subject() {
        let keys = Keyspace::new("lamps", None);
        for key in ["", ".a", "a.", "a..b", "a b", "a*", "*", ">", "a\n", "é"] {
            assert_eq!(keys.subject(key), None, "{key}");
        }
        assert_eq!(keys.filter("hall.*.>").as_deref(), Some("$KV.lamps.hall.*.>"));
        assert_eq!(keys.filter("a b"), None);
    }

    #[test]
    fn entries_say_what_they_do() {
        let with = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value);
            operation(Some(&headers))
        };
        assert_eq!(with(OPERATION, "DEL"), Operation::Delete);
        assert_eq!(with(OPERATION, "PURGE"), Operation::Purge);
        assert_eq!(with(MARKER_REASON, "MaxAge"), Operation::Purge);
        assert_eq!(with(MARKER_REASON, "Remove"), Operation::Delete);
        assert_eq!((with("Other", "DEL"), operation(None)), (Operation::Put, Operation::Put));
    }
}
