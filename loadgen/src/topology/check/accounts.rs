//! Accounts, users, exports, imports and mappings.

use super::super::problem::ProblemKind;
use super::super::spec::{AccountSpec, AuthKind, MappingSpec, Spec};
use super::{Problems, check_names, is_subject, names_of};

pub(super) fn check(spec: &Spec, found: &mut Problems) {
    check_auth(spec, found);
    let accounts = &spec.accounts;
    let named = accounts
        .iter()
        .enumerate()
        .map(|(at, account)| (format!("account[{at}].name"), account.name.as_str()));
    check_names(found, "account", named);
    let users = accounts.iter().enumerate().flat_map(|(at, account)| {
        let keyed = account.users.iter().enumerate();
        keyed.map(move |(number, user)| (format!("account[{at}].user[{number}].name"), user.name.as_str()))
    });
    check_names(found, "user", users);
    let mut system: Option<&str> = None;
    for (at, account) in accounts.iter().enumerate() {
        let key = format!("account[{at}]");
        if account.system {
            if let Some(other) = system.replace(&account.name) {
                found.push(format!("{key}.system"), ProblemKind::SystemTwice(other.to_owned()));
            }
            if account.jetstream {
                found.push(format!("{key}.jetstream"), ProblemKind::SystemJetStream);
            }
        }
        if account.users.is_empty() {
            found.push(format!("{key}.name"), ProblemKind::NoUser(account.name.clone()));
        }
        check_permissions(&key, account, found);
        check_exports(spec, &key, account, found);
        check_imports(spec, &key, account, found);
        for (number, mapping) in account.mappings.iter().enumerate() {
            check_mapping(spec, &format!("{key}.mapping[{number}]"), mapping, found);
        }
    }
}

fn check_auth(spec: &Spec, found: &mut Problems) {
    let kind = spec.auth.kind;
    let has_leaves = spec.clusters.iter().any(|cluster| cluster.leaf_of.is_some());
    if kind == AuthKind::Token && (!spec.accounts.is_empty() || has_leaves) {
        found.push("auth.kind", ProblemKind::TokenWithAccounts);
    }
    let mut no_effect = |key: &'static str, is_given: bool| {
        if is_given {
            let name = key.trim_start_matches("auth.");
            found.push(key, ProblemKind::NoEffect { key: name, kind: kind.name() });
        }
    };
    no_effect("auth.bcrypt", spec.auth.bcrypt && kind != AuthKind::Password);
    no_effect("auth.token", spec.auth.token.is_some() && kind != AuthKind::Token);
    no_effect("auth.resolver", spec.auth.resolver != Default::default() && kind != AuthKind::Operator);
    let passwords = matches!(kind, AuthKind::None | AuthKind::Password);
    for (at, account) in spec.accounts.iter().enumerate() {
        for (number, user) in account.users.iter().enumerate() {
            if user.password.is_some() && !passwords {
                let problem = ProblemKind::NoEffect { key: "password", kind: kind.name() };
                found.push(format!("account[{at}].user[{number}].password"), problem);
            }
        }
    }
}

fn check_permissions(key: &str, account: &AccountSpec, found: &mut Problems) {
    for (number, user) in account.users.iter().enumerate() {
        for (name, subjects) in [("publish", &user.publish), ("subscribe", &user.subscribe)] {
            for (at, subject) in subjects.iter().flatten().enumerate() {
                if !is_subject(subject) {
                    let key = format!("{key}.user[{number}].{name}[{at}]");
                    found.push(key, ProblemKind::Subject(subject.clone()));
                }
            }
        }
    }
}

fn check_exports(spec: &Spec, key: &str, account: &AccountSpec, found: &mut Problems) {
    for (number, export) in account.exports.iter().enumerate() {
        let key = format!("{key}.export[{number}]");
        one_subject(&key, export.stream.as_deref(), export.service.as_deref(), found);
        for (at, name) in export.accounts.iter().flatten().enumerate() {
            let known = spec.accounts.iter().map(|account| account.name.as_str());
            found.known(format!("{key}.accounts[{at}]"), "account", name, known);
        }
    }
}

fn check_imports(spec: &Spec, key: &str, account: &AccountSpec, found: &mut Problems) {
    for (number, import) in account.imports.iter().enumerate() {
        let key = format!("{key}.import[{number}]");
        let Some((what, subject)) =
            one_subject(&key, import.stream.as_deref(), import.service.as_deref(), found)
        else {
            continue;
        };
        if let Some(to) = &import.to
            && !is_subject(to)
        {
            found.push(format!("{key}.to"), ProblemKind::Subject(to.clone()));
        }
        let known = spec.accounts.iter().map(|account| account.name.as_str());
        if !found.known(format!("{key}.from"), "account", &import.from, known) {
            continue;
        }
        let exporter = spec.accounts.iter().find(|other| other.name == import.from);
        if !exporter.is_some_and(|exporter| exporter.exports.iter().any(|it| it.covers(import, account))) {
            let (account_name, importer) = (import.from.clone(), account.name.clone());
            let subject = subject.to_owned();
            found.push(key, ProblemKind::NotExported { account: account_name, what, subject, importer });
        }
    }
}

fn one_subject<'a>(
    key: &str,
    stream: Option<&'a str>,
    service: Option<&'a str>,
    found: &mut Problems,
) -> Option<(&'static str, &'a str)> {
    let (what, subject) = match (stream, service) {
        (Some(subject), None) => ("stream", subject),
        (None, Some(subject)) => ("service", subject),
        _ => {
            found.push(key, ProblemKind::StreamOrService);
            return None;
        }
    };
    if !is_subject(subject) {
        found.push(format!("{key}.{what}"), ProblemKind::Subject(subject.to_owned()));
        return None;
    }
    Some((what, subject))
}

fn check_mapping(spec: &Spec, key: &str, mapping: &MappingSpec, found: &mut Problems) {
    if !is_subject(&mapping.from) {
        found.push(format!("{key}.from"), ProblemKind::Subject(mapping.from.clone()));
    }
    if mapping.to.is_empty() == mapping.to_each_cluster.is_none() {
        found.push(key, ProblemKind::MappingTarget);
    }
    if let Some(subject) = &mapping.to_each_cluster {
        if !is_subject(subject) {
            found.push(format!("{key}.to_each_cluster"), ProblemKind::Subject(subject.clone()));
        } else if !subject.contains("{cluster}") {
            found.push(format!("{key}.to_each_cluster"), ProblemKind::NoPlaceholder(subject.clone()));
        }
    }
    for (number, target) in mapping.to.iter().enumerate() {
        let key = format!("{key}.to[{number}]");
        if !is_subject(&target.subject) {
            found.push(format!("{key}.subject"), ProblemKind::Subject(target.subject.clone()));
        }
        if let Some(cluster) = &target.cluster {
            found.known(format!("{key}.cluster"), "cluster", cluster, names_of(&spec.clusters));
        }
        let is_first = mapping.to[..number].iter().all(|earlier| earlier.cluster != target.cluster);
        let of_place = mapping.to.iter().filter(|other| other.cluster == target.cluster);
        let sum: u32 = of_place.map(|other| u32::from(other.weight.unwrap_or(ALL))).sum();
        if is_first && sum > u32::from(ALL) {
            let place = target.cluster.clone().unwrap_or_else(|| "all clusters".to_owned());
            found.push(format!("{key}.weight"), ProblemKind::Weights { place, sum });
        }
    }
}

/// Percent.
const ALL: u8 = 100;
