//! Options of `loadgen guard`. Doc comments are the help text.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::look::connect::{Login, LoginError};
use crate::look::context::Env;
use crate::look::opts::{ConnectOpts, other_login};
use crate::secret::Secret;

/// Options of `loadgen guard`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct GuardOpts {
    /// An order to a guard that runs.
    #[command(subcommand)]
    pub command: Option<GuardCommand>,

    /// Read the rules from this TOML file
    #[arg(long, required = true, value_name = "FILE")]
    pub rules: Option<PathBuf>,

    /// Carry out the actions of the rules [default: print which actions would begin]
    #[arg(long)]
    pub act: bool,

    /// Append every decision and every action to this file, one JSON object per line
    #[arg(long, default_value = "guard-audit.jsonl", value_name = "FILE")]
    pub audit: PathBuf,

    /// Name this guard, for `loadgen guard stop` [default: the name of --deployment, else `guard`]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// The super-cluster.
    #[command(flatten)]
    pub connect: ConnectOpts,

    /// The account with the streams.
    #[command(flatten)]
    pub streams: StreamLoginOpts,
}

/// The login of the account whose streams `stream-lag` watches, beside that of the system account.
#[derive(Args, Clone, Debug, Default)]
pub struct StreamLoginOpts {
    /// For `stream-lag` rules, list streams as this user, on the servers of the system account
    #[arg(long, value_name = "USER")]
    pub stream_user: Option<Secret>,

    /// Use this password for --stream-user [default: NATS_STREAM_PASSWORD]
    #[arg(long, value_name = "PASSWORD", requires = "stream_user")]
    pub stream_password: Option<Secret>,

    /// For `stream-lag` rules, list streams with this creds file, on the servers of the system account
    #[arg(long, value_name = "FILE", conflicts_with = "stream_user")]
    pub stream_creds: Option<PathBuf>,

    /// For `stream-lag` rules, list streams with the login and the servers of this context of the nats CLI
    #[arg(long, value_name = "NAME", conflicts_with_all = ["stream_user", "stream_creds"])]
    pub stream_context: Option<String>,
}

impl StreamLoginOpts {
    /// Returns the login of the account with the streams; `None` without any of its options.
    ///
    /// # Errors
    /// The credentials file, or the file of the context, cannot be read.
    pub fn login(&self, system: &Login, env: Env<'_>) -> Result<Option<Login>, LoginError> {
        let password = env("NATS_STREAM_PASSWORD").map(Secret::new);
        let opts = ConnectOpts {
            user: self.stream_user.clone(),
            password: self.stream_password.clone().or(password),
            creds: self.stream_creds.clone(),
            context: self.stream_context.clone(),
            ..ConnectOpts::default()
        };
        other_login(system, opts, env)
    }
}

/// Orders to a guard that runs.
#[derive(Clone, Debug, Subcommand)]
pub enum GuardCommand {
    /// Stop a guard: the guard begins no further action, and ends the program that an action runs
    Stop(StopOpts),
}

/// Options of `loadgen guard stop`.
#[derive(Args, Clone, Debug)]
pub struct StopOpts {
    /// Stop the guard with this name [default: the only one that runs]
    #[arg(long, visible_alias = "deployment", value_name = "NAME")]
    pub name: Option<String>,
}
