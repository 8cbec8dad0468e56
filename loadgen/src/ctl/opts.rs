//! Options of `loadgen ctl`. Doc comments are the help text.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::env::EnvOpts;
use crate::topology::span_of_option;
use crate::up::control::Command;

/// Options of `loadgen ctl`.
#[derive(Args, Clone, Debug)]
pub struct CtlOpts {
    /// Send the order to this deployment [default: the only one that is up]
    #[arg(long, global = true, value_name = "NAME")]
    pub deployment: Option<String>,

    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,

    /// The order.
    #[command(subcommand)]
    pub order: CtlOrder,
}

/// Options of `loadgen wait`.
#[derive(Args, Clone, Debug)]
pub struct WaitOpts {
    /// Wait for this deployment [default: the only one that is up]
    #[arg(long, value_name = "NAME")]
    pub deployment: Option<String>,

    /// Give up after this many seconds, and name the missing parts
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "SECONDS")]
    pub stabilise_timeout: u32,
}

/// An order.
#[derive(Clone, Debug, Subcommand)]
pub enum CtlOrder {
    /// Kill a server, or all servers of a region, with SIGKILL
    Kill(Target),
    /// Silence a server, or all servers of a region: they answer nothing, and their connections stay open
    Silence(Target),
    /// Heal a region or a server: end silence and pauses, and start the servers that do not run
    Heal(Target),
    /// Put a server, or all servers of a region, into lame duck mode
    Retire(Target),
    /// Pause a server, or all servers of a region, with SIGSTOP; the kernel still accepts connections
    Pause(Target),
    /// Kill a server, or all servers of a region, and start them again
    Restart(Target),
    /// Change the round-trip time between two regions
    SetRtt(Distance),
    /// Inject a fault of scenarios on servers or links, such as `latency:lon-ams,rtt_ms=80`
    Inject(InjectOpts),
    /// Undo an injected fault
    Undo(UndoOpts),
    /// Print the state of every server
    Status,
    /// Print environment variables for the `nats` CLI: addresses of a region, credentials of a user
    Env(EnvOpts),
}

/// A region or a server.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// Give this order to a region, or to a server
    #[arg(value_name = "REGION|SERVER")]
    pub target: String,
}

/// A distance.
#[derive(Args, Clone, Debug)]
pub struct Distance {
    /// Change the round-trip time from this region
    #[arg(value_name = "REGION")]
    pub from: String,

    /// Change the round-trip time to this region
    #[arg(value_name = "REGION")]
    pub to: String,

    /// Set this round-trip time, from 0 to 500
    #[arg(value_name = "MS")]
    pub rtt_ms: f64,
}

/// Options of `loadgen ctl inject`.
#[derive(Args, Clone, Debug)]
pub struct InjectOpts {
    /// Inject this fault; the book lists all faults under "Keys of a scenario file"
    #[arg(value_name = "KIND:TARGET,OPTION=VALUE")]
    pub fault: String,

    /// End the fault after this time, as in `30s` [default: `loadgen ctl undo` ends the fault]
    #[arg(long = "for", value_name = "DURATION", value_parser = span_of_option)]
    pub lasts: Option<Duration>,
}

/// Options of `loadgen ctl undo`.
#[derive(Args, Clone, Debug)]
pub struct UndoOpts {
    /// Undo the fault with this number, which `loadgen ctl status` shows, or `all` faults
    #[arg(value_name = "NUMBER|all", value_parser = number)]
    pub fault: Faults,
}

/// One fault, or all of them.
#[derive(Clone, Copy, Debug)]
pub struct Faults(Option<u32>);

fn number(text: &str) -> Result<Faults, &'static str> {
    match text {
        "all" => Ok(Faults(None)),
        _ => text.parse().map(|number| Faults(Some(number))).map_err(|_| "write a number, or `all`"),
    }
}

impl From<CtlOrder> for Command {
    fn from(order: CtlOrder) -> Self {
        match order {
            CtlOrder::Kill(Target { target }) => Self::Kill { target },
            CtlOrder::Silence(Target { target }) => Self::Silence { target },
            CtlOrder::Heal(Target { target }) => Self::Heal { target },
            CtlOrder::Retire(Target { target }) => Self::Retire { target },
            CtlOrder::Pause(Target { target }) => Self::Pause { target },
            CtlOrder::Restart(Target { target }) => Self::Restart { target },
            CtlOrder::SetRtt(Distance { from, to, rtt_ms }) => Self::SetRtt { between: [from, to], rtt_ms },
            CtlOrder::Inject(InjectOpts { fault, lasts }) => {
                let lasts_ms = lasts.map(|lasts| u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
                Self::Inject { fault, lasts_ms }
            }
            CtlOrder::Undo(UndoOpts { fault: Faults(number) }) => Self::Undo { number },
            CtlOrder::Status => Self::Status,
            CtlOrder::Env(_) => Self::Access,
        }
    }
}
