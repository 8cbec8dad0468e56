//! Orders to a page and its reports, as JSON. `web/src/client/orders.ts` declares the same for the page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nats_geo::core::Config;
use serde::{Deserialize, Serialize};

use crate::clients::{Seat, Sign, Spec};
use crate::topology::credentials::Login;

/// The first words of a page.
#[derive(Deserialize)]
pub(super) struct Greeting {
    /// Proves that loadgen opened the page.
    pub(super) token: String,
    /// Number of the client; `None`: the page that holds the others.
    pub(super) client: Option<u32>,
}

/// An order to the page that holds the others.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Frame {
    /// Open the page of a client, which closes itself in the end.
    Open(u32),
}

/// An order to a client, under a number that its answer repeats.
#[derive(Serialize)]
pub(super) struct Numbered {
    pub(super) number: u64,
    #[serde(flatten)]
    pub(super) order: Order,
}

/// An order to a client. It may have a password, so it has no `Debug`.
#[derive(Serialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Order {
    Connect(Box<Connect>),
    Request(Message),
    Publish(Message),
    PublishToStream(Message),
    Flush,
    Subscribe { subject: String, group: Option<String> },
    KvPut { bucket: String, key: String, payload: String },
    KvGet { bucket: String, key: String },
}

/// Options of the client in the page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connect {
    name: String,
    servers: Vec<String>,
    preset: Policy,
    warm_standby: bool,
    /// JavaScript has 53 bits for whole numbers.
    seed: u32,
    login: Credentials,
}

/// Preset of a client.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Policy {
    Interactive,
    Fleet,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Credentials {
    Anonymous,
    Password { user: String, password: String },
    Token(String),
    Nkey(String),
    Creds(String),
}

/// A message to send. Its payload is base64: a page reads JSON.
#[derive(Serialize)]
pub(super) struct Message {
    subject: String,
    payload: String,
}

/// A report of a page.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Report {
    /// An order was carried out. A put has the revision of its value, and so has a get that finds one.
    Done(u64, Option<u64>),
    /// An order failed, with the reason.
    Failed(u64, String),
    /// The subscription of an order has a message, as base64.
    Message(u64, String),
    /// The client noticed something.
    Sign(Sign),
    /// The client is there from now on; `None`: nowhere.
    Seat(Option<Seat>),
}

impl Connect {
    pub(super) fn new(spec: &Spec, preset: Policy) -> Self {
        let login = match spec.access.login.clone().unwrap_or(Login::Anonymous) {
            Login::Anonymous => Credentials::Anonymous,
            Login::Password { user, password } => {
                Credentials::Password { user, password: password.expose().to_owned() }
            }
            Login::Token(token) => Credentials::Token(token.expose().to_owned()),
            Login::Nkey(seed) => Credentials::Nkey(seed.expose().to_owned()),
            Login::Creds(text) => Credentials::Creds(text.expose().to_owned()),
        };
        Self {
            name: format!("browser-{}-{}", spec.region, spec.number),
            servers: spec.urls.clone(),
            preset,
            warm_standby: spec.policy.warm_standby,
            seed: (spec.seed ^ (spec.seed >> 32)) as u32,
            login,
        }
    }
}

impl Policy {
    /// The checks of scenarios let a browser have a preset, and no other fields of the policy than the standby.
    pub(super) fn of(policy: &Config) -> Self {
        let mut fleet = Config::fleet();
        fleet.warm_standby = policy.warm_standby;
        if *policy == fleet { Self::Fleet } else { Self::Interactive }
    }
}

impl Message {
    pub(super) fn new(subject: &str, payload: &[u8]) -> Self {
        Self { subject: subject.to_owned(), payload: to_base64(payload) }
    }
}

/// Returns bytes in a form that JSON can have.
pub(super) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Returns the payload of a message that a page reports; `None`: it is no base64.
pub(super) fn payload(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{from_str, json, to_value};

    use super::*;

    #[test]
    fn orders_and_reports_have_the_form_that_pages_know() {
        let request = Numbered { number: 7, order: Order::Request(Message::new("a.b", b"xy")) };
        assert_eq!(
            to_value(request).unwrap(),
            json!({ "number": 7, "do": "request", "subject": "a.b", "payload": "eHk=" })
        );
        let flush = Numbered { number: 8, order: Order::Flush };
        assert_eq!(to_value(flush).unwrap(), json!({ "number": 8, "do": "flush" }));
        assert_eq!(to_value(Frame::Open(3)).unwrap(), json!({ "open": 3 }));
        assert!(matches!(from_str(r#"{"done":[7,null]}"#), Ok(Report::Done(7, None))));
        assert!(matches!(from_str(r#"{"done":[8,3]}"#), Ok(Report::Done(8, Some(3)))));
        assert!(matches!(from_str(r#"{"failed":[7,"no"]}"#), Ok(Report::Failed(7, _))));
        assert!(matches!(from_str(r#"{"sign":{"Moved":2}}"#), Ok(Report::Sign(Sign::Moved(2)))));
        assert!(matches!(from_str(r#"{"sign":"Trouble"}"#), Ok(Report::Sign(Sign::Trouble))));
        assert!(matches!(from_str(r#"{"seat":null}"#), Ok(Report::Seat(None))));
        let seat = r#"{"seat":{"region":"lon","server":"lon-1"}}"#;
        assert!(matches!(from_str(seat), Ok(Report::Seat(Some(_)))));
    }

    #[test]
    fn a_preset_is_recognised_beside_a_standby() {
        let mut policy = Config::fleet();
        policy.warm_standby = true;
        assert!(matches!(Policy::of(&policy), Policy::Fleet));
        assert!(matches!(Policy::of(&Config::interactive()), Policy::Interactive));
    }
}
