//! The order of actions of a scenario. Pure.

use std::time::Duration;

use crate::scenario::Scenario;

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

/// All actions by their times. At one time, phases come first and undoing before injecting; new clients come in between.
pub(crate) fn schedule(scenario: &Scenario) -> Vec<(Duration, Action)> {
    let end = scenario.duration();
    let mut actions: Vec<(Duration, u8, Action)> = vec![(end, 9, Action::End)];
    for (index, phase) in scenario.phases.iter().enumerate() {
        actions.push((phase.from, if phase.new_clients { 2 } else { 0 }, Action::Phase(index)));
    }
    for (index, fault) in scenario.faults.iter().enumerate() {
        let until = fault.until.unwrap_or(end).min(end);
        match fault.options.flap() {
            Some((down, up)) => {
                let period = (down + up).max(SHORTEST_PERIOD);
                let mut at = fault.at;
                while at < until {
                    actions.push((at, 3, Action::Inject(index)));
                    let is_last = at + period >= until;
                    let undo = if is_last { Action::Undo(index) } else { Action::Release(index) };
                    actions.push(((at + down).min(until), 1, undo));
                    at += period;
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
        let actions = schedule(&scenario).into_iter();
        let faults: Vec<_> = actions
            .filter(|(_, action)| !matches!(action, Action::Phase(_) | Action::End))
            .map(|(at, action)| (at.as_secs(), action))
            .collect();
        let expected =
            [(1, Action::Inject(0)), (3, Action::Release(0)), (6, Action::Inject(0)), (8, Action::Undo(0))];
        assert_eq!(faults, expected);
    }

    #[test]
    fn new_clients_come_between_two_faults() {
        let phases = "[[phase]]\nname = \"b\"\nfor = \"1s\"\n[[phase]]\nname = \"c\"\nfor = \"2s\"\nnew_clients = true\n";
        let scenario = scenario(&format!("faults = [\"kill:lon@0s/1s\", \"kill:lon@1s/1s\"]\n{phases}"));
        let actions = schedule(&scenario).into_iter().filter(|(at, _)| at.as_secs() == 1);
        let actions: Vec<_> = actions.map(|(_, action)| action).collect();
        assert_eq!(actions, [Action::Undo(0), Action::Phase(1), Action::Inject(1)]);
    }

    #[test]
    fn a_fault_that_lasts_to_the_end_is_undone_after_it() {
        let scenario = scenario("faults = [\"kill:lon@5s/5s\", \"silence:ams@2s\"]");
        let undone = schedule(&scenario).into_iter().any(|(_, action)| matches!(action, Action::Undo(_)));
        assert!(!undone);
    }
}
