//! The connection of an operator: its servers and its credentials.

pub mod apart;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{ConnectOptions, Event, ServerAddr, ServerError};
use percent_encoding::percent_decode_str;

use super::auth::{self, Auth};
use super::context::{Context, ContextError, Env, expand};
use super::opts::ConnectOpts;
use super::running::{Role, Running};
use crate::cluster::OWN_NAME;
use crate::ctl::client::CtlError;
use crate::secret::Secret;
use crate::topology::credentials;
use crate::up::access::Access;

/// The place of a super-cluster, and the proof of who asks. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Login {
    /// Without credentials.
    servers: Vec<ServerAddr>,
    auth: Auth,
    ca: Option<PathBuf>,
    /// A certificate and its key.
    certificate: Option<(PathBuf, PathBuf)>,
    tls_first: bool,
    inbox_prefix: Option<String>,
    js_domain: Option<String>,
    js_api_prefix: Option<String>,
    /// The super-cluster that is up goes before `servers`, if the operator named neither servers nor credentials.
    running: Option<Running>,
}

/// Reason why a login is incomplete. These are usage errors.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Not an address.
    #[error(
        "server {number} of the list is no NATS address: write `nats://HOST:PORT`, or tls://, ws:// or wss://"
    )]
    Server {
        /// Its place in the list, from 1. The text may contain a password.
        number: usize,
    },
    /// A context, or a file.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// A file without the seed of a user.
    #[error("the file of `{0}` has no line with the seed of a user: such a line begins with SU")]
    NoSeed(&'static str),
    /// Nobody to ask for domains.
    #[error(
        "--all-domains needs system credentials: add --system-user, --system-creds or --system-context, or name the domains \
         with --js-domain"
    )]
    NoSystem,
}

/// Reason why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing answers, or it refuses.
    #[error("cannot connect to {servers}: {error}{remedy}")]
    Connect {
        /// The addresses, without credentials.
        servers: String,
        /// The failure of the last one.
        error: async_nats::ConnectError,
        /// A hint, where there is one.
        remedy: &'static str,
    },
    /// The super-cluster that is up does not say where it is.
    #[error(transparent)]
    Running(#[from] CtlError),
    /// The credentials are none.
    #[error("cannot read the credentials: {0}; `nsc generate creds` writes a file that works")]
    Creds(std::io::ErrorKind),
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    /// The connection.
    pub client: async_nats::Client,
    /// The domain that the login names.
    pub js_domain: Option<String>,
    /// The beginning of the JetStream API's subjects, if the login names one.
    pub js_api_prefix: Option<String>,
    denied: Denied,
}

/// The last error that the server reported.
type Denied = Arc<Mutex<Option<String>>>;

impl Connection {
    /// Returns the last permission that the server denied, in its words, and forgets it.
    pub fn take_denied(&self) -> Option<String> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Login {
    /// Reads flags, the environment and the context of the `nats` CLI, in this order.
    ///
    /// # Errors
    /// An address is none, or a file cannot be read.
    pub fn of(opts: &ConnectOpts) -> Result<Self, LoginError> {
        Self::new(opts, &|name| std::env::var(name).ok())
    }

    /// As [`Self::of`], with another environment.
    ///
    /// # Errors
    /// As those of [`Self::of`].
    pub fn new(opts: &ConnectOpts, env: Env<'_>) -> Result<Self, LoginError> {
        let variable = |name: &str| env(name).filter(|value| !value.is_empty());
        let is_elsewhere = !opts.server.is_empty() || variable("NATS_URL").is_some();
        // The credentials of the selected context must not go to a server that belongs to none.
        let selected = || (!is_elsewhere).then(|| Context::selected(env)).flatten();
        let name = opts.context.clone().or_else(selected);
        let name = name.filter(|_| opts.deployment.is_none());
        let context = name.map(|name| Context::load(&name, env)).transpose()?;
        let has_context = context.is_some();
        // A context that was named is meant; variables may be left over from another shell.
        let variables = (opts.context.is_none()).then_some(&variable as Env<'_>);
        let url = variables.and_then(|variable| variable("NATS_URL")).map(Secret::new);
        let url = url.or_else(|| context.as_ref().and_then(|context| context.url.clone()));
        let (servers, of_url) = servers(&opts.server, url)?;

        let mut auth = auth::from_flags(opts, env)?;
        if auth == Auth::None {
            auth = of_url;
        }
        if let (Auth::None, Some(variable)) = (&auth, variables) {
            auth = auth::from_variables(variable)?;
        }
        let context = context.unwrap_or_default();
        if auth == Auth::None {
            auth = auth::from_context(&context, env)?;
        }
        let path = |text: &str| (!text.is_empty()).then(|| expand(text, env));
        let named = |name: &str| variables.and_then(|variable| variable(name)).map(PathBuf::from);
        let certificate = opts.tlscert.clone().zip(opts.tlskey.clone());
        let certificate = certificate.or_else(|| named("NATS_CERT").zip(named("NATS_KEY")));
        let text = |text: String| (!text.is_empty()).then_some(text);
        let is_named = auth != Auth::None || is_elsewhere || has_context;
        let running = opts.deployment.is_some() || !is_named;
        let running = running.then(|| Running { deployment: opts.deployment.clone(), role: Role::default() });
        Ok(Self {
            running,
            servers,
            auth,
            ca: opts.tlsca.clone().or_else(|| named("NATS_CA")).or_else(|| path(&context.ca)),
            certificate: certificate.or_else(|| path(&context.cert).zip(path(&context.key))),
            tls_first: context.tls_first,
            inbox_prefix: text(context.inbox_prefix),
            js_domain: text(context.jetstream_domain),
            js_api_prefix: text(context.jetstream_api_prefix),
        })
    }

    /// Returns the login of another user on the same servers.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn as_other(&self, opts: &ConnectOpts) -> Result<Self, LoginError> {
        let auth = auth::from_flags(opts, &|_| None)?;
        Ok(Self { auth, inbox_prefix: None, running: None, ..self.clone() })
    }

    /// Returns the round-trip times that `loadgen up` emulates, by pair of regions; nothing, if the operator named another super-cluster.
    pub(crate) async fn emulated(&self) -> BTreeMap<String, f64> {
        match &self.running {
            Some(running) => running.emulated().await,
            None => BTreeMap::new(),
        }
    }

    /// As a user of applications, if it is the super-cluster that is up.
    pub fn as_application(mut self) -> Self {
        self.running.iter_mut().for_each(|running| running.role = Role::Application);
        self
    }

    /// As a user of the system account, if it is the super-cluster that is up.
    pub fn as_system(&self) -> Option<Self> {
        let running = Running { role: Role::System, ..self.running.clone()? };
        Some(Self { running: Some(running), ..self.clone() })
    }

    /// Connects.
    ///
    /// # Errors
    /// No server answers, or it refuses the credentials.
    pub async fn open(&self) -> Result<Connection, OpenError> {
        if let Some(running) = &self.running
            && let Some(access) = running.access().await?
        {
            return Self::into(&access, running.login(&access)).connect().await;
        }
        let mut connected = self.connect().await;
        if let (Some(_), Err(OpenError::Connect { remedy, .. })) = (&self.running, &mut connected)
            && remedy.is_empty()
        {
            *remedy = NOTHING_UP;
        }
        connected
    }

    /// The way into the super-cluster that is up.
    fn into(access: &Access, login: &credentials::Login) -> Self {
        Self {
            servers: access.servers.iter().filter_map(|url| url.parse().ok()).collect(),
            auth: match login {
                credentials::Login::Anonymous => Auth::None,
                credentials::Login::Password { user, password } => {
                    Auth::Password { user: Secret::new(user.clone()), password: password.clone() }
                }
                credentials::Login::Token(token) => Auth::Token(token.clone()),
                credentials::Login::Nkey(seed) => Auth::NKey(seed.clone()),
                credentials::Login::Creds(text) => Auth::Creds(text.clone()),
            },
            ca: access.ca.clone(),
            certificate: access.certificate.clone(),
            tls_first: access.tls_first,
            inbox_prefix: None,
            js_domain: None,
            js_api_prefix: None,
            running: None,
        }
    }

    async fn connect(&self) -> Result<Connection, OpenError> {
        let denied = Denied::default();
        let heard = denied.clone();
        let mut options = self.with_auth(ConnectOptions::new().name(OWN_NAME).retain_servers_order())?;
        options = options.event_callback(move |event| {
            if let Event::ServerError(ServerError::Other(text)) = event {
                *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
            }
            std::future::ready(())
        });
        if let Some(ca) = &self.ca {
            options = options.add_root_certificates(ca.clone()).require_tls(true);
        }
        if let Some((certificate, key)) = &self.certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone()).require_tls(true);
        }
        if self.tls_first {
            options = options.tls_first();
        }
        if let Some(prefix) = &self.inbox_prefix {
            options = options.custom_inbox_prefix(prefix);
        }
        let client = options.connect(&self.servers[..]).await.map_err(|error| OpenError::Connect {
            servers: self.servers.iter().map(place).collect::<Vec<_>>().join(", "),
            remedy: remedy(&error),
            error,
        })?;
        let (js_domain, js_api_prefix) = (self.js_domain.clone(), self.js_api_prefix.clone());
        Ok(Connection { client, js_domain, js_api_prefix, denied })
    }

    fn with_auth(&self, options: ConnectOptions) -> Result<ConnectOptions, OpenError> {
        Ok(match &self.auth {
            Auth::None => options,
            Auth::Token(token) => options.token(token.expose().to_owned()),
            Auth::Password { user, password } => {
                options.user_and_password(user.expose().to_owned(), password.expose().to_owned())
            }
            Auth::NKey(seed) => options.nkey(seed.expose().to_owned()),
            Auth::Creds(text) => {
                // async-nats finds no seed in a file whose last line has no end.
                let text = format!("{}\n", text.expose());
                // The error's text could quote a line of the file.
                options.credentials(&text).map_err(|error| OpenError::Creds(error.kind()))?
            }
        })
    }
}

/// The addresses without credentials, and the credentials of the first one that has any.
fn servers(flags: &[Secret], url: Option<Secret>) -> Result<(Vec<ServerAddr>, Auth), LoginError> {
    let default = || Secret::new("nats://127.0.0.1:4222");
    let urls = if flags.is_empty() { vec![url.unwrap_or_else(default)] } else { flags.to_vec() };
    let entries = urls.iter().flat_map(|url| url.expose().split(',')).map(str::trim);
    let (mut servers, mut auth) = (Vec::new(), Auth::None);
    for (index, entry) in entries.filter(|entry| !entry.is_empty()).enumerate() {
        let wrong = || LoginError::Server { number: index + 1 };
        let server: ServerAddr = entry.parse().map_err(|_| wrong())?;
        let decoded = |text: &str| Secret::new(percent_decode_str(text).decode_utf8_lossy());
        if let (Auth::None, Some(user)) = (&auth, server.username()) {
            auth = Auth::of_user(decoded(user), server.password().map(decoded));
        }
        let mut bare = server.into_inner();
        let cleared = bare.set_username("").and_then(|()| bare.set_password(None));
        cleared.map_err(|()| wrong())?;
        servers.push(ServerAddr::from_url(bare).map_err(|_| wrong())?);
    }
    if servers.is_empty() { Err(LoginError::Server { number: 1 }) } else { Ok((servers, auth)) }
}

fn place(server: &ServerAddr) -> String {
    format!("{}:{}", server.host(), server.port())
}

fn remedy(error: &async_nats::ConnectError) -> &'static str {
    use async_nats::ConnectErrorKind as Kind;
    match error.kind() {
        Kind::AuthorizationViolation | Kind::Authentication => {
            "; give credentials with --user and --password, --creds, --nkey or --context"
        }
        Kind::Tls => CERTIFICATE,
        // A refused certificate counts as an error of the socket.
        _ if error.to_string().contains("certificate") => CERTIFICATE,
        _ => "",
    }
}

const NOTHING_UP: &str =
    "; name a server with --server, or start a super-cluster with `loadgen up --regions lon,ams`";

const CERTIFICATE: &str = "; give the authority of the servers' certificates with --tlsca, and a client certificate, if \
                           they ask for one, with --tlscert and --tlskey";

#[cfg(test)]
#[path = "connect/tests.rs"]
mod tests;
