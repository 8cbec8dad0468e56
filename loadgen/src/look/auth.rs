//! Credentials of an operator: from flags, from variables or from a context of the `nats` CLI.

use std::path::Path;

use super::connect::LoginError;
use super::context::{Context, Env, read_secret, resolve, resolve_file};
use super::opts::ConnectOpts;
use crate::secret::Secret;

/// The proof of who asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Auth {
    None,
    Token(Secret),
    Password {
        user: Secret,
        password: Secret,
    },
    /// The text of a credentials file.
    Creds(Secret),
    /// A seed.
    NKey(Secret),
}

impl Auth {
    /// As the `nats` CLI: a user without a password is a token.
    pub(super) fn of_user(user: Secret, password: Option<Secret>) -> Self {
        match password {
            Some(password) => Self::Password { user, password },
            None => Self::Token(user),
        }
    }
}

/// The password alone may come from the environment, where other users of the machine do not see it.
pub(super) fn from_flags(opts: &ConnectOpts, env: Env<'_>) -> Result<Auth, LoginError> {
    if let Some(user) = &opts.user {
        let password = opts.password.clone();
        let password =
            password.or_else(|| env("NATS_PASSWORD").filter(|text| !text.is_empty()).map(Secret::new));
        return Ok(Auth::of_user(user.clone(), password));
    }
    if let Some(path) = &opts.creds {
        return Ok(Auth::Creds(read_secret("--creds", path)?));
    }
    if let Some(path) = &opts.nkey {
        return seed("--nkey", &read_secret("--nkey", path)?);
    }
    Ok(Auth::None)
}

/// By the variables of the `nats` CLI, which `loadgen ctl env` prints.
pub(super) fn from_variables(variable: Env<'_>) -> Result<Auth, LoginError> {
    let secret = |name: &str| variable(name).map(Secret::new);
    if let Some(user) = secret("NATS_USER") {
        return Ok(Auth::of_user(user, secret("NATS_PASSWORD")));
    }
    if let Some(path) = variable("NATS_CREDS") {
        return Ok(Auth::Creds(read_secret("NATS_CREDS", Path::new(&path))?));
    }
    if let Some(path) = variable("NATS_NKEY") {
        return seed("NATS_NKEY", &read_secret("NATS_NKEY", Path::new(&path))?);
    }
    Ok(secret("NATS_TOKEN").map_or(Auth::None, Auth::Token))
}

/// In the order of `natscontext`.
pub(super) fn from_context(context: &Context, env: Env<'_>) -> Result<Auth, LoginError> {
    if let Some(user) = &context.user {
        let password = context.password.as_ref().map(|value| resolve("password", value, env)).transpose()?;
        return Ok(Auth::of_user(user.clone(), password));
    }
    if let Some(creds) = &context.creds {
        return Ok(Auth::Creds(resolve_file("creds", creds, env)?));
    }
    if let Some(nkey) = &context.nkey {
        return seed("nkey", &resolve_file("nkey", nkey, env)?);
    }
    if let (Some(jwt), Some(seed)) = (&context.user_jwt, &context.user_seed) {
        let (jwt, seed) = (resolve("user_jwt", jwt, env)?, resolve("user_seed", seed, env)?);
        return Ok(Auth::Creds(Secret::new(format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY \
             SEED-----\n{}\n------END USER NKEY SEED------\n",
            jwt.expose(),
            seed.expose()
        ))));
    }
    Ok(match &context.token {
        Some(token) => Auth::Token(resolve("token", token, env)?),
        None => Auth::None,
    })
}

/// Finds the seed among the other lines of its file.
fn seed(setting: &'static str, text: &Secret) -> Result<Auth, LoginError> {
    let seed = text.expose().lines().map(str::trim).find(|line| line.starts_with("SU"));
    seed.map(|seed| Auth::NKey(Secret::new(seed))).ok_or(LoginError::NoSeed(setting))
}
