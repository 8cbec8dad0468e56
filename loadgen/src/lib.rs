//! Starts a real NATS super-cluster on one machine, breaks it, and measures failover.
//!
//! The flow: [`cli`] -> [`plan`] -> [`run`] -> for every fault and repetition a [`round`] (fresh [`clients`],
//! [`load`], a fault of the [`cluster`], all over the emulated [`wan`]) -> [`record`] -> [`report`].

pub mod cli;
pub mod clients;
pub mod clock;
pub mod cluster;
pub mod idle;
pub mod load;
pub mod plan;
pub mod progress;
pub mod record;
pub mod report;
pub mod round;
pub mod run;
pub mod wan;

use std::process::ExitCode;

use plan::Plan;
use report::text;

/// Carries out a plan on a runtime of its own, prints the report and says how it went. Ctrl-C ends it early;
/// whatever it started is gone when this returns.
pub fn run_to_exit_code(plan: Plan) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("loadgen: cannot start the tokio runtime: {error}");
            return ExitCode::from(ERROR);
        }
    };
    let json = plan.json;
    let result = runtime.block_on(async {
        tokio::select! {
            result = run::run(plan) => Some(result),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    match result {
        Some(Ok(report)) => {
            println!("{}", if json { run::to_json(&report) } else { text::render(&report) });
            ExitCode::from(report.verdict.exit_code())
        }
        Some(Err(error)) => {
            eprintln!("loadgen: {error}");
            ExitCode::from(ERROR)
        }
        None => {
            eprintln!("loadgen: interrupted");
            ExitCode::from(INTERRUPTED)
        }
    }
}

/// Something went wrong that is no usage error.
const ERROR: u8 = 1;

/// 128 + SIGINT, as shells say it.
const INTERRUPTED: u8 = 130;
