//! JWTs of operator mode, as `nsc` makes them: an operator signs the JWTs of accounts, and each account signs those of
//! its users.
//!
//! Format: <https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt>, version 2 of the claims.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::credentials::{Credentials, KeyError};
use super::model::Topology;
use super::spec::{AccountSpec, ExportSpec, ImportSpec, LimitsSpec, UserSpec};
use crate::secret::Secret;

/// The operator's JWT.
pub(super) fn operator(topology: &Topology, credentials: &Credentials) -> Result<String, KeyError> {
    let key = credentials.operator_key()?;
    let mut claims = json!({ "type": "operator", "version": VERSION });
    if let Some(system) = topology.system_account() {
        claims["system_account"] = credentials.account_key(system)?.public_key().into();
    }
    sign(&key, &key.public_key(), topology.name(), claims)
}

/// An account's JWT.
pub(super) fn account(
    topology: &Topology,
    account: &AccountSpec,
    credentials: &Credentials,
) -> Result<String, KeyError> {
    let mut claims = json!({
        "type": "account",
        "version": VERSION,
        "limits": limits(account),
        "default_permissions": { "pub": {}, "sub": {} },
    });
    claims["exports"] = account.exports.iter().map(export).collect::<Vec<_>>().into();
    let imports = account.imports.iter().map(|it| import(topology, it, account, credentials));
    claims["imports"] = imports.collect::<Result<Vec<_>, _>>()?.into();
    claims["mappings"] = mappings(topology, account);
    let revoked = revocations(topology, account, credentials)?;
    if !revoked.is_empty() {
        claims["revocations"] = revoked.into();
    }
    let key = credentials.account_key(account)?;
    sign(&credentials.operator_key()?, &key.public_key(), &account.name, claims)
}

/// Time of the last JWT that servers refuse, by the users' public keys: a user's JWT is revoked when it was issued at this time or before.
fn revocations(
    topology: &Topology,
    account: &AccountSpec,
    credentials: &Credentials,
) -> Result<Map<String, Value>, KeyError> {
    let lost = topology.taken_back.users(&account.name).map(|(user, lost)| (user, issued(lost) - 1));
    let by_fault = account.users.iter().filter(|user| user.revoked);
    let by_fault =
        by_fault.map(|user| (&*user.name, issued(topology.taken_back.of(&account.name, &user.name))));
    // A later entry replaces an earlier one of the same user.
    lost.chain(by_fault)
        .map(|(user, until)| Ok((credentials.user_key(user)?.public_key(), json!(until))))
        .collect()
}

/// The accounts as servers with a resolver take them while they run: public key and JWT.
///
/// # Errors
/// See [`KeyError`].
pub(crate) fn account_claims(
    topology: &Topology,
    credentials: &Credentials,
) -> Result<Vec<(String, String)>, KeyError> {
    let claims = topology
        .signed_accounts()
        .into_iter()
        .map(|it| Ok((credentials.account_key(&it)?.public_key(), account(topology, &it, credentials)?)));
    claims.collect()
}

/// The text of a user's creds file.
pub(super) fn creds(
    topology: &Topology,
    account: &AccountSpec,
    user: &UserSpec,
    credentials: &Credentials,
) -> Result<Secret, KeyError> {
    let permissions = |subjects: &Option<Vec<String>>| match subjects {
        Some(subjects) => json!({ "allow": subjects }),
        None => json!({}),
    };
    let claims = json!({
        "type": "user", "version": VERSION,
        "pub": permissions(&user.publish), "sub": permissions(&user.subscribe),
        "subs": UNLIMITED, "data": UNLIMITED, "payload": UNLIMITED,
    });
    let key = credentials.user_key(&user.name)?;
    let at = issued(topology.taken_back.of(&account.name, &user.name));
    let jwt = sign_at(at, &credentials.account_key(account)?, &key.public_key(), &user.name, claims)?;
    let seed = credentials.user_seed(user)?;
    Ok(Secret::new(format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        seed.expose()
    )))
}

/// Type of the claims.
const VERSION: u32 = 2;
const UNLIMITED: i64 = -1;

fn limits(account: &AccountSpec) -> Value {
    let mut limits = json!({
        "subs": UNLIMITED, "data": UNLIMITED, "payload": UNLIMITED, "imports": UNLIMITED, "exports": UNLIMITED,
        "wildcards": true, "conn": UNLIMITED, "leaf": UNLIMITED,
    });
    if account.jetstream {
        let LimitsSpec { max_memory, max_file, max_streams, max_consumers } = &account.limits;
        let or_unlimited = |value: Option<u64>| value.map_or_else(|| json!(UNLIMITED), |value| json!(value));
        limits["mem_storage"] = or_unlimited(max_memory.map(|size| size.bytes()));
        limits["disk_storage"] = or_unlimited(max_file.map(|size| size.bytes()));
        limits["streams"] = or_unlimited(max_streams.map(u64::from));
        limits["consumer"] = or_unlimited(max_consumers.map(u64::from));
    }
    limits
}

/// An export for chosen accounts asks for a token, which each of them shows in its import.
fn export(export: &ExportSpec) -> Value {
    let (kind, subject) = kind_of(export.stream.as_ref(), export.service.as_ref());
    let mut claim = json!({ "name": subject, "subject": subject, "type": kind });
    if export.accounts.is_some() {
        claim["token_req"] = true.into();
    }
    claim
}

fn import(
    topology: &Topology,
    import: &ImportSpec,
    importer: &AccountSpec,
    credentials: &Credentials,
) -> Result<Value, KeyError> {
    let (kind, subject) = kind_of(import.stream.as_ref(), import.service.as_ref());
    let mut claim = json!({ "name": subject, "subject": subject, "type": kind });
    let exporter = topology.spec().accounts.iter().find(|account| account.name == import.from);
    if let Some(exporter) = exporter {
        claim["account"] = credentials.account_key(exporter)?.public_key().into();
        let export = exporter.exports.iter().find(|export| export.covers(import, importer));
        if let Some(export) = export.filter(|export| export.accounts.is_some()) {
            claim["token"] = activation(export, exporter, importer, credentials)?.into();
        }
    }
    if let Some(to) = &import.to {
        claim["local_subject"] = to.as_str().into();
    }
    Ok(claim)
}

/// The token by which an account lets another one import.
fn activation(
    export: &ExportSpec,
    exporter: &AccountSpec,
    importer: &AccountSpec,
    credentials: &Credentials,
) -> Result<String, KeyError> {
    let (kind, subject) = kind_of(export.stream.as_ref(), export.service.as_ref());
    let claims = json!({ "type": "activation", "version": VERSION, "subject": subject, "kind": kind });
    let to = credentials.account_key(importer)?.public_key();
    sign(&credentials.account_key(exporter)?, &to, &subject, claims)
}

fn kind_of(stream: Option<&String>, service: Option<&String>) -> (&'static str, String) {
    match (stream, service) {
        (Some(subject), _) => ("stream", subject.clone()),
        (None, subject) => ("service", subject.cloned().unwrap_or_default()),
    }
}

fn mappings(topology: &Topology, account: &AccountSpec) -> Value {
    let mut all = Map::new();
    for mapping in &account.mappings {
        let targets = mapping.targets(topology.regions()).into_iter().map(|target| {
            let mut claim = json!({ "subject": target.subject, "weight": target.weight.unwrap_or(100) });
            if let Some(cluster) = target.cluster {
                claim["cluster"] = cluster.into();
            }
            claim
        });
        all.insert(mapping.from.clone(), targets.collect::<Vec<_>>().into());
    }
    all.into()
}

/// A JWT in which `issuer` says `claims` of `subject`.
fn sign(issuer: &KeyPair, subject: &str, name: &str, claims: Value) -> Result<String, KeyError> {
    sign_at(ISSUED, issuer, subject, name, claims)
}

fn sign_at(
    issued: u64,
    issuer: &KeyPair,
    subject: &str,
    name: &str,
    claims: Value,
) -> Result<String, KeyError> {
    let mut body =
        json!({ "jti": "", "iat": issued, "iss": issuer.public_key(), "sub": subject, "name": name });
    body["nats"] = claims;
    body["jti"] = URL_SAFE_NO_PAD.encode(Sha256::digest(body.to_string())).into();
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let signed = [header, body].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let signature = issuer.sign(signed.as_bytes()).map_err(|error| KeyError::new(name, error))?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// A fixed moment in the past, because a topology knows no clock: 2024-01-01.
const ISSUED: u64 = 1_704_067_200;

/// Time of a user's JWT after so many lost ones: JWTs have times in seconds.
fn issued(lost: u32) -> u64 {
    ISSUED + u64::from(lost)
}
