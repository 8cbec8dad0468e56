//! Reduces the number of clients to a number that this machine serves in time. A trial before the scenario finds this
//! number, if the scenario requests it.
//!
//! Servers, proxies and clients share the processors. If they wait for a processor, a run measures this wait.

use std::time::Duration;

use super::opts::RunOpts;
use super::run::start_options;
use crate::clients::Browsers;
use crate::play::{Cast, PlayError, Recording, Sabotage, play};
use crate::progress::Progress;
use crate::record::stats::millis;
use crate::scenario::{Phase, Scenario, Strategy};

/// Plays each scenario that asks for it without faults, and halves its clients until they are served in time. Returns what was
/// changed, in words.
pub(super) async fn fit(
    strategies: &mut [Strategy],
    (opts, browsers): (&RunOpts, &Browsers),
    seed: u64,
) -> Result<Option<String>, PlayError> {
    let Some(first) = strategies.iter().find(|strategy| strategy.scenario.fit) else { return Ok(None) };
    let asked = first.scenario.clone();
    let mut share = 1.0;
    let mut why = None;
    while share > SMALLEST_SHARE {
        let trial = trial(&scaled(&asked, share));
        let progress = Progress::new(TRIAL.as_secs());
        progress.note("testing how many clients this machine can serve");
        let cast = Cast { sabotage: Sabotage::None, controller: None, browsers };
        let recording = play(&trial, start_options(&trial, opts), seed, &progress, cast).await?;
        progress.finish();
        let Some(reason) = too_busy(&recording) else { break };
        why = Some(reason);
        share /= 2.0;
    }
    let Some(why) = why else { return Ok(None) };
    for strategy in strategies.iter_mut().filter(|strategy| strategy.scenario.fit) {
        strategy.scenario = scaled(&strategy.scenario, share);
    }
    let percent = share * 100.0;
    let note = format!(
        "This machine is too slow for all clients of the scenario ({why}): the run used {percent:.0} % of the clients."
    );
    eprintln!("{note}");
    Ok(Some(note))
}

/// The same clients and workloads, and nothing that breaks.
fn trial(scenario: &Scenario) -> Scenario {
    let phase = Phase { name: "trial".to_owned(), from: Duration::ZERO, to: TRIAL, new_clients: false };
    let mut trial =
        Scenario { phases: vec![phase], faults: Vec::new(), thresholds: Vec::new(), ..scenario.clone() };
    trial.populations.iter_mut().for_each(|population| population.stages.clear());
    trial
}

/// Each region keeps at least one client of each population that it had.
fn scaled(scenario: &Scenario, share: f64) -> Scenario {
    let mut scaled = scenario.clone();
    let of = |count: u32| (f64::from(count) * share).ceil() as u32;
    for population in &mut scaled.populations {
        population.start.iter_mut().for_each(|(_, count)| *count = of(*count));
        for stage in &mut population.stages {
            (stage.from, stage.to) = (of(stage.from), of(stage.to));
        }
    }
    scaled
}

fn too_busy(recording: &Recording) -> Option<String> {
    if let Some(lag) = recording.schedule_lag_p99().filter(|lag| *lag > LAG_MAX) {
        return Some(format!("requests were sent up to {:.1} ms late", millis(lag)));
    }
    let idle = recording.idle.filter(|idle| *idle < IDLE_MIN)?;
    Some(format!("the processors were idle for {:.0} % of the time", idle * 100.0))
}

/// Long enough for two hundred ticks of each processor.
const TRIAL: Duration = Duration::from_secs(2);

/// Half of what makes a run inconclusive: a fault adds work.
const LAG_MAX: Duration = Duration::from_micros(2_500);

/// Failovers and probes come on top. A run with less than 25 % is inconclusive.
const IDLE_MIN: f64 = 0.4;

/// A quarter of the clients is the least: with fewer, one client decides.
const SMALLEST_SHARE: f64 = 0.25;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Inputs, from_toml};
    use crate::topology;

    fn scenario() -> Scenario {
        let text = "title = \"t\"\nfit = true\nfaults = [\"kill:lon@1s/2s\"]\n\
             clients = [{ kind = \"nats-geo\", regions = { lon = 6, ams = 1 }, stages = [\"dal: 0..9 over 2s\"] }]\n\
             phase = [{ name = \"a\", for = \"10s\" }]\n";
        let topology = |_: crate::scenario::TopologySource<'_>| {
            Ok(topology::Preset::named("super-cluster").unwrap().topology().unwrap())
        };
        from_toml(text, "x.toml", &Inputs::default(), topology).unwrap().remove(0).scenario
    }

    #[test]
    fn every_region_keeps_a_client() {
        let scaled = scaled(&scenario(), 0.25);
        let population = &scaled.populations[0];
        let count = |region: &str| population.start.iter().find(|(name, _)| name == region).unwrap().1;
        assert_eq!((count("lon"), count("ams")), (2, 1));
        assert_eq!((population.stages[0].from, population.stages[0].to), (0, 3));
    }

    #[test]
    fn nothing_breaks_in_a_trial() {
        let trial = trial(&scenario());
        assert!(trial.faults.is_empty() && trial.populations[0].stages.is_empty());
        assert_eq!((trial.duration(), trial.phases.len()), (TRIAL, 1));
    }
}
