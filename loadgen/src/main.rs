//! The `loadgen` command.

use std::process::ExitCode;

use loadgen::plan::{UsageError, task_from};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER)))
        .with_writer(std::io::stderr)
        .init();
    match task_from(std::env::args_os()) {
        Ok(task) => loadgen::run_to_exit_code(task),
        Err(UsageError::Flags(error)) => {
            // Help and version are no errors: clap knows which stream and code they want.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
        }
        Err(UsageError::Plan(error)) => {
            eprintln!("loadgen: {error}");
            ExitCode::from(USAGE)
        }
    }
}

/// async-nats reports every connection that ends, which is what loadgen makes happen. `RUST_LOG` shows more.
const FILTER: &str = "error,async_nats=off";

/// As in every Unix tool.
const USAGE: u8 = 2;
