//! The checks of the keys of a rule file.

use std::time::Duration;

use super::problem::{Problem, ProblemKind};
use super::rules::{Action, Condition, Hook, Notify, Rate, Rule, Spread};
use super::spec::{ActionKind, ConditionKind, RuleSpec};
use crate::topology::Span;
use crate::web_target::{Address, is_header, is_variable, web_address};

pub(super) const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// The least value, the greatest one, and both in words.
type Range = (Duration, Duration, &'static str);

/// Problems found so far. A value with a problem is replaced by one that has none, so that the rest is checked, too.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Beginning of the keys, such as `rule[0].`.
    pub(super) path: String,
    pub(super) problems: Vec<Problem>,
}

impl Checks {
    pub(super) fn add(&mut self, key: &str, kind: ProblemKind) {
        self.problems.push(Problem { key: format!("{}{key}", self.path), kind });
    }

    pub(super) fn span(
        &mut self,
        key: &str,
        given: Option<Span>,
        default: Duration,
        range: Range,
    ) -> Duration {
        let value = given.map_or(default, Span::duration);
        let (least, most, words) = range;
        if !(least..=most).contains(&value) {
            let given = crate::scenario::seconds(value);
            self.add(key, ProblemKind::Range { given, range: words });
        }
        value
    }

    fn number<T>(
        &mut self,
        key: &str,
        given: Option<T>,
        default: T,
        (least, most, words): (T, T, &'static str),
    ) -> T
    where
        T: Copy + PartialOrd + std::fmt::Display,
    {
        let value = given.unwrap_or(default);
        if value < least || value > most {
            self.add(key, ProblemKind::Range { given: value.to_string(), range: words });
        }
        value
    }

    pub(super) fn rule(&mut self, spec: RuleSpec) -> Rule {
        if spec.name.trim().is_empty() {
            self.add("name", ProblemKind::Empty("a name, as in \"region lost\""));
        }
        if spec.regions.as_ref().is_some_and(Vec::is_empty) {
            self.add("regions", ProblemKind::Empty("the names of regions, or remove it"));
        }
        if spec.action == ActionKind::Rebalance && spec.when != ConditionKind::LoadUneven {
            self.add("do", ProblemKind::OnlyLoad);
        }
        self.foreign_keys(&spec);
        let is_event = matches!(spec.when, ConditionKind::CertificateExpires | ConditionKind::SlowConsumers);
        let default = if is_event { Duration::ZERO } else { 30 * SECOND };
        Rule {
            lasts: self.span("for", spec.lasts, default, (Duration::ZERO, DAY, "0s to 1d")),
            at_most: self.rate(spec.at_most.as_deref()),
            repeat: spec
                .repeat
                .map(|span| self.span("repeat", Some(span), DAY, (SECOND, 30 * DAY, "1s to 30d"))),
            condition: self.condition(&spec),
            action: self.action(&spec),
            regions: spec.regions.unwrap_or_default(),
            name: spec.name,
        }
    }

    fn rate(&mut self, text: Option<&str>) -> Rate {
        let default = Rate { times: 1, per: HOUR };
        let Some(text) = text else { return default };
        Rate::parse(text).unwrap_or_else(|| {
            self.add("at_most", ProblemKind::Rate(text.to_owned()));
            default
        })
    }

    /// Keys that would be left out in silence.
    fn foreign_keys(&mut self, spec: &RuleSpec) {
        use ActionKind as Do;
        use ConditionKind as When;
        let when = spec.when;
        let is_event = matches!(when, When::CertificateExpires | When::SlowConsumers);
        for (key, is_given, is_right) in [
            ("for", spec.lasts.is_some(), !is_event),
            ("regions", spec.regions.is_some(), when != When::StreamLag),
            ("streams", spec.streams.is_some(), when == When::StreamLag),
            ("messages", spec.messages.is_some(), when == When::StreamLag),
            ("percent", spec.percent.is_some(), when == When::LoadUneven),
            ("within", spec.within.is_some(), is_event),
            ("count", spec.count.is_some(), when == When::SlowConsumers),
        ] {
            if is_given && !is_right {
                self.add(key, ProblemKind::NotOfCondition { key, on: when });
            }
        }
        let on = spec.action;
        for (key, is_given, is_right) in [
            ("url", spec.url.is_some(), on == Do::Notify),
            ("url_from", spec.url_from.is_some(), on == Do::Notify),
            ("headers", spec.headers.is_some(), on == Do::Notify),
            ("program", spec.program.is_some(), on == Do::Run),
            ("args", spec.args.is_some(), on == Do::Run),
            ("time_limit", spec.time_limit.is_some(), matches!(on, Do::Notify | Do::Run)),
            ("batch", spec.batch.is_some(), on == Do::Rebalance),
            ("pause", spec.pause.is_some(), on == Do::Rebalance),
            ("clients", spec.clients.is_some(), on == Do::Rebalance),
        ] {
            if is_given && !is_right {
                self.add(key, ProblemKind::NotOfAction { key, on });
            }
        }
    }

    fn condition(&mut self, spec: &RuleSpec) -> Condition {
        match spec.when {
            ConditionKind::RegionSilent => Condition::RegionSilent,
            ConditionKind::ServerSilent => Condition::ServerSilent,
            ConditionKind::LoadUneven => Condition::LoadUneven {
                percent: self.number("percent", spec.percent, 50, (1, 1_000, "1 to 1000")),
            },
            ConditionKind::CertificateExpires => {
                let range = (MINUTE, 3_650 * DAY, "1m to 3650d");
                Condition::CertificateExpires { within: self.span("within", spec.within, 7 * DAY, range) }
            }
            ConditionKind::StreamLag => {
                if spec.messages.is_none() {
                    let (on, key, example) = (spec.when, "messages", "messages = 1000");
                    self.add("when", ProblemKind::ConditionNeeds { on, key, example });
                }
                let streams = spec.streams.clone().unwrap_or_default();
                Condition::StreamLag { messages: spec.messages.unwrap_or_default(), streams }
            }
            ConditionKind::SlowConsumers => Condition::SlowConsumers {
                count: self.number("count", spec.count, 1, (1, u64::MAX, "1 or more")),
                within: self.span("within", spec.within, MINUTE, (SECOND, DAY, "1s to 1d")),
            },
        }
    }

    fn action(&mut self, spec: &RuleSpec) -> Action {
        match spec.action {
            ActionKind::Warn => Action::Warn,
            ActionKind::Notify => Action::Notify(Notify {
                to: self.address(spec),
                headers: self.headers(spec),
                limit: self.span("time_limit", spec.time_limit, 10 * SECOND, (SECOND, HOUR, "1s to 1h")),
            }),
            ActionKind::Run => Action::Run(Hook {
                program: self.program(spec),
                args: spec.args.clone().unwrap_or_default(),
                limit: self.span("time_limit", spec.time_limit, MINUTE, (SECOND, HOUR, "1s to 1h")),
            }),
            ActionKind::Rebalance => Action::Rebalance(Spread {
                batch: self.number("batch", spec.batch, 5, (1, 1_000, "1 to 1000")),
                pause: self.span("pause", spec.pause, SECOND, (SECOND / 100, DAY, "10ms to 1d")),
                clients: spec
                    .clients
                    .map(|clients| self.number("clients", Some(clients), 1, (1, u32::MAX, "1 or more"))),
            }),
        }
    }

    fn address(&mut self, spec: &RuleSpec) -> Address {
        let (on, key, example) = (spec.action, "url", "url = \"https://pager.example.net/events\"");
        match (&spec.url, &spec.url_from) {
            (None, None) => self.add("do", ProblemKind::ActionNeeds { on, key, example }),
            (Some(_), Some(_)) => self.add("url_from", ProblemKind::TwoUrls),
            (Some(url), None) => match web_address(url) {
                Ok(url) => return Address::Url(url),
                Err(reason) => self.add("url", ProblemKind::Url(reason)),
            },
            (None, Some(name)) => {
                if !is_variable(name) {
                    self.add("url_from", ProblemKind::Variable);
                }
            }
        }
        Address::Variable(spec.url_from.clone().unwrap_or_default())
    }

    fn headers(&mut self, spec: &RuleSpec) -> Vec<(String, String)> {
        let headers: Vec<_> = spec.headers.clone().unwrap_or_default().into_iter().collect();
        for (name, variable) in &headers {
            if !is_header(name) {
                self.add("headers", ProblemKind::Header(name.clone()));
            } else if !is_variable(variable) {
                self.add(&format!("headers.{name}"), ProblemKind::Variable);
            }
        }
        headers
    }

    fn program(&mut self, spec: &RuleSpec) -> String {
        let program = spec.program.clone().unwrap_or_default();
        if spec.program.is_none() {
            let (on, key, example) = (spec.action, "program", "program = \"/usr/local/bin/fail-over\"");
            self.add("do", ProblemKind::ActionNeeds { on, key, example });
        } else if program.trim().is_empty() {
            self.add("program", ProblemKind::Empty("an absolute path, or a name that is on PATH"));
        } else if program.contains('/') && !program.starts_with('/') {
            self.add("program", ProblemKind::Relative(program.clone()));
        }
        program
    }
}
