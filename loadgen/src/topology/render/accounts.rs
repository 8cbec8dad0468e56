//! Accounts and users: in a server's configuration, and as the files that users need.

use std::fmt::Write as _;

use super::super::credentials::{Credentials, KeyError};
use super::super::jwt;
use super::super::model::Topology;
use super::super::spec::{
    AccountSpec, AuthKind, ExportSpec, ImportSpec, LimitsSpec, MappingSpec, Resolver, UserSpec,
};
use super::server::Wiring;
use super::{list, quoted};
use crate::secret::Secret;

/// Files with secrets, by name: creds files in operator mode, seeds of NKeys.
pub type AuthFiles = Vec<(String, Secret)>;

/// The files that users prove themselves with, besides passwords.
///
/// # Errors
/// See [`KeyError`].
pub fn auth_files(topology: &Topology, credentials: &Credentials) -> Result<AuthFiles, KeyError> {
    let users = topology
        .spec()
        .accounts
        .iter()
        .flat_map(|account| account.users.iter().map(move |user| (account, user)));
    match topology.spec().auth.kind {
        AuthKind::None | AuthKind::Password | AuthKind::Token => Ok(Vec::new()),
        AuthKind::Nkey => {
            users.map(|(_, user)| Ok((seed_file(user), credentials.user_seed(user)?))).collect()
        }
        AuthKind::Operator => users
            .map(|(account, user)| Ok((creds_file(user), jwt::creds(topology, account, user, credentials)?)))
            .collect(),
    }
}

/// Name of the file with the seed of a user's NKey.
pub(super) fn seed_file(user: &UserSpec) -> String {
    format!("{}.nk", super::super::file_stem(&user.name, 0))
}

/// Name of a user's creds file.
pub(super) fn creds_file(user: &UserSpec) -> String {
    format!("{}.creds", super::super::file_stem(&user.name, 0))
}

/// The part of a configuration that says who may do what.
pub(super) fn config(
    topology: &Topology,
    wiring: &Wiring,
    credentials: &Credentials,
) -> Result<String, KeyError> {
    let auth = &topology.spec().auth;
    match auth.kind {
        AuthKind::Token => {
            let token = credentials.token(auth.token.as_ref());
            Ok(format!(
                "\n# One token for all clients; nats-server accepts no token if there are accounts.\nauthorization {{ token: {} }}\n",
                quoted(token.expose())
            ))
        }
        AuthKind::Operator => operator(topology, wiring, credentials),
        AuthKind::None | AuthKind::Password | AuthKind::Nkey => in_place(topology, credentials),
    }
}

fn operator(topology: &Topology, wiring: &Wiring, credentials: &Credentials) -> Result<String, KeyError> {
    let mut text = format!(
        "\n# The operator signs the accounts, and each account signs its users.\noperator: {}\n",
        jwt::operator(topology, credentials)?
    );
    if let Some(system) = topology.system_account() {
        let _ = writeln!(text, "system_account: {}", credentials.account_key(system)?.public_key());
    }
    match topology.spec().auth.resolver {
        Resolver::Memory => text.push_str("resolver: MEMORY\n"),
        Resolver::Full => {
            let folder = quoted(&format!("{}/jwt", wiring.store_dir));
            let _ = writeln!(
                text,
                "resolver {{ type: full, dir: {folder}, allow_delete: true, interval: \"2m\" }}"
            );
        }
    }
    text.push_str("resolver_preload: {\n");
    for account in &topology.signed_accounts() {
        let key = credentials.account_key(account)?.public_key();
        let jwt = jwt::account(topology, account, credentials)?;
        let _ = writeln!(text, "  # {}\n  {key}: {jwt}", account.name);
    }
    text.push_str("}\n");
    Ok(text)
}

fn in_place(topology: &Topology, credentials: &Credentials) -> Result<String, KeyError> {
    let mut text = "\naccounts {\n".to_owned();
    for account in &topology.spec().accounts {
        text.push_str(&self::account(topology, account, credentials)?);
    }
    text.push_str("}\n");
    if let Some(system) = topology.system_account() {
        let _ = writeln!(text, "system_account: {}", quoted(&system.name));
    }
    if let Some(user) = topology.anonymous_user() {
        let _ = writeln!(
            text,
            "# Clients without credentials are this user.\nno_auth_user: {}",
            quoted(&user.name)
        );
    }
    Ok(text)
}

fn account(
    topology: &Topology,
    account: &AccountSpec,
    credentials: &Credentials,
) -> Result<String, KeyError> {
    let mut text = format!("  {} {{\n", quoted(&account.name));
    if account.jetstream {
        let _ = writeln!(text, "    jetstream: {}", limits(&account.limits));
    }
    let valid = account.users.iter().filter(|user| !user.revoked);
    let users = valid.map(|user| self::user(topology, user, credentials));
    let users = list(users.collect::<Result<Vec<_>, _>>()?);
    let _ = writeln!(text, "    users: [{users}]");
    if !account.exports.is_empty() {
        let _ = writeln!(text, "    exports: [{}]", list(account.exports.iter().map(export)));
    }
    if !account.imports.is_empty() {
        let _ = writeln!(text, "    imports: [{}]", list(account.imports.iter().map(import)));
    }
    if !account.mappings.is_empty() {
        text.push_str("    mappings: {\n");
        for mapping in &account.mappings {
            let _ = writeln!(text, "      {}", self::mapping(topology, mapping));
        }
        text.push_str("    }\n");
    }
    text.push_str("  }\n");
    Ok(text)
}

fn limits(limits: &LimitsSpec) -> String {
    if limits.is_empty() {
        return "enabled".to_owned();
    }
    let LimitsSpec { max_memory, max_file, max_streams, max_consumers } = limits;
    let all = [
        max_memory.map(|size| format!("max_memory: {size}")),
        max_file.map(|size| format!("max_file: {size}")),
        max_streams.map(|number| format!("max_streams: {number}")),
        max_consumers.map(|number| format!("max_consumers: {number}")),
    ];
    format!("{{ {} }}", list(all.into_iter().flatten()))
}

fn user(topology: &Topology, user: &UserSpec, credentials: &Credentials) -> Result<String, KeyError> {
    let auth = &topology.spec().auth;
    let mut parts = Vec::new();
    if auth.kind == AuthKind::Nkey {
        parts.push(format!("nkey: {}", credentials.user_key(&user.name)?.public_key()));
    } else {
        let password = credentials.password(user);
        let password = if auth.bcrypt {
            bcrypt(&password, credentials.salt(user))
        } else {
            password.expose().to_owned()
        };
        parts.push(format!("user: {}, password: {}", quoted(&user.name), quoted(&password)));
    }
    let subjects = |subjects: &[String]| list(subjects.iter().map(|subject| quoted(subject)));
    let allowed = [("publish", &user.publish), ("subscribe", &user.subscribe)];
    let allowed = allowed
        .into_iter()
        .filter_map(|(what, list)| Some(format!("{what}: [{}]", subjects(list.as_ref()?))));
    let allowed: Vec<_> = allowed.collect();
    if !allowed.is_empty() {
        parts.push(format!("permissions: {{ {} }}", allowed.join(", ")));
    }
    Ok(format!("{{ {} }}", parts.join(", ")))
}

/// As `nats server passwd` makes them. A password that bcrypt refuses, longer than 72 bytes, stays as it is: nats-server
/// would refuse its hash, too.
fn bcrypt(password: &Secret, salt: [u8; 16]) -> String {
    /// The cost that the `nats` CLI takes.
    const COST: u32 = 11;
    match bcrypt::hash_with_salt(password.expose(), COST, salt) {
        Ok(parts) => parts.format_for_version(bcrypt::Version::TwoA),
        Err(_) => password.expose().to_owned(),
    }
}

fn export(export: &ExportSpec) -> String {
    let ExportSpec { stream, service, accounts } = export;
    let accounts = accounts
        .as_ref()
        .map(|names| format!(", accounts: [{}]", list(names.iter().map(|name| quoted(name)))));
    format!("{{ {}{} }}", kind(stream.as_deref(), service.as_deref(), quoted), accounts.unwrap_or_default())
}

fn import(import: &ImportSpec) -> String {
    let ImportSpec { from, stream, service, to } = import;
    let source = |subject: &str| format!("{{ account: {}, subject: {} }}", quoted(from), quoted(subject));
    let to = to.as_ref().map(|to| format!(", to: {}", quoted(to))).unwrap_or_default();
    format!("{{ {}{to} }}", kind(stream.as_deref(), service.as_deref(), source))
}

fn kind(stream: Option<&str>, service: Option<&str>, value: impl Fn(&str) -> String) -> String {
    let (name, subject) =
        stream.map_or_else(|| ("service", service.unwrap_or_default()), |subject| ("stream", subject));
    format!("{name}: {}", value(subject))
}

fn mapping(topology: &Topology, mapping: &MappingSpec) -> String {
    let targets = mapping.targets(topology.regions()).into_iter().map(|target| {
        let cluster =
            target.cluster.map(|cluster| format!(", cluster: {}", quoted(&cluster))).unwrap_or_default();
        format!(
            "{{ destination: {}, weight: {}%{cluster} }}",
            quoted(&target.subject),
            target.weight.unwrap_or(100)
        )
    });
    format!("{}: [{}]", quoted(&mapping.from), list(targets))
}
