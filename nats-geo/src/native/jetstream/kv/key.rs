//! This module converts keys of a bucket to subjects of the bucket's stream.

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Source;

use super::Operation;
use crate::native::jetstream::domain::{ApiPrefix, origin_prefix};

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
    /// First tokens of writes, with a dot at their end: the API prefix of another domain or account. Empty in the
    /// client's own.
    outside: String,
}

impl Keyspace {
    /// The keys of a bucket that is read behind `api`. Writes to a mirror go to its origin.
    pub(super) fn new(bucket: &str, mirror: Option<&Source>, api: &ApiPrefix) -> Self {
        let origin = mirror.and_then(|mirror| mirror.name.strip_prefix("KV_")).unwrap_or(bucket);
        let outside = match mirror {
            Some(mirror) => origin_prefix(mirror, api).before_bucket(),
            None => api.before_bucket(),
        };
        Self { bucket: bucket.to_owned(), prefix: format!("$KV.{origin}."), outside }
    }

    /// The subject of a write to the key with this [`subject`](Self::subject).
    pub(super) fn written(&self, subject: &str) -> String {
        format!("{}{subject}", self.outside)
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
    use async_nats::jetstream::stream::External;

    use super::*;

    #[test]
    fn keys_and_subjects_lead_to_each_other() {
        let keys = keys_of(None, "$JS.API");
        assert_eq!(keys.subject("hall.colour/left=1").as_deref(), Some("$KV.lamps.hall.colour/left=1"));
        assert_eq!(keys.key("$KV.lamps.hall.colour"), Some("hall.colour"));
        assert_eq!(keys.key("$KV.other.hall"), None);
    }

    #[test]
    fn writes_go_to_the_bucket_that_is_read_through_a_domain_or_a_mirror() {
        let mirror = |api: Option<&str>| {
            let external = api.map(|api| External { api_prefix: api.into(), delivery_prefix: None });
            Some(Source { name: "KV_origin".into(), external, ..Source::default() })
        };
        for (api, mirror, written) in [
            ("$JS.API", None, "$KV.lamps.hall"),
            ("$JS.hub.API", None, "$JS.hub.API.$KV.lamps.hall"),
            ("JS.accounting.API", None, "JS.accounting.API.$KV.lamps.hall"),
            ("$JS.API", mirror(None), "$KV.origin.hall"),
            ("$JS.hub.API", mirror(None), "$JS.hub.API.$KV.origin.hall"),
            ("$JS.API", mirror(Some("$JS.hub.API")), "$JS.hub.API.$KV.origin.hall"),
            ("$JS.leaf.API", mirror(Some("$JS.hub.API")), "$JS.hub.API.$KV.origin.hall"),
            ("$JS.leaf.API", mirror(Some("")), "$JS.leaf.API.$KV.origin.hall"),
        ] {
            let keys = keys_of(mirror.as_ref(), api);
            let subject = keys.subject("hall").unwrap();
            assert_eq!(subject, if mirror.is_some() { "$KV.origin.hall" } else { "$KV.lamps.hall" });
            assert_eq!(keys.written(&subject), written);
        }
    }

    fn keys_of(mirror: Option<&Source>, api: &str) -> Keyspace {
        Keyspace::new("lamps", mirror, &ApiPrefix::new(api).unwrap())
    }

    #[test]
    fn what_is_no_key_has_no_subject() {
        let keys = keys_of(None, "$JS.API");
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
