//! Starts a real NATS super-cluster on one machine, breaks it, and measures failover.
//!
//! The flow of `loadgen run`: [`cli`] -> [`plan`] -> a [`scenario`] -> [`play`] -> [`outcome`]. [`play`] starts a
//! [`cluster`] with [`clients`] over the emulated [`wan`], injects the faults, and records the effects. [`outcome`]
//! makes figures, verdict and reports. `loadgen --regions` does the same with the [`default_scenario`].

pub mod agent_command;
pub mod bench;
pub mod cli;
mod client_order;
pub mod clients;
pub mod clock;
pub mod cluster;
pub mod collect;
pub mod config_file;
pub mod ctl;
pub mod dashboard;
pub mod default_scenario;
pub mod detectors;
mod digest;
pub mod dns;
pub mod exporter;
mod go_json;
pub mod guard;
pub mod load;
pub mod look;
pub mod machine;
mod markup;
pub mod name_server;
pub mod ops;
pub mod out_folder;
pub mod outcome;
pub mod plan;
pub mod play;
pub mod progress;
pub mod rebalance;
pub mod record;
pub mod scenario;
pub mod scenario_command;
pub mod secret;
mod seed;
pub mod selftest;
pub mod simulate;
mod stdout;
pub mod store;
mod text_table;
pub mod toml_file;
pub mod topology;
pub mod topology_command;
pub mod up;
pub mod wan;
mod web;
mod web_target;

use std::process::ExitCode;

use bench::opts::BenchCommand;
use detectors::DetectorsError;
use detectors::plan::DetectorsPlan;
use dns::DnsPlan;
use guard::GuardPlan;
use look::LookPlan;
use look::connect::Login;
use outcome::Verdict;
use plan::Task;
use rebalance::RebalancePlan;
use scenario_command::RunError;
use simulate::SimulateError;
use simulate::plan::SimulatePlan;
use topology_command::opts::TopologyCommand;

/// Carries out a task on a runtime of its own and says how it went. Ctrl-C ends it early; whatever it started is gone
/// when this returns.
pub fn run_to_exit_code(task: Task) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("loadgen: cannot start the tokio runtime: {error}");
            return ExitCode::from(ERROR);
        }
    };
    runtime.block_on(async {
        match task {
            Task::Run(plan) => play(*plan).await,
            Task::Control(opts) => stay(agent_command::control(opts)).await,
            Task::Agent(opts) => stay(agent_command::agent(opts)).await,
            Task::Agents(opts) => print_or_fail(agent_command::agents(opts)).await,
            Task::Push(opts) => print_or_fail(agent_command::push(opts)).await,
            Task::Scenarios(opts) => print_or_fail(async { scenario_command::scenarios(&opts) }).await,
            Task::Report(opts) => compute(move || scenario_command::again(&opts.folder, opts.details)).await,
            Task::Compare(opts) => compute(move || scenario_command::compare(&opts.folders)).await,
            Task::Runs(command) => print_or_fail(store::runs(command)).await,
            Task::Bench(task) => print_or_fail(bench(*task)).await,
            Task::Selftest => test_itself().await,
            Task::Up(plan) => stay(up::run(*plan)).await,
            Task::Dashboard(plan) => stay(dashboard::run(*plan)).await,
            Task::Simulate(plan) => simulate(plan).await,
            Task::Detectors(plan) => compare_detectors(plan).await,
            Task::Dns(plan) => compare_resolvers(plan).await,
            Task::Ctl(opts) => print_or_fail(ctl::client::run(opts)).await,
            Task::Wait(opts) => print_or_fail(ctl::client::wait(opts)).await,
            Task::Look(plan) => look_at(*plan).await,
            Task::Rebalance(plan) => rebalance(*plan).await,
            Task::Guard(plan) => watch(*plan).await,
            Task::StopGuard(opts) => print_or_fail(guard::stop(opts)).await,
            Task::Topology(command) => topology(command).await,
        }
    })
}

async fn play(plan: scenario_command::Plan) -> ExitCode {
    tokio::select! {
        result = scenario_command::run(plan) => match result {
            Ok((text, verdict)) => printed(&text, verdict.exit_code()),
            Err(error) => {
                // A run that no store keeps has its verdict all the same.
                let RunError::NotStored { text, verdict, .. } = &error else { return failed(&error) };
                stdout::print_or_warn(text);
                match (failed(&error), verdict.exit_code()) {
                    (error, 0) => error,
                    (_, verdict) => ExitCode::from(verdict),
                }
            }
        },
        _ = tokio::signal::ctrl_c() => {
            eprintln!("loadgen: interrupted");
            ExitCode::from(INTERRUPTED)
        }
    }
}

async fn bench((login, command): (Login, BenchCommand)) -> Result<String, bench::BenchError> {
    let json = command.bench().json;
    let result = bench::run(login, command).await?;
    Ok(if json { result.to_json() } else { result.to_text() })
}

async fn test_itself() -> ExitCode {
    tokio::select! {
        result = selftest::run() => match result {
            Ok((text, all_seen)) => printed(&text, if all_seen { 0 } else { Verdict::Fail.exit_code() }),
            Err(error) => failed(&error),
        },
        _ = tokio::signal::ctrl_c() => {
            eprintln!("loadgen: interrupted");
            ExitCode::from(INTERRUPTED)
        }
    }
}

async fn simulate(plan: SimulatePlan) -> ExitCode {
    compute(move || {
        let simulation = simulate::run(&plan)?;
        Ok::<_, SimulateError>(if plan.json {
            simulation.to_json()
        } else {
            simulate::table::render(&simulation)
        })
    })
    .await
}

async fn compare_detectors(plan: DetectorsPlan) -> ExitCode {
    compute(move || {
        let comparison = detectors::run(&plan)?;
        Ok::<_, DetectorsError>(if plan.json {
            comparison.to_json()
        } else {
            detectors::table::render(&comparison)
        })
    })
    .await
}

async fn print_or_fail<E: std::error::Error>(work: impl Future<Output = Result<String, E>>) -> ExitCode {
    tokio::select! {
        result = work => match result {
            Ok(text) => printed(&text, 0),
            Err(error) => failed(&error),
        },
        _ = tokio::signal::ctrl_c() => {
            eprintln!("loadgen: interrupted");
            ExitCode::from(INTERRUPTED)
        }
    }
}

/// Prints a result; returns `code` unless the result cannot be printed.
fn printed(text: &str, code: u8) -> ExitCode {
    match stdout::print(text) {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            eprintln!("loadgen: cannot write to standard output: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn topology(command: TopologyCommand) -> ExitCode {
    compute(move || topology_command::run(command)).await
}

/// On a thread of its own, so that Ctrl-C is heard.
async fn compute<E>(work: impl FnOnce() -> Result<String, E> + Send + 'static) -> ExitCode
where
    E: std::error::Error + Send + 'static,
{
    let work = tokio::task::spawn_blocking(work);
    tokio::select! {
        result = work => match result {
            Ok(Ok(text)) => printed(&text, 0),
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        },
        _ = tokio::signal::ctrl_c() => {
            eprintln!("loadgen: interrupted");
            // A computation does not look up: end the process without waiting for it.
            std::process::exit(INTERRUPTED.into())
        }
    }
}

/// Here Ctrl-C is the way to end it.
async fn stay<E: std::error::Error>(work: impl Future<Output = Result<(), E>>) -> ExitCode {
    tokio::select! {
        result = work => result.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS),
        _ = tokio::signal::ctrl_c() => {
            eprintln!("loadgen: stopped");
            ExitCode::SUCCESS
        }
    }
}

/// It ends by Ctrl-C, SIGTERM or `loadgen guard stop`, after it has ended its actions.
async fn watch(plan: GuardPlan) -> ExitCode {
    guard::run(plan).await.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

async fn compare_resolvers(plan: DnsPlan) -> ExitCode {
    tokio::select! {
        result = dns::run(plan) => result.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS),
        _ = tokio::signal::ctrl_c() => {
            eprintln!("loadgen: interrupted");
            ExitCode::from(INTERRUPTED)
        }
    }
}

async fn look_at(plan: LookPlan) -> ExitCode {
    tokio::select! {
        result = look::run(plan) => result.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS),
        _ = tokio::signal::ctrl_c() => {
            eprintln!("loadgen: interrupted");
            ExitCode::from(INTERRUPTED)
        }
    }
}

async fn rebalance(plan: RebalancePlan) -> ExitCode {
    tokio::select! {
        result = rebalance::run(plan) => match result {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(ERROR),
            Err(error) => failed(&error),
        },
        _ = tokio::signal::ctrl_c() => {
            eprintln!("loadgen: interrupted");
            ExitCode::from(INTERRUPTED)
        }
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("loadgen: {error}");
    ExitCode::from(ERROR)
}

/// Something went wrong that is no usage error.
const ERROR: u8 = 1;

/// 128 + SIGINT, as shells say it.
const INTERRUPTED: u8 = 130;
