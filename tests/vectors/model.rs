//! The format: see `nats-geo/vectors/README.md`.

use std::time::Duration;

use nats_geo::core::{Call, CapacityHint, Config, Selector, Time};
use serde::{Deserialize, Serialize};

/// One vector. Times are nanoseconds since the start.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    /// For people: what this is about.
    pub(crate) what: String,
    pub(crate) policy: Policy,
    /// A string, since not every language has whole numbers of 64 bits in JSON.
    #[serde(with = "as_text")]
    pub(crate) seed: u64,
    pub(crate) told: Vec<(u64, Told)>,
    pub(crate) decided: Vec<(u64, Decided)>,
    /// Addresses at the end, best first, with the reasons.
    pub(crate) ranking: Vec<(String, String)>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    preset: Preset,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    warm_standby: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    capacity: Option<Capacity>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Preset {
    Fleet,
    Interactive,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Capacity {
    clients: u32,
    accepts_per_second: f64,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Told {
    Timeout,
    Discovered { endpoint: u64, address: String },
    Withdrawn { endpoint: u64 },
    LameDuck { conn: u64 },
    Probed { probe: u64, time_to_info_ns: u64, round_trips: u8, server: Server },
    ProbeFailed { probe: u64, error: Failure },
    Opened { conn: u64, server: Server },
    OpenFailed { conn: u64, error: Failure },
    Activated { conn: u64 },
    ActivateFailed { conn: u64 },
    Unhealthy { conn: u64 },
    Pong { ping: u64, rtt_ns: u64 },
    Progress { conn: u64 },
    Closed { conn: u64, cause: End },
    Reselect,
    Resumed,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) cluster: Option<String>,
}

/// Why a probe or a dial failed.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Failure {
    Refused,
    TimedOut,
    Unreachable,
    Closed,
    NotNats,
    Auth,
    ConnectionLimit,
    Overloaded,
    Other,
}

/// Why a link ended.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    Requested,
    Eof,
    Reset,
    ServerError,
    Auth,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Decided {
    Probe { probe: u64, endpoint: u64, timeout_ns: u64 },
    Open { conn: u64, endpoint: u64, timeout_ns: u64 },
    Ping { conn: u64, ping: u64 },
    Activate { conn: u64, after_barrier: bool },
    Close { conn: u64, overlap_ns: u64, drain_ns: u64 },
    Moved { from: String, to: String, cause: String },
    Suspected { address: String },
    Cleared { address: String },
    Damped { region: String, until_ns: u64 },
    Unhealthy { address: String },
    NoHealthyAlternative { address: String },
}

impl Vector {
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// One line per fact and decision, so that a change is a readable diff.
    pub(crate) fn to_json(&self) -> String {
        let json = |value: &dyn erased::Json| value.json();
        let lines = |items: Vec<String>| match items.is_empty() {
            true => "[]".to_owned(),
            false => format!("[\n    {}\n  ]", items.join(",\n    ")),
        };
        format!(
            "{{\n  \"what\": {},\n  \"policy\": {},\n  \"seed\": \"{}\",\n  \"told\": {},\n  \"decided\": {},\n  \"ranking\": {}\n}}\n",
            json(&self.what),
            json(&self.policy),
            self.seed,
            lines(self.told.iter().map(|told| json(told)).collect()),
            lines(self.decided.iter().map(|decided| json(decided)).collect()),
            lines(self.ranking.iter().map(|ranked| json(ranked)).collect()),
        )
    }

    /// Plays the facts into a new selector and compares its decisions.
    pub(crate) fn play(&self) -> Result<(), String> {
        let mut selector =
            Selector::new(self.policy.config(), self.seed, Time::ZERO).map_err(|error| error.to_string())?;
        let mut expected = self.decided.iter().enumerate();
        let mut now = Time::ZERO;
        for (at_ns, told) in &self.told {
            now = Time::from_start(Duration::from_nanos(*at_ns));
            match told.event() {
                Some(event) => selector.handle_event(event, now),
                None => selector.handle_timeout(now),
            }
            while let Some(action) = selector.poll_action() {
                let Some(decided) = Decided::of(&action) else { continue };
                match expected.next() {
                    Some((_, (at, wanted))) if at == at_ns && *wanted == decided => {}
                    Some((place, wanted)) => {
                        return Err(format!(
                            "decision {place} is {decided:?} at {at_ns}, but must be {wanted:?}"
                        ));
                    }
                    None => return Err(format!("{decided:?} at {at_ns} is one decision too many")),
                }
            }
        }
        if let Some((place, wanted)) = expected.next() {
            return Err(format!("decision {place} is missing: {wanted:?}"));
        }
        let ranking = ranking(&selector, now);
        if ranking != self.ranking {
            return Err(format!("the ranking is {ranking:?}, but must be {:?}", self.ranking));
        }
        Ok(())
    }

    /// What a selector with this policy decides when it is told this.
    pub(crate) fn record(what: &str, policy: Policy, seed: u64, calls: &[(Time, Call)]) -> Self {
        let mut selector = Selector::new(policy.config(), seed, Time::ZERO).expect("a preset is valid");
        let (mut told, mut decided, mut last) = (Vec::new(), Vec::new(), Time::ZERO);
        for (now, call) in calls {
            last = *now;
            let fact = Told::of(call);
            match fact.event() {
                Some(event) => selector.handle_event(event, *now),
                None => selector.handle_timeout(*now),
            }
            told.push((at_ns(*now), fact));
            let actions = std::iter::from_fn(|| selector.poll_action());
            decided.extend(actions.filter_map(|action| Some((at_ns(*now), Decided::of(&action)?))));
        }
        let ranking = ranking(&selector, last);
        Self { what: what.into(), policy, seed, told, decided, ranking }
    }
}

fn ranking(selector: &Selector, now: Time) -> Vec<(String, String)> {
    let ranking = selector.snapshot(now).ranking.into_iter();
    ranking.map(|server| (server.address, server.reason.to_string())).collect()
}

pub(crate) fn at_ns(time: Time) -> u64 {
    ns(time.since_start())
}

pub(crate) fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("a vector is shorter than 584 years")
}

impl Policy {
    pub(crate) const fn fleet() -> Self {
        Self { preset: Preset::Fleet, warm_standby: false, capacity: None }
    }

    pub(crate) const fn interactive() -> Self {
        Self { preset: Preset::Interactive, warm_standby: false, capacity: None }
    }

    pub(crate) const fn with_standby(mut self) -> Self {
        self.warm_standby = true;
        self
    }

    pub(crate) const fn with_capacity(mut self, clients: u32, accepts_per_second: f64) -> Self {
        self.capacity = Some(Capacity { clients, accepts_per_second });
        self
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = match self.preset {
            Preset::Fleet => Config::fleet(),
            Preset::Interactive => Config::interactive(),
        };
        config.warm_standby = self.warm_standby;
        config.spread.capacity = self
            .capacity
            .map(|hint| CapacityHint { clients: hint.clients, accepts_per_second: hint.accepts_per_second });
        config
    }
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(seed: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(seed)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

mod erased {
    /// Anything as one line of JSON.
    pub(super) trait Json {
        fn json(&self) -> String;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> String {
            serde_json::to_string(self).expect("plain data")
        }
    }
}
