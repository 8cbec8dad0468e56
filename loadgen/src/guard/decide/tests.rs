//! Looks and times in, decisions out. A view is written as `lon: lon-1 ams-1`: guard is connected in lon and hears both servers.

use super::*;
use crate::guard::facts::{CertificateSeen, ServerSeen, View};
use crate::guard::from_toml;

/// A day in 2026: certificates have dates.
const BEGIN: Time = Time::from_secs(1_780_000_000);

struct Play {
    rules: Rules,
    history: History,
}

impl Play {
    /// Rules with these keys, separated by `;`, named `a`, `b` and so on.
    fn new(rules: &[&str]) -> Self {
        let tables = rules
            .iter()
            .zip('a'..)
            .map(|(keys, name)| format!("[[rule]]\nname = \"{name}\"\n{}\n", keys.replace("; ", "\n")));
        // So that the tests may leave out looks.
        let text = format!("every = \"1h\"\n{}", tables.collect::<String>());
        let rules = from_toml(&text, "test.toml").unwrap_or_else(|error| panic!("{error}"));
        Self { rules, history: History::default() }
    }

    /// The decisions of a look at this second, one word for each part.
    fn look(&mut self, second: u64, seen: &Observations) -> Vec<String> {
        let decisions = decide(&self.rules, seen, &mut self.history, BEGIN + Time::from_secs(second));
        decisions.into_iter().map(|decision| self.short(decision)).collect()
    }

    fn short(&self, decision: Decision) -> String {
        let name = |rule: usize| &self.rules.rules[rule].name;
        match decision {
            Decision::Act(case) => {
                format!("act {} {} {}s", name(case.rule), case.subject.subject, case.held.as_secs())
            }
            Decision::HoldBack(case, wait) => {
                let wait = match wait {
                    Wait::RateLimit { until } => format!("limit {}s", (until - BEGIN).as_secs()),
                    Wait::Running => "running".to_owned(),
                    Wait::OtherRebalance => "other".to_owned(),
                };
                format!("hold {} {} {wait}", name(case.rule), case.subject.subject)
            }
            Decision::Healed { rule, subject, held } => {
                format!("heal {} {} {}s", name(rule), subject.subject, held.as_secs())
            }
            Decision::CannotSee { what, .. } => format!("unseen {what}"),
            Decision::SeesAgain { what } => format!("sees {what}"),
        }
    }
}

/// Views of this text, separated by `;`. A server may have connections: `lon-1=20`.
fn views(text: &str) -> Observations {
    let server = |text: &str| {
        let (name, connections) = text.split_once('=').unwrap_or((text, "0"));
        let region = name.rsplit_once('-').unwrap().0.to_owned();
        let connections = connections.parse().unwrap();
        ServerSeen { region, name: name.to_owned(), id: format!("N{name}"), connections, slow_consumers: 0 }
    };
    let view = |text: &str| {
        let (region, servers) = text.split_once(':').unwrap();
        View { region: region.trim().to_owned(), servers: servers.split_whitespace().map(server).collect() }
    };
    let views = text.split(';').filter(|text| !text.trim().is_empty()).map(view).collect();
    Observations { views, ..Observations::default() }
}

const WHOLE: &str =
    "lon: lon-1 lon-2 ams-1 dal-1; ams: lon-1 lon-2 ams-1 dal-1; dal: lon-1 lon-2 ams-1 dal-1";
const WITHOUT_LON: &str = "ams: ams-1 dal-1; dal: ams-1 dal-1";

#[test]
fn a_region_that_is_silent_for_long_enough_causes_one_action_and_heals() {
    let mut play = Play::new(&["when = \"region-silent\"; for = \"30s\"; do = \"warn\""]);
    assert!(play.look(0, &views(WHOLE)).is_empty());
    for second in [5, 15, 25] {
        assert!(play.look(second, &views(WITHOUT_LON)).is_empty(), "{second}");
    }
    assert_eq!(play.look(35, &views(WITHOUT_LON)), ["act a lon 30s"]);
    play.history.action_ended(0);
    for second in [45, 7_200] {
        assert!(play.look(second, &views(WITHOUT_LON)).is_empty(), "{second}");
    }
    assert_eq!(play.look(7_205, &views(WHOLE)), ["heal a lon 7200s"]);
    assert!(play.look(7_210, &views(WHOLE)).is_empty());
}

#[test]
fn a_short_silence_is_none() {
    let mut play = Play::new(&["when = \"region-silent\"; for = \"30s\"; do = \"warn\""]);
    play.look(0, &views(WHOLE));
    for second in (5..600).step_by(20) {
        assert!(play.look(second, &views(WITHOUT_LON)).is_empty());
        assert!(
            play.look(second + 10, &views(WHOLE)).is_empty(),
            "it healed before an action, so nothing is said"
        );
    }
}

#[test]
fn a_region_is_judged_from_other_regions() {
    for (seen, silent, what) in [
        (WHOLE, vec![], "all is well"),
        (WITHOUT_LON, vec!["lon"], "all its servers are gone"),
        (
            "lon: lon-1; ams: ams-1 dal-1; dal: ams-1 dal-1",
            vec!["lon"],
            "its gateways are gone, and guard sees it itself",
        ),
        ("ams: ams-1 dal-1", vec!["lon"], "one view is enough while it hears another region"),
        ("lon: lon-1 lon-2 ams-1 dal-1", vec![], "nobody else looks at lon, and it hears the others"),
        ("ams: ams-1 lon-2 dal-1", vec![], "one server of lon is heard"),
        ("lon: lon-1 lon-2", vec!["unseen"], "lon may be cut off together with guard"),
        ("", vec!["unseen"], "guard has no connection"),
        (
            "ams: ams-1; dal: dal-1",
            vec!["ams", "dal", "lon"],
            "two views that hear nothing else: all gateways are gone",
        ),
    ] {
        let mut play =
            Play::new(&["when = \"region-silent\"; for = \"0s\"; do = \"warn\"; at_most = \"9 per 1h\""]);
        assert!(play.look(0, &views(WHOLE)).is_empty());
        let mut found = Vec::new();
        for second in 1..4 {
            for decision in play.look(second, &views(seen)) {
                play.history.action_ended(0);
                let words: Vec<_> = decision.split(' ').collect();
                match words[0] {
                    "act" => found.push(words[2].to_owned()),
                    "unseen" => found.push("unseen".to_owned()),
                    _ => {}
                }
            }
        }
        found.sort();
        assert_eq!(found, silent, "{what}: {seen}");
    }
}

#[test]
fn with_two_regions_the_other_one_is_judged_from_the_only_view() {
    let mut play = Play::new(&["when = \"region-silent\"; for = \"0s\"; do = \"warn\""]);
    play.look(0, &views("lon: lon-1 ams-1; ams: lon-1 ams-1"));
    assert_eq!(play.look(1, &views("lon: lon-1")), ["act a ams 0s"]);
}

#[test]
fn a_failure_to_look_is_said_once_and_nothing_follows_from_it() {
    let mut play = Play::new(&[
        "when = \"region-silent\"; for = \"30s\"; do = \"warn\"",
        "when = \"server-silent\"; for = \"30s\"; do = \"warn\"",
    ]);
    play.look(0, &views(WHOLE));
    assert!(play.look(5, &views(WITHOUT_LON)).is_empty(), "the silence of lon begins");
    assert_eq!(play.look(10, &views("")), ["unseen the servers"]);
    for second in (15..600).step_by(5) {
        assert!(play.look(second, &views("")).is_empty(), "{second}");
    }
    assert_eq!(play.look(600, &views(WITHOUT_LON)), ["sees the servers"]);
    assert!(play.look(625, &views(WITHOUT_LON)).is_empty(), "the time counts anew");
    let acts = play.look(630, &views(WITHOUT_LON));
    assert_eq!(acts, ["act a lon 30s", "act b lon-1 30s", "hold b lon-2 limit 4230s"]);
}

#[test]
fn a_case_with_an_action_neither_heals_nor_acts_again_while_guard_cannot_see() {
    let mut play =
        Play::new(&["when = \"region-silent\"; for = \"0s\"; do = \"warn\"; at_most = \"9 per 1h\""]);
    play.look(0, &views(WHOLE));
    assert_eq!(play.look(1, &views(WITHOUT_LON)), ["act a lon 0s"]);
    play.history.action_ended(0);
    assert_eq!(play.look(2, &views("")), ["unseen the servers"]);
    assert_eq!(play.look(3, &views(WITHOUT_LON)), ["sees the servers"]);
    assert_eq!(play.look(4, &views(WHOLE)), ["heal a lon 3s"]);
}

#[test]
fn time_in_which_nobody_looked_does_not_count() {
    let mut play = Play::new(&["when = \"region-silent\"; for = \"30s\"; do = \"warn\""]);
    play.look(0, &views(WHOLE));
    play.look(5, &views(WITHOUT_LON));
    assert!(play.look(20_000, &views(WITHOUT_LON)).is_empty(), "the machine slept for hours");
    assert!(play.look(20_015, &views(WITHOUT_LON)).is_empty());
    assert_eq!(play.look(20_030, &views(WITHOUT_LON)), ["act a lon 30s"]);
}

#[test]
fn the_rate_limit_holds_actions_back_until_it_ends() {
    let mut play =
        Play::new(&["when = \"server-silent\"; for = \"0s\"; do = \"warn\"; at_most = \"2 per 1h\""]);
    play.look(0, &views(WHOLE));
    let without = |names: &[&str]| {
        let text = names.iter().fold(WHOLE.to_owned(), |text, name| text.replace(name, ""));
        views(&text)
    };
    assert_eq!(play.look(10, &without(&["lon-1"])), ["act a lon-1 0s"]);
    play.history.action_ended(0);
    assert_eq!(play.look(20, &without(&["lon-1", "lon-2"])), ["act a lon-2 0s"]);
    play.history.action_ended(0);
    let all = without(&["lon-1", "lon-2", "dal-1"]);
    assert_eq!(play.look(30, &all), ["hold a dal-1 limit 3610s"]);
    assert!(play.look(40, &all).is_empty(), "it is said once");
    assert_eq!(play.look(3_610, &all), ["act a dal-1 3580s"], "the first action is an hour old");
    play.history.action_ended(0);
    let healed = play.look(3_620, &views(WHOLE));
    assert_eq!(healed, ["heal a dal-1 3590s", "heal a lon-1 3610s", "heal a lon-2 3600s"]);
    assert_eq!(
        play.look(3_625, &without(&["lon-1"])),
        ["act a lon-1 0s"],
        "of the last hour, there is one action"
    );
    play.history.action_ended(0);
    assert_eq!(play.look(3_626, &views(WHOLE)), ["heal a lon-1 1s"]);
    assert_eq!(
        play.look(3_627, &without(&["lon-1"])),
        ["hold a lon-1 limit 7210s"],
        "a flapping server acts no more"
    );
}

#[test]
fn actions_of_an_earlier_guard_count() {
    let mut play =
        Play::new(&["when = \"region-silent\"; for = \"0s\"; do = \"warn\"; at_most = \"1 per 1h\""]);
    play.history.remember_action(0, BEGIN - Time::from_secs(600));
    play.look(0, &views(WHOLE));
    assert_eq!(play.look(1, &views(WITHOUT_LON)), ["hold a lon limit 3000s"]);
    assert_eq!(play.look(3_000, &views(WITHOUT_LON)), ["act a lon 2999s"]);
}

#[test]
fn one_rule_never_acts_twice_at_the_same_time() {
    let mut play = Play::new(&[
        "when = \"server-silent\"; for = \"0s\"; do = \"run\"; program = \"x\"; at_most = \"9 per 1h\"",
    ]);
    play.look(0, &views(WHOLE));
    let first = play.look(1, &views(WITHOUT_LON));
    assert_eq!(first, ["act a lon-1 0s", "hold a lon-2 running"]);
    assert!(play.look(60, &views(WITHOUT_LON)).is_empty(), "the action goes on");
    play.history.action_ended(0);
    assert_eq!(play.look(65, &views(WITHOUT_LON)), ["act a lon-2 64s"]);
}

#[test]
fn an_action_is_repeated_only_if_the_rule_says_so() {
    let mut play = Play::new(&[
        "when = \"region-silent\"; for = \"0s\"; do = \"warn\"; at_most = \"9 per 1h\"; repeat = \"10m\"",
    ]);
    play.look(0, &views(WHOLE));
    let mut acts = Vec::new();
    for second in (60..=1_860).step_by(60) {
        acts.extend(play.look(second, &views(WITHOUT_LON)));
        play.history.action_ended(0);
    }
    assert_eq!(acts, ["act a lon 0s", "act a lon 600s", "act a lon 1200s", "act a lon 1800s"]);
}

#[test]
fn a_named_region_counts_as_silent_without_ever_being_seen() {
    let mut play =
        Play::new(&["when = \"region-silent\"; for = \"10s\"; do = \"warn\"; regions = [\"dal\"]"]);
    let without_dal = views("ams: ams-1 lon-1; lon: ams-1 lon-1");
    assert!(play.look(0, &without_dal).is_empty());
    assert_eq!(play.look(10, &without_dal), ["act a dal 10s"]);
}

#[test]
fn a_case_is_kept_while_nobody_can_judge_it() {
    let mut play = Play::new(&["when = \"certificate-expires\"; within = \"7d\"; do = \"warn\""]);
    let with = |days: u64| {
        let not_after = BEGIN + Time::from_secs(days * 86_400);
        let certificates = vec![CertificateSeen { server: "lon-1".to_owned(), not_after }];
        Observations { certificates, ..views(WHOLE) }
    };
    assert_eq!(play.look(0, &with(3)), ["act a lon-1 0s"]);
    let mut away = views(WITHOUT_LON);
    away.unseen.insert("the certificate of lon-1".to_owned(), "no answer".to_owned());
    assert_eq!(play.look(60, &away), ["unseen the certificate of lon-1"], "its server is away");
    assert_eq!(
        play.look(120, &with(3)),
        ["sees the certificate of lon-1"],
        "the same certificate is no new case"
    );
    assert_eq!(play.look(180, &with(90)), ["heal a lon-1 180s"], "it was renewed");
}

#[test]
fn two_rules_never_rebalance_at_the_same_time() {
    let rule = |region: &str| {
        format!("when = \"load-uneven\"; for = \"0s\"; do = \"rebalance\"; regions = [\"{region}\"]")
    };
    let (lon, ams) = (rule("lon"), rule("ams"));
    let mut play =
        Play::new(&[&lon, &ams, "when = \"load-uneven\"; for = \"0s\"; do = \"run\"; program = \"x\""]);
    let uneven = views("lon: lon-1=30 lon-2=0 ams-1=0 ams-2=30");
    let decisions = play.look(0, &uneven);
    assert_eq!(decisions, ["act a lon 0s", "hold b ams other", "act c ams 0s", "hold c lon running"]);
    play.history.action_ended(0);
    assert_eq!(play.look(5, &uneven), ["act b ams 5s"]);
}
