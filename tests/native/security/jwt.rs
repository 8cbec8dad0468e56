//! JWTs as `nsc` makes them: an operator, the accounts that it signs, and their users.

use nkeys::KeyPair;
use serde_json::{Value, json};

/// An operator with a system account and an account for applications.
pub(crate) struct Operator {
    key: KeyPair,
    system: KeyPair,
    pub(crate) app: KeyPair,
}

impl Operator {
    pub(crate) fn new() -> Self {
        Self { key: KeyPair::new_operator(), system: KeyPair::new_account(), app: KeyPair::new_account() }
    }

    /// The servers' configuration: both accounts are known from the start.
    pub(crate) fn config(&self) -> String {
        let claims = json!({ "type": "operator", "version": 2, "system_account": self.system.public_key() });
        let operator = sign(&self.key, &self.key.public_key(), &claims, None);
        let accounts = [&self.system, &self.app].map(|account| {
            let jwt = sign(&self.key, &account.public_key(), &account_claims(), None);
            format!("{}: {jwt}", account.public_key())
        });
        format!(
            "operator: {operator}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {} }}\n",
            self.system.public_key(),
            accounts.join("\n")
        )
    }

    /// The text of a creds file for a user of the applications' account. `expires`: in seconds since 1970.
    pub(crate) fn creds(&self, expires: Option<u64>) -> String {
        let user = KeyPair::new_user();
        let jwt = sign(&self.app, &user.public_key(), &user_claims(), expires);
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            user.seed().unwrap()
        )
    }
}

fn account_claims() -> Value {
    let unlimited = -1;
    let limits = json!({
        "subs": unlimited, "data": unlimited, "payload": unlimited, "imports": unlimited, "exports": unlimited,
        "wildcards": true, "conn": unlimited, "leaf": unlimited,
    });
    json!({ "type": "account", "version": 2, "limits": limits, "default_permissions": { "pub": {}, "sub": {} } })
}

pub(crate) fn user_claims() -> Value {
    let unlimited = -1;
    json!({
        "type": "user", "version": 2, "pub": {}, "sub": {},
        "subs": unlimited, "data": unlimited, "payload": unlimited,
    })
}

/// A JWT in which `issuer` says `claims` of `subject`.
pub(crate) fn sign(issuer: &KeyPair, subject: &str, claims: &Value, expires: Option<u64>) -> String {
    sign_for(issuer, subject, None, claims, expires)
}

/// The same, for one server only.
pub(crate) fn sign_for(
    issuer: &KeyPair,
    subject: &str,
    audience: Option<&str>,
    claims: &Value,
    expires: Option<u64>,
) -> String {
    let mut body = json!({ "jti": "test", "iat": 1_600_000_000, "iss": issuer.public_key(), "sub": subject, "name": "test" });
    body["nats"] = claims.clone();
    if let Some(expires) = expires {
        body["exp"] = expires.into();
    }
    if let Some(audience) = audience {
        body["aud"] = audience.into();
    }
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let signed = [header, body].map(|part| base64url(part.to_string().as_bytes())).join(".");
    format!("{signed}.{}", base64url(&issuer.sign(signed.as_bytes()).unwrap()))
}

/// RFC 4648, section 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut bits = [0; 3];
        bits[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, bits[0], bits[1], bits[2]]);
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

/// The claims of a JWT.
pub(crate) fn claims(jwt: &str) -> Value {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let body = jwt.split('.').nth(1).expect("a JWT has three parts");
    let mut bytes = Vec::new();
    for chunk in body.as_bytes().chunks(4) {
        let value = |letter: &u8| ALPHABET.iter().position(|other| other == letter).unwrap() as u32;
        let bits = chunk
            .iter()
            .enumerate()
            .fold(0, |bits, (place, letter)| bits | value(letter) << (18 - 6 * place));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    serde_json::from_slice(&bytes).unwrap()
}
