//! The options of the commands that look at a super-cluster. Doc comments are the help text.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::connect::{Login, LoginError};
use super::context::Env;
use crate::secret::Secret;

/// Options of the connection to a super-cluster.
#[derive(Args, Clone, Debug, Default)]
pub struct ConnectOpts {
    /// Connect to the first server that answers [default: NATS_URL, `loadgen up`, or nats://127.0.0.1:4222]
    #[arg(long, value_delimiter = ',', value_name = "URLS")]
    pub server: Vec<Secret>,

    /// Connect to this super-cluster of `loadgen up` on this machine [default: the only one that is up]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["server", "user", "creds", "nkey", "context"])]
    pub deployment: Option<String>,

    /// Log in as this user, or with this token if there is no password [default: NATS_USER or NATS_TOKEN]
    #[arg(long, value_name = "USER")]
    pub user: Option<Secret>,

    /// Log in with this password [default: NATS_PASSWORD, which other users of the machine cannot read]
    #[arg(long, value_name = "PASSWORD", requires = "user")]
    pub password: Option<Secret>,

    /// Log in with the JWT and the seed of this credentials file [default: NATS_CREDS]
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    pub creds: Option<PathBuf>,

    /// Log in with the NKey whose seed is in this file [default: NATS_NKEY]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "creds"])]
    pub nkey: Option<PathBuf>,

    /// Trust certificates of the authority in this PEM file [default: NATS_CA]
    #[arg(long, value_name = "FILE")]
    pub tlsca: Option<PathBuf>,

    /// Send servers the client certificate in this PEM file [default: NATS_CERT]
    #[arg(long, value_name = "FILE", requires = "tlskey")]
    pub tlscert: Option<PathBuf>,

    /// Use the private key in this PEM file for --tlscert [default: NATS_KEY]
    #[arg(long, value_name = "FILE", requires = "tlscert")]
    pub tlskey: Option<PathBuf>,

    /// Use this context of the nats CLI [default: the selected one, unless --server or NATS_URL is set]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,

    /// Wait this long for the answers of all servers
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(100..=600_000), value_name = "MS")]
    pub timeout: u32,
}

impl ConnectOpts {
    /// Time that one request waits for answers.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout.into())
    }
}

/// Options of `loadgen servers` and `loadgen clusters`.
#[derive(Args, Clone, Debug)]
pub struct OverviewOpts {
    /// The super-cluster.
    #[command(flatten)]
    pub connect: ConnectOpts,

    /// Print the rows as JSON instead of a table
    #[arg(long)]
    pub json: bool,

    /// Repeat the output, with a pause of this length in between
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "SECONDS")]
    pub watch: Option<u32>,
}

/// Options of `loadgen streams`.
#[derive(Args, Clone, Debug)]
pub struct StreamsOpts {
    /// The super-cluster.
    #[command(flatten)]
    pub connect: ConnectOpts,

    /// List the streams of this JetStream domain; repeatable [default: the domain of the server]
    #[arg(long, value_name = "DOMAIN", conflicts_with = "all_domains")]
    pub js_domain: Vec<String>,

    /// List the streams of all domains; finding the domains needs system credentials
    #[arg(long)]
    pub all_domains: bool,

    /// The system account.
    #[command(flatten)]
    pub system: SystemOpts,

    /// Print the rows as JSON instead of tables
    #[arg(long)]
    pub json: bool,

    /// Repeat the output, with a pause of this length in between
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "SECONDS")]
    pub watch: Option<u32>,
}

/// The login of the system account, beside that of a user.
#[derive(Args, Clone, Debug, Default)]
pub struct SystemOpts {
    /// Find the domains as this user of the system account, on the same servers
    #[arg(long, value_name = "USER", requires = "all_domains")]
    pub system_user: Option<Secret>,

    /// Use this password for --system-user [default: NATS_SYSTEM_PASSWORD]
    #[arg(long, value_name = "PASSWORD", requires = "system_user")]
    pub system_password: Option<Secret>,

    /// Find the domains with this credentials file of the system account, on the same servers
    #[arg(long, value_name = "FILE", requires = "all_domains", conflicts_with = "system_user")]
    pub system_creds: Option<PathBuf>,

    /// Find the domains with this context of the nats CLI, which must be of the system account
    #[arg(long, value_name = "NAME", requires = "all_domains", conflicts_with_all = ["system_user", "system_creds"])]
    pub system_context: Option<String>,
}

impl SystemOpts {
    /// The login of the system account; `None` without any of its options.
    ///
    /// # Errors
    /// The credentials file, or the file of the context, cannot be read.
    pub fn login(&self, user: &Login, env: Env<'_>) -> Result<Option<Login>, LoginError> {
        let password = env("NATS_SYSTEM_PASSWORD").map(Secret::new);
        let opts = ConnectOpts {
            user: self.system_user.clone(),
            password: self.system_password.clone().or(password),
            creds: self.system_creds.clone(),
            context: self.system_context.clone(),
            ..ConnectOpts::default()
        };
        other_login(user, opts, env)
    }
}

/// Returns the login of another user on the same servers, or the one of a context; `None`, if the options name neither.
///
/// # Errors
/// The credentials file, or the file of the context, cannot be read.
pub(crate) fn other_login(
    user: &Login,
    opts: ConnectOpts,
    env: Env<'_>,
) -> Result<Option<Login>, LoginError> {
    if opts.context.is_some() {
        return Login::new(&ConnectOpts { context: opts.context, ..ConnectOpts::default() }, env).map(Some);
    }
    if opts.user.is_none() && opts.creds.is_none() {
        return Ok(None);
    }
    user.as_other(&opts).map(Some)
}

/// Options of `loadgen graph`.
#[derive(Args, Clone, Debug)]
pub struct GraphOpts {
    /// The super-cluster.
    #[command(flatten)]
    pub connect: ConnectOpts,

    /// Write the drawing into this file [default: the standard output]
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// Print the regions and their links as JSON instead of a drawing
    #[arg(long)]
    pub json: bool,

    /// Repeat the drawing, with a pause of this length in between
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "SECONDS", requires = "svg")]
    pub watch: Option<u32>,
}
