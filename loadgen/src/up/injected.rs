//! Faults of the catalogue on a super-cluster that is up. One command injects a fault. A second command undoes it by
//! its number, or it ends after its time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::effect::{BeginError, Effect, revive};
use crate::clock;
use crate::cluster::SuperCluster;
use crate::cluster::faults::FaultError;
use crate::scenario::spec::FaultSpec;
use crate::scenario::{FaultKind, ParseFaultError, Pick, Problem, TargetKind, TimedFault, fault_alone};
use crate::topology::{CHOSEN_SPANS, Topology};

/// The faults that were injected and are still active, by their number.
#[derive(Debug, Default)]
pub(super) struct Injected {
    last: u32,
    active: BTreeMap<u32, ActiveFault>,
}

/// An active fault, as the demo and `loadgen ctl` show it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FaultView {
    /// Its number, for `loadgen ctl undo`.
    pub number: u32,
    /// Its one-liner, without a time.
    pub fault: String,
    /// When it ends by itself, in RFC 3339; `null`: it lasts until somebody undoes it.
    pub ends_at: Option<String>,
}

/// Why a fault was not injected, or not undone.
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// Not a fault.
    #[error("`{text}` is not a fault: {}; write `KIND:TARGET,OPTION=VALUE`, as in `latency:lon-ams,rtt_ms=80`", error.reason())]
    Parse {
        /// The text that the user gave.
        text: String,
        /// The reason.
        error: ParseFaultError,
    },
    /// It has a time.
    #[error(
        "`{0}` has a time, but the fault begins now: leave out `@` and the rest, and set its end with `--for`"
    )]
    Time(String),
    /// Nothing could end.
    #[error("`{0}` is over at once: leave out `--for`")]
    Momentary(FaultKind),
    /// It would end at once, or in another year. The command line has checked its `--for` before.
    #[error("`lasts_ms` is {}: choose 10 to 86400000", .0.as_millis())]
    Lasts(Duration),
    /// It acts on something that only scenarios have, or takes too long for one order.
    #[error("`{0}` works in scenarios only: play one with `loadgen run`")]
    NeedsScenario(&'static str),
    /// The end of one of them would end the other one.
    #[error("`{kind}` is active already: undo fault {number} before")]
    Twice {
        /// The fault.
        kind: FaultKind,
        /// Number of the active one.
        number: u32,
    },
    /// It names something that the topology does not have.
    #[error("`{text}` is no fault of this super-cluster: {}", reasons(problems))]
    Check {
        /// The text that the user gave.
        text: String,
        /// The reasons.
        problems: Vec<Problem>,
    },
    /// It did not begin.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// It did not end, or the super-cluster did not come back.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// Nothing has this number.
    #[error("no active fault has the number {number}: {}", numbers_to_choose(active))]
    NoSuchFault {
        /// The number that was given.
        number: u32,
        /// The numbers of the active faults.
        active: Vec<u32>,
    },
}

#[derive(Debug)]
struct ActiveFault {
    text: String,
    effect: Effect,
    until: Option<Until>,
}

/// The end of a fault, for this process and for people.
#[derive(Clone, Debug)]
struct Until {
    at: Instant,
    text: String,
}

impl Injected {
    /// Injects a fault. Without `lasts`, it is active until somebody undoes it.
    ///
    /// # Errors
    /// See [`InjectError`]. Servers may be down then, and `heal` starts them.
    pub(super) async fn inject(
        &mut self,
        cluster: &mut SuperCluster,
        text: &str,
        lasts: Option<Duration>,
    ) -> Result<(), InjectError> {
        let fault = read(text, cluster.topology())?;
        if lasts.is_some() && fault.kind.is_momentary() {
            return Err(InjectError::Momentary(fault.kind));
        }
        if let Some(lasts) = lasts.filter(|lasts| !CHOSEN_SPANS.contains(lasts)) {
            return Err(InjectError::Lasts(lasts));
        }
        let like_it = self.active.iter().find(|(_, it)| it.effect.is_configuration_of(fault.kind));
        if let Some((number, _)) = like_it {
            return Err(InjectError::Twice { kind: fault.kind, number: *number });
        }
        if let Some(effect) = Effect::begin(&fault, cluster).await? {
            self.last += 1;
            let until = lasts
                .map(|lasts| Until { at: clock::now() + lasts, text: clock::rfc3339(clock::wall() + lasts) });
            self.active.insert(self.last, ActiveFault { text: text.to_owned(), effect, until });
        }
        Ok(())
    }

    /// Undoes a fault, or all of them, and waits until the servers are linked.
    ///
    /// # Errors
    /// There is no such fault, one of them did not end, or the super-cluster did not come back. The other faults are undone anyway.
    pub(super) async fn undo(
        &mut self,
        cluster: &mut SuperCluster,
        number: Option<u32>,
    ) -> Result<(), InjectError> {
        let numbers: Vec<u32> = match number {
            None => self.active.keys().copied().collect(),
            Some(number) if self.active.contains_key(&number) => vec![number],
            Some(number) => {
                let active = self.active.keys().copied().collect();
                return Err(InjectError::NoSuchFault { number, active });
            }
        };
        Ok(self.end(cluster, &numbers).await?)
    }

    /// Undoes the faults whose time is over. Returns their one-liners, if there are any, and the result.
    pub(super) async fn undo_due(
        &mut self,
        cluster: &mut SuperCluster,
    ) -> Option<(String, Result<(), FaultError>)> {
        let now = clock::now();
        let is_due = |fault: &ActiveFault| fault.until.as_ref().is_some_and(|until| until.at <= now);
        let due = self.active.iter().filter(|(_, fault)| is_due(fault));
        let (numbers, texts): (Vec<_>, Vec<_>) =
            due.map(|(number, fault)| (*number, fault.text.clone())).unzip();
        if numbers.is_empty() {
            return None;
        }
        Some((texts.join(", "), self.end(cluster, &numbers).await))
    }

    /// Ends faults at once: of several servers that are down, none is ready alone. A fault that is still there afterwards
    /// stays in the list, without a time: only a person tries again.
    async fn end(&mut self, cluster: &mut SuperCluster, numbers: &[u32]) -> Result<(), FaultError> {
        let (mut servers, mut must_link, mut done) = (Vec::new(), false, Ok(()));
        for number in numbers {
            let Some(fault) = self.active.get_mut(number) else { continue };
            fault.until = None;
            must_link |= matches!(fault.effect, Effect::Links(_));
            match fault.effect.lift(cluster).await {
                Ok(more) if more.is_empty() => drop(self.active.remove(number)),
                Ok(more) => servers.extend(more),
                Err(error) => done = done.and(Err(error)),
            }
        }
        let back = revive(cluster, servers).await;
        self.forget_undone(cluster);
        done.and(back)?;
        if must_link {
            cluster.wait_recovered().await?;
        }
        Ok(())
    }

    /// The time until the next fault ends by itself.
    pub(super) fn next_end(&self) -> Option<Duration> {
        let ends = self.active.values().filter_map(|fault| fault.until.as_ref());
        ends.map(|until| until.at.saturating_duration_since(clock::now())).min()
    }

    /// Forgets what another order has undone, such as the end of a silence by `heal`.
    pub(super) fn forget_undone(&mut self, cluster: &mut SuperCluster) {
        self.active.retain(|_, fault| fault.effect.is_there(cluster));
    }

    /// All active faults, in the order in which they began.
    pub(super) fn views(&self) -> Vec<FaultView> {
        let view = |(number, fault): (&u32, &ActiveFault)| FaultView {
            number: *number,
            fault: fault.text.clone(),
            ends_at: fault.until.as_ref().map(|until| until.text.clone()),
        };
        self.active.iter().map(view).collect()
    }
}

/// Reads a one-liner without a time, and checks it against the topology.
fn read(text: &str, topology: &Topology) -> Result<TimedFault, InjectError> {
    // The path of a nats-server may have an `@` too.
    if text.parse::<FaultSpec>().is_ok() {
        return Err(InjectError::Time(text.to_owned()));
    }
    let spec: FaultSpec =
        format!("{text}@0s").parse().map_err(|error| InjectError::Parse { text: text.to_owned(), error })?;
    let kind = spec.inject;
    let is_of_clients = matches!(kind.target(), TargetKind::Population | TargetKind::Resolvers);
    if is_of_clients || kind == FaultKind::Rolling {
        return Err(InjectError::NeedsScenario(kind.as_str()));
    }
    if spec.options.down.is_some() || spec.options.up.is_some() {
        return Err(InjectError::NeedsScenario("down"));
    }
    // Nobody counts the clients.
    if spec.options.pick == Some(Pick::Fullest) {
        return Err(InjectError::NeedsScenario("pick=fullest"));
    }
    fault_alone(&spec, topology).map_err(|problems| InjectError::Check { text: text.to_owned(), problems })
}

fn reasons(problems: &[Problem]) -> String {
    problems.iter().map(|problem| problem.kind.to_string()).collect::<Vec<_>>().join("; ")
}

fn numbers_to_choose(active: &[u32]) -> String {
    let numbers: Vec<_> = active.iter().map(u32::to_string).collect();
    if numbers.is_empty() {
        "no fault is active".to_owned()
    } else {
        format!("choose one of {}", numbers.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Preset;

    fn read_on_three_regions(text: &str) -> Result<TimedFault, String> {
        let topology = Preset::named("super-cluster").unwrap().topology().unwrap();
        read(text, &topology).map_err(|error| error.to_string())
    }

    #[test]
    fn a_one_liner_has_no_time() {
        let fault = read_on_three_regions("latency:lon-ams,rtt_ms=80").unwrap();
        assert_eq!((fault.kind, fault.options.rtt_ms), (FaultKind::Latency, Some(80.0)));
        for text in ["silence:lon@3s", "silence:lon@3s/4s"] {
            let error = read_on_three_regions(text).unwrap_err();
            assert!(error.contains("leave out `@`") && error.contains("--for"), "{error}");
        }
        let fault = read_on_three_regions("restart:lon-1,version=/opt/nats@2.14/nats-server").unwrap();
        assert_eq!(fault.options.version.as_deref(), Some("/opt/nats@2.14/nats-server"));
    }

    #[test]
    fn what_cannot_be_injected_is_refused_with_a_remedy() {
        for (text, reason) in [
            ("meteor:lon", "write `KIND:TARGET,OPTION=VALUE`"),
            ("silence:mars", "there is no region `mars`: choose one of lon, ams, dal"),
            ("silence", "`silence` needs a target"),
            ("latency:lon-ams", "`latency` needs `rtt_ms`"),
            ("kill:lon,rtt_ms=3", "`rtt_ms` has no effect"),
            ("kill:lon,down=1s,up=1s", "`down` works in scenarios only"),
            ("kill:lon,servers=1,pick=fullest", "`pick=fullest` works in scenarios only"),
            ("churn:geo,per_s=3", "`churn` works in scenarios only: play one with `loadgen run`"),
            ("dns-fail:all", "`dns-fail` works in scenarios only"),
            ("rolling", "`rolling` works in scenarios only"),
            ("expire-certificate:lon", "add `[tls]` to the topology"),
        ] {
            let error = read_on_three_regions(text).unwrap_err();
            assert!(error.contains(text) || error.contains("scenarios"), "{text}: {error}");
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
