//! The replies of a stream to a publish.

use serde::Deserialize;

/// The acknowledgement of a stream that has stored the message. If the stream has several replicas, a majority of them
/// has stored it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Ack {
    /// The stream.
    pub stream: String,
    /// The message's sequence in the stream.
    pub sequence: u64,
    /// The stream had a message with this id already, from an earlier try or an earlier publish. The stream did not store
    /// the new message. [`sequence`](Self::sequence) is the sequence of the stored message.
    pub duplicate: bool,
    /// The JetStream domain, if there is one.
    pub domain: Option<String>,
    /// Number of tries until this answer arrived.
    pub tries: u32,
}

/// Refusal of a request by JetStream. For example, a stream refuses a message that is too large.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, thiserror::Error)]
#[error("{description} (code {code}, JetStream error {error_code})")]
#[non_exhaustive]
pub struct Refused {
    /// Status, similar to an HTTP status.
    #[serde(default)]
    pub code: u16,
    /// The number of the error in JetStream's own list, such as 10071 for a wrong last sequence.
    #[serde(default, rename = "err_code")]
    pub error_code: u64,
    /// Description of the error by the server.
    #[serde(default)]
    pub description: String,
}

impl Refused {
    /// Returns whether the server says that the same message may be stored in a moment.
    pub(crate) const fn will_pass(&self) -> bool {
        matches!(self.error_code, ID_IN_PROCESS | TOO_MANY_REQUESTS)
    }

    /// Returns whether the requested stream, consumer or message does not exist.
    pub const fn is_not_found(&self) -> bool {
        self.code == 404
    }

    /// Returns whether the stream is there, but holds no such message.
    pub(crate) const fn is_no_message(&self) -> bool {
        self.error_code == NO_MESSAGE
    }

    /// Returns whether there is a stream of that name with another configuration.
    pub(crate) const fn is_other_config(&self) -> bool {
        self.error_code == OTHER_CONFIG
    }

    /// Returns whether it is the stream that does not exist.
    pub(crate) const fn is_no_stream(&self) -> bool {
        self.error_code == NO_STREAM
    }

    /// Returns whether the stream, or the subject in it, is not where a conditional publish expects it to be.
    pub(crate) const fn is_wrong_sequence(&self) -> bool {
        matches!(self.error_code, WRONG_SEQUENCE | WRONG_SEQUENCE_UNNAMED)
    }

    /// Returns whether JetStream itself has no leader at the moment.
    pub(crate) const fn code_is_unavailable(&self) -> bool {
        self.error_code == CLUSTER_NOT_AVAILABLE
    }

    /// Returns whether a message with the same id is being stored.
    pub(crate) const fn is_in_process(&self) -> bool {
        self.error_code == ID_IN_PROCESS
    }
}

/// What came back of one try.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    Stored {
        stream: String,
        sequence: u64,
        duplicate: bool,
        domain: Option<String>,
    },
    Refused(Refused),
    /// Nothing that a stream would say.
    Foreign,
}

impl Answer {
    pub(crate) fn parse(payload: &[u8]) -> Self {
        match serde_json::from_slice(payload) {
            Ok(Wire { error: Some(refused), .. }) => Self::Refused(refused),
            Ok(Wire { stream: Some(stream), seq: Some(sequence), duplicate, domain, .. }) => {
                Self::Stored { stream, sequence, duplicate, domain }
            }
            Ok(_) | Err(_) => Self::Foreign,
        }
    }
}

/// As it is on the wire. A refusal also names the stream, with sequence 0.
#[derive(Deserialize)]
struct Wire {
    error: Option<Refused>,
    stream: Option<String>,
    seq: Option<u64>,
    #[serde(default)]
    duplicate: bool,
    domain: Option<String>,
}

/// "duplicate message id is in process": an earlier try has arrived, and its replicas have not agreed yet.
const ID_IN_PROCESS: u64 = 10_158;

/// "too many requests": the stream's queue was full, and the message was dropped in front of it.
const TOO_MANY_REQUESTS: u64 = 10_167;

/// "no message found".
const NO_MESSAGE: u64 = 10_037;

/// "stream name already in use with a different configuration".
const OTHER_CONFIG: u64 = 10_058;

/// "stream not found".
const NO_STREAM: u64 = 10_059;

/// "wrong last sequence: 7".
const WRONG_SEQUENCE: u64 = 10_071;

/// "wrong last sequence".
const WRONG_SEQUENCE_UNNAMED: u64 = 10_164;

/// "JetStream system temporarily unavailable": it has no leader.
const CLUSTER_NOT_AVAILABLE: u64 = 10_008;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_read_with_all_that_it_says() {
        let stored = |duplicate, domain: Option<&str>| Answer::Stored {
            stream: "ORDERS".into(),
            sequence: 7,
            duplicate,
            domain: domain.map(Into::into),
        };
        assert_eq!(Answer::parse(br#"{"stream":"ORDERS","seq":7}"#), stored(false, None));
        let full = br#"{"stream":"ORDERS","seq":7,"domain":"hub","duplicate":true,"val":"1"}"#;
        assert_eq!(Answer::parse(full), stored(true, Some("hub")));
    }

    #[test]
    fn a_refusal_says_why_and_whether_it_will_pass() {
        let answer = |error_code| {
            let text = format!(
                r#"{{"error":{{"code":400,"err_code":{error_code},"description":"because"}},"stream":"ORDERS","seq":0}}"#
            );
            match Answer::parse(text.as_bytes()) {
                Answer::Refused(refused) => refused,
                answer => panic!("{answer:?}"),
            }
        };
        assert_eq!(answer(10_071).to_string(), "because (code 400, JetStream error 10071)");
        let passing = |error_code| answer(error_code).will_pass();
        assert!(passing(10_158) && passing(10_167) && !passing(10_071) && !passing(10_109));
    }

    #[test]
    fn what_no_stream_says_is_foreign() {
        for payload in ["", "thanks", "{}", "[]", r#"{"stream":"ORDERS"}"#, r#"{"stream":7,"seq":"x"}"#] {
            assert_eq!(Answer::parse(payload.as_bytes()), Answer::Foreign, "{payload}");
        }
    }
}
