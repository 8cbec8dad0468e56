//! The answers to a request that are refusals.

use async_nats::Message;
use serde_json::Value;

/// Returns whether an answer is a refusal: by its status, as a service (ADR-32), or as an API of JetStream.
pub(super) fn is_refusal(subject: &str, answer: &Message) -> bool {
    if answer.status.is_some_and(|status| status.as_u16() >= FIRST_ERROR) {
        return true;
    }
    match &answer.headers {
        Some(headers) => headers.get(SERVICE_ERROR).is_some(),
        // An answer of the API has no headers; a stored message has some.
        None => subject.starts_with("$JS.") && has_error(&answer.payload),
    }
}

fn has_error(payload: &[u8]) -> bool {
    serde_json::from_slice::<Value>(payload).is_ok_and(|answer| answer.get("error").is_some())
}

/// As in HTTP, from which NATS has its codes.
const FIRST_ERROR: u16 = 400;
const SERVICE_ERROR: &str = "Nats-Service-Error-Code";

#[cfg(test)]
mod tests {
    use async_nats::{HeaderMap, StatusCode};

    use super::*;

    fn answer(headers: &[(&str, &str)], status: Option<u16>, payload: &'static str) -> Message {
        let mut map = HeaderMap::new();
        headers.iter().for_each(|(name, value)| map.insert(*name, *value));
        Message {
            subject: "_INBOX.1".into(),
            reply: None,
            payload: payload.into(),
            headers: (!headers.is_empty()).then_some(map),
            status: status.map(|code| StatusCode::from_u16(code).unwrap()),
            description: None,
            length: payload.len(),
        }
    }

    #[test]
    fn statuses_services_and_jetstream_refuse() {
        let api = "$JS.API.CONSUMER.CREATE.foo";
        let error = r#"{"type":"x","error":{"code":503}}"#;
        assert!(is_refusal("a", &answer(&[], Some(404), "")));
        assert!(is_refusal("a", &answer(&[("Nats-Service-Error-Code", "500")], None, "")));
        assert!(is_refusal(api, &answer(&[], None, error)));
        for (subject, answer) in [
            ("a", answer(&[], None, error)),
            ("a", answer(&[("X", "1")], None, "")),
            (api, answer(&[], None, r#"{"type":"x"}"#)),
            (api, answer(&[], None, "no JSON")),
            // A stored message with this content.
            ("$JS.API.DIRECT.GET.foo", answer(&[("Nats-Stream", "foo")], None, error)),
        ] {
            assert!(!is_refusal(subject, &answer), "{subject}: {answer:?}");
        }
    }
}
