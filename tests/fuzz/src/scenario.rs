//! A simulated client among model servers, struck by anything at any time, under all rules of the simulator; then
//! everything is made well again, and the client has to come home.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use nats_geo::core::Config;
use nats_geo::sim::{ClientFault, Fault, PathFault, Scenario, ServerFault, run};

/// Enough for faults on faults; each costs time.
const STEPS_MAX: usize = 24;

/// The first fault comes when the client has settled.
const SETTLED: Duration = Duration::from_secs(60);

/// As by default in the native client.
const HEALTH_CHECK_PERIOD: Duration = Duration::from_secs(5);

pub(crate) fn play(data: &[u8]) -> u64 {
    let Ok((scenario, seed)) = scenario(&mut Unstructured::new(data)) else { return 0 };
    match run(&scenario, seed) {
        Ok(report) => report.happenings,
        Err(error) => panic!("{error}\nsteps: {:#?}", scenario.steps),
    }
}

fn scenario(input: &mut Unstructured<'_>) -> Result<(Scenario, u64)> {
    let choice: u8 = input.arbitrary()?;
    let mut config = if choice & 1 == 0 { Config::fleet() } else { Config::interactive() };
    config.warm_standby = choice & 2 != 0;
    let seed = u64::from(input.arbitrary::<u8>()?);
    let mut scenario = Scenario::super_cluster("fuzzed", vec![(usize::from(choice >> 2) % 3, config)]);
    scenario.health_check_period = (choice & 64 != 0).then_some(HEALTH_CHECK_PERIOD);
    let mut at = SETTLED;
    while !input.is_empty() && scenario.steps.len() < STEPS_MAX {
        // From half a second, in which timers of the policy can tell, to minutes, in which its memory can.
        at += Duration::from_millis(match input.arbitrary::<u8>()? {
            short @ 0..128 => u64::from(short) * 4,
            long => u64::from(long - 128) * 1_000,
        });
        let fault = fault(input, &scenario)?;
        scenario.at(at, fault);
    }
    scenario.lasts = at + Duration::from_secs(1);
    Ok((scenario, seed))
}

fn fault(input: &mut Unstructured<'_>, scenario: &Scenario) -> Result<Fault> {
    let regions = scenario.regions.len() - 1;
    Ok(match input.int_in_range(0..=5)? {
        0 | 1 => Fault::Region { region: input.int_in_range(0..=regions)?, what: server_fault(input)? },
        2 | 3 => Fault::Server {
            server: input.int_in_range(0..=scenario.servers() - 1)?,
            what: server_fault(input)?,
        },
        4 => Fault::Path {
            from: input.int_in_range(0..=regions)?,
            to: input.int_in_range(0..=regions)?,
            what: path_fault(input)?,
        },
        _ => Fault::Client { client: 0, what: client_fault(input)? },
    })
}

fn server_fault(input: &mut Unstructured<'_>) -> Result<ServerFault> {
    Ok(match input.int_in_range(0..=12)? {
        0 => ServerFault::Crash,
        1 => ServerFault::PowerOff,
        2 => ServerFault::Start,
        3 => ServerFault::Freeze,
        4 => ServerFault::Thaw,
        5 => ServerFault::LameDuck,
        6 => ServerFault::Slow(Duration::from_millis(u64::from(input.arbitrary::<u8>()?))),
        7 => ServerFault::Lock,
        8 => ServerFault::Unlock,
        9 => ServerFault::Withdraw,
        10 => ServerFault::Unhealthy,
        11 => ServerFault::Healthy,
        _ => ServerFault::Offer,
    })
}

fn path_fault(input: &mut Unstructured<'_>) -> Result<PathFault> {
    Ok(match input.int_in_range(0..=3)? {
        0 => PathFault::Cut,
        1 => PathFault::Extra(Duration::from_millis(u64::from(input.arbitrary::<u8>()?))),
        // Up to half of all: more is hardly a network.
        2 => PathFault::Loss(f64::from(input.arbitrary::<u8>()?) / 512.0),
        _ => PathFault::Heal,
    })
}

fn client_fault(input: &mut Unstructured<'_>) -> Result<ClientFault> {
    let kind = input.int_in_range(0..=6)?;
    let lasts = Duration::from_millis(u64::from(input.arbitrary::<u8>()?) * 40);
    Ok(match kind {
        0 => ClientFault::CutOut,
        1 => ClientFault::CutIn,
        2 => ClientFault::Heal,
        3 => ClientFault::Sleep { lasts: lasts * 60, clock_runs: input.arbitrary()? },
        4 => ClientFault::Stall(lasts),
        5 => ClientFault::ClockAhead(lasts),
        _ => ClientFault::ClockBack(lasts),
    })
}
