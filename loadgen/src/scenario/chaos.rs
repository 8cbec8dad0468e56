//! A timeline that a seed draws.

use std::time::Duration;

use super::seconds;
use super::spec::FaultSpec;
use crate::seed::Lcg;
use crate::topology::Topology;

/// Draws faults for a timeline of this length: one after the other, each undone before the next one, so that one region at
/// least is always healthy. The same seed draws the same faults.
pub fn chaos(seed: u64, lasts: Duration, topology: &Topology) -> Vec<FaultSpec> {
    let mut random = Lcg::new(seed);
    // Neighbouring seeds differ from their second number on.
    random.share();
    let mut faults = Vec::new();
    let mut at = QUIET;
    loop {
        let fault_lasts = between(&mut random, SHORTEST, LONGEST);
        if at + fault_lasts + QUIET > lasts {
            return faults;
        }
        let text = format!("{}@{}/{}", one(&mut random, topology), seconds(at), seconds(fault_lasts));
        faults.extend(text.parse::<FaultSpec>());
        at += fault_lasts + between(&mut random, QUIET, PAUSE_MAX);
    }
}

fn one(random: &mut Lcg, topology: &Topology) -> String {
    let regions = topology.regions();
    let region = &regions[random.below(regions.len())];
    let servers: Vec<String> = topology.servers_of(region).map(|server| server.to_string()).collect();
    let server = &servers[random.below(servers.len())];
    match random.below(KINDS) {
        0 => format!("kill:{region}"),
        1 => format!("kill:{server}"),
        2 => format!("silence:{region}"),
        3 => format!("silence:{region},links=gateways"),
        4 => format!("pause:{server}"),
        5 => format!("terminate:{server}"),
        6 => format!("refuse:{region},links=clients"),
        7 => format!("reset:{region},links=clients"),
        _ => {
            let others: Vec<&String> = regions.iter().filter(|other| *other != region).collect();
            match others.get(random.below(others.len().max(1))) {
                Some(other) => format!("latency:{region}-{other},rtt_ms={}", 50 + random.below(250)),
                None => format!("kill:{server}"),
            }
        }
    }
}

/// In whole seconds, which people read more easily.
fn between(random: &mut Lcg, from: Duration, to: Duration) -> Duration {
    from + Duration::from_secs(random.below((to - from).as_secs() as usize + 1) as u64)
}

/// Kinds of faults that are drawn.
const KINDS: usize = 9;

/// A client suspects a silent server within this time, so something happens in each fault.
const SHORTEST: Duration = Duration::from_secs(3);

const LONGEST: Duration = Duration::from_secs(12);

/// Before the first fault, and at least between two.
const QUIET: Duration = Duration::from_secs(2);

const PAUSE_MAX: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Preset;

    #[test]
    fn a_seed_draws_the_same_faults_which_do_not_overlap() {
        let topology = Preset::named("super-cluster").unwrap().topology().unwrap();
        let minute = Duration::from_secs(60);
        for seed in 0..200 {
            let drawn = chaos(seed, minute, &topology);
            assert!(!drawn.is_empty(), "seed {seed}");
            let times: Vec<_> =
                drawn.iter().map(|it| (it.at.unwrap().duration(), it.lasts.unwrap().duration())).collect();
            assert!(times.windows(2).all(|pair| pair[0].0 + pair[0].1 < pair[1].0), "seed {seed}: {times:?}");
            assert!(times.iter().all(|(at, lasts)| *at + *lasts < minute), "seed {seed}: {times:?}");
            let again = chaos(seed, minute, &topology);
            let text = |faults: &[FaultSpec]| format!("{faults:?}");
            assert_eq!(text(&drawn), text(&again));
        }
        let kinds: std::collections::BTreeSet<_> =
            (0..200).flat_map(|seed| chaos(seed, minute, &topology)).map(|it| it.inject).collect();
        assert_eq!(kinds.len(), 7, "{kinds:?}");
    }
}
