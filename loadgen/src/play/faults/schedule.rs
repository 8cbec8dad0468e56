//! The order of actions of a scenario. Pure.

use std::time::Duration;

use xxhash_rust::xxh64::xxh64;

use crate::scenario::{FaultOptions, Scenario};
use crate::seed::Lcg;

/// One thing to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// A phase begins.
    Phase(usize),
    /// The numbers of clients are looked at.
    Resize,
    /// A fault begins.
    Inject(usize),
    /// A fault that flaps is gone for a while: nobody waits until the servers are linked.
    Release(usize),
    /// A fault is undone.
    Undo(usize),
    /// The timeline is over.
    End,
}

impl Action {
    /// For the people who watch.
    pub(crate) fn text(self, scenario: &Scenario) -> Option<String> {
        match self {
            Self::Phase(phase) => Some(format!("phase {}", scenario.phases[phase].name)),
            Self::Inject(fault) => Some(format!("inject {}", scenario.faults[fault])),
            Self::Release(fault) | Self::Undo(fault) => {
                let fault = &scenario.faults[fault];
                Some(format!("undo {}:{}", fault.kind, fault.targets.join("+")))
            }
            Self::Resize | Self::End => None,
        }
    }
}

/// All actions by their times. At one time, phases come first and undoing before injecting; new clients come in between. The same
/// seed gives the same times.
pub(crate) fn schedule(scenario: &Scenario, seed: u64) -> Vec<(Duration, Action)> {
    let end = scenario.duration();
    let mut actions: Vec<(Duration, u8, Action)> = vec![(end, 9, Action::End)];
    for (index, phase) in scenario.phases.iter().enumerate() {
        actions.push((phase.from, if phase.new_clients { 2 } else { 0 }, Action::Phase(index)));
    }
    for (index, fault) in scenario.faults.iter().enumerate() {
        let until = fault.until.unwrap_or(end).min(end);
        match fault.options.flap() {
            Some(times) => {
                // Each fault has its own numbers, so another one that is added before it changes nothing.
                let random = Lcg::new(xxh64(fault.to_string().as_bytes(), seed));
                let flaps = flaps(times, (fault.at, until), vary(&fault.options, random));
                let last = flaps.len().saturating_sub(1);
                for (number, (from, to)) in flaps.into_iter().enumerate() {
                    actions.push((from, 3, Action::Inject(index)));
                    let undo = if number == last { Action::Undo(index) } else { Action::Release(index) };
                    actions.push((to, 1, undo));
                }
            }
            None => {
                actions.push((fault.at, 3, Action::Inject(index)));
                if fault.until.is_some_and(|until| until < end) {
                    actions.push((until, 1, Action::Undo(index)));
                }
            }
        }
    }
    for stage in scenario.populations.iter().flat_map(|population| &population.stages) {
        let mut at = stage.at;
        while at < (stage.at + stage.over).min(end) {
            actions.push((at, 4, Action::Resize));
            at += RESIZE_STEP;
        }
        actions.push(((stage.at + stage.over).min(end), 4, Action::Resize));
    }
    actions.sort_by_key(|(at, rank, _)| (*at, *rank));
    actions.into_iter().map(|(at, _, action)| (at, action)).collect()
}

/// Begin and end of each part of a fault that flaps.
fn flaps(
    (down, up): (Duration, Duration),
    (from, until): (Duration, Duration),
    mut vary: impl FnMut(Duration) -> Duration,
) -> Vec<(Duration, Duration)> {
    let mut flaps = Vec::new();
    let mut at = from;
    while at < until {
        let (down, up) = (vary(down), vary(up));
        flaps.push((at, (at + down).min(until)));
        at += (down + up).max(SHORTEST_PERIOD);
    }
    flaps
}

/// Changes a time by at most the share that a fault allows.
fn vary(options: &FaultOptions, mut random: Lcg) -> impl FnMut(Duration) -> Duration + use<> {
    let most = options.vary.unwrap_or(0.0);
    move |time| time.mul_f64(1.0 + most * (2.0 * random.share() - 1.0))
}

/// A flap of nothing would never end.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);

/// Clients come and go one by one below 10 per second.
const RESIZE_STEP: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Inputs, from_toml};
    use crate::topology::Preset;

    fn scenario(rest: &str) -> Scenario {
        let text = format!(
            "title = \"t\"\n{rest}\n[[clients]]\nkind = \"nats-geo\"\nper_region = 1\n[[phase]]\nname = \"a\"\nfor = \"10s\"\n"
        );
        let made = from_toml(&text, "x.toml", &Inputs::default(), |_| {
            Ok(Preset::named("super-cluster").unwrap().topology().unwrap())
        });
        made.unwrap_or_else(|error| panic!("{error}")).remove(0).scenario
    }

    #[test]
    fn a_flap_is_injected_and_undone_again_and_again() {
        let scenario = scenario("faults = [\"kill:lon,down=2s,up=3s@1s/7s\"]");
        let actions = schedule(&scenario, 7).into_iter();
        let faults: Vec<_> = actions
            .filter(|(_, action)| !matches!(action, Action::Phase(_) | Action::End))
            .map(|(at, action)| (at.as_secs(), action))
            .collect();
        let expected =
            [(1, Action::Inject(0)), (3, Action::Release(0)), (6, Action::Inject(0)), (8, Action::Undo(0))];
        assert_eq!(faults, expected);
    }

    /// Begins and ends of all flaps, fault by fault.
    fn flaps_of(scenario: &Scenario, seed: u64) -> Vec<Vec<(Duration, Duration)>> {
        let actions = schedule(scenario, seed);
        let times = |fault: usize, is_begin: bool| {
            let chosen = actions.iter().filter(move |(_, action)| match action {
                Action::Inject(of) => is_begin && *of == fault,
                Action::Release(of) | Action::Undo(of) => !is_begin && *of == fault,
                _ => false,
            });
            chosen.map(|(at, _)| *at).collect::<Vec<_>>()
        };
        let of = |fault| times(fault, true).into_iter().zip(times(fault, false)).collect();
        (0..scenario.faults.len()).map(of).collect()
    }

    #[test]
    fn a_seed_varies_the_flaps_within_the_share() {
        let flap = "down=500ms,up=300ms,vary=0.4@1s/9s";
        let scenario = scenario(&format!("faults = [\"kill:lon,{flap}\", \"pause:ams,{flap}\"]"));
        let share = |time: Duration, of_ms: f64| time.as_secs_f64() * 1_000.0 / of_ms;
        let mut extremes = (f64::MAX, f64::MIN);
        for seed in 0..100 {
            let flaps = flaps_of(&scenario, seed);
            assert_eq!(flaps, flaps_of(&scenario, seed), "the same seed gives the same times");
            assert_ne!(flaps, flaps_of(&scenario, seed + 1));
            assert_ne!(flaps[0], flaps[1], "each fault has its own times");
            for flaps in &flaps {
                assert_eq!(flaps[0].0, Duration::from_secs(1), "the fault begins when the file says");
                assert!(flaps.last().unwrap().1 <= Duration::from_secs(10), "{flaps:?}");
                for pair in flaps.windows(2) {
                    let (down, up) =
                        (share(pair[0].1 - pair[0].0, 500.0), share(pair[1].0 - pair[0].1, 300.0));
                    assert!((0.599..1.401).contains(&down) && (0.599..1.401).contains(&up), "{flaps:?}");
                    extremes = (extremes.0.min(down).min(up), extremes.1.max(down).max(up));
                }
            }
        }
        assert!(extremes.0 < 0.62 && extremes.1 > 1.38, "the share is used: {extremes:?}");
    }

    #[test]
    fn flaps_without_variation_are_the_same_for_every_seed() {
        for vary in ["", ",vary=0"] {
            let scenario = scenario(&format!("faults = [\"kill:lon,down=500ms,up=300ms{vary}@1s/9s\"]"));
            let flaps = flaps_of(&scenario, 1);
            assert_eq!(flaps, flaps_of(&scenario, 2));
            let begins: Vec<_> = flaps[0].iter().take(3).map(|(from, _)| from.as_millis()).collect();
            assert_eq!(begins, [1_000, 1_800, 2_600]);
        }
    }

    #[test]
    fn new_clients_come_between_two_faults() {
        let phases = "[[phase]]\nname = \"b\"\nfor = \"1s\"\n[[phase]]\nname = \"c\"\nfor = \"2s\"\nnew_clients = true\n";
        let scenario = scenario(&format!("faults = [\"kill:lon@0s/1s\", \"kill:lon@1s/1s\"]\n{phases}"));
        let actions = schedule(&scenario, 7).into_iter().filter(|(at, _)| at.as_secs() == 1);
        let actions: Vec<_> = actions.map(|(_, action)| action).collect();
        assert_eq!(actions, [Action::Undo(0), Action::Phase(1), Action::Inject(1)]);
    }

    #[test]
    fn a_fault_that_lasts_to_the_end_is_undone_after_it() {
        let scenario = scenario("faults = [\"kill:lon@5s/5s\", \"silence:ams@2s\"]");
        let undone = schedule(&scenario, 7).into_iter().any(|(_, action)| matches!(action, Action::Undo(_)));
        assert!(!undone);
    }
}
