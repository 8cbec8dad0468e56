//! Contexts of the `nats` CLI.

use serde_json::{Value, json};

use super::super::credentials::{KeyError, Login};
use super::super::model::file_stem;
use super::super::spec::{AccountSpec, UserSpec};
use super::addresses::Addresses;
use super::files::{Inputs, RenderedFile};
use super::{accounts, env};

/// One context per cluster for users, `NAME-CLUSTER.json`, and one for operators, `NAME-CLUSTER-system.json`. A further account
/// of applications has `NAME-CLUSTER-USER.json`. `folder` is the absolute path of the rendered folder, which contexts name.
///
/// # Errors
/// See [`KeyError`].
pub fn files(
    inputs: &Inputs<'_>,
    addresses: &Addresses,
    folder: &str,
) -> Result<Vec<RenderedFile>, KeyError> {
    let topology = inputs.topology;
    let first = |account: &'_ AccountSpec| account.users.first().cloned();
    let applications: Vec<_> =
        topology.accounts().filter_map(|account| Some((account, first(account)?))).collect();
    let system = topology.system_account().and_then(|account| Some((account, first(account)?)));
    let mut files = Vec::new();
    for (number, cluster) in topology.regions().iter().enumerate() {
        let stem = format!("{}-{}", file_stem(topology.name(), 0), file_stem(cluster, number));
        let mut add = |suffix: &str, user: Option<(&AccountSpec, &UserSpec)>| {
            let context = context(inputs, addresses, cluster, user, folder)?;
            let path = format!("{stem}{suffix}.json");
            files.push(RenderedFile::secret(path, format!("{context:#}\n")));
            Ok::<_, KeyError>(())
        };
        if applications.is_empty() {
            add("", None)?;
        }
        for (number, (account, user)) in applications.iter().enumerate() {
            let suffix =
                if number == 0 { String::new() } else { format!("-{}", file_stem(&user.name, number)) };
            add(&suffix, Some((account, user)))?;
        }
        if let Some((account, user)) = &system {
            add("-system", Some((account, user)))?;
        }
    }
    files.extend(inputs.user_files()?);
    files.extend(inputs.tls_files());
    Ok(files)
}

/// Format: `natscontext` of <https://github.com/nats-io/jsm.go>.
fn context(
    inputs: &Inputs<'_>,
    addresses: &Addresses,
    cluster: &str,
    user: Option<(&AccountSpec, &UserSpec)>,
    folder: &str,
) -> Result<Value, KeyError> {
    let topology = inputs.topology;
    let urls: Vec<_> = addresses.of(cluster).map(|placed| env::url(topology, placed)).collect();
    let whose = user.map_or("its token", |(account, _)| account.name.as_str());
    let mut context = json!({
        "description": format!("{} of {}, {whose}", cluster, topology.name()),
        "url": urls.join(","),
    });
    let login = match user {
        Some((account, user)) => inputs.credentials.login(topology, account, user)?,
        None => Login::Token(inputs.credentials.token(topology.spec().auth.token.as_ref())),
    };
    let file = |name: &str| format!("{folder}/users/{name}");
    match (login, user) {
        (Login::Password { user, password }, _) => {
            context["user"] = user.into();
            context["password"] = password.expose().into();
        }
        (Login::Token(token), _) => context["token"] = token.expose().into(),
        (Login::Nkey(_), Some((_, user))) => context["nkey"] = file(&accounts::seed_file(user)).into(),
        (Login::Creds(_), Some((_, user))) => context["creds"] = file(&accounts::creds_file(user)).into(),
        (Login::Anonymous | Login::Nkey(_) | Login::Creds(_), _) => {}
    }
    if let Some(domain) = topology.cluster(cluster).and_then(|cluster| cluster.domain.as_deref()) {
        context["jetstream_domain"] = domain.into();
    }
    if let Some(tls) = &topology.spec().tls {
        context["ca"] = format!("{folder}/tls/ca.pem").into();
        if tls.mutual {
            context["cert"] = format!("{folder}/tls/client.pem").into();
            context["key"] = format!("{folder}/tls/client.key").into();
        }
        if tls.handshake_first {
            context["tls_first"] = true.into();
        }
    }
    Ok(context)
}
