//! Faults of resolvers: conversion from the words of a scenario to those of the name servers. Pure.

use std::time::Duration;

use crate::name_server::{ResolverFault, ResponseCode};
use crate::scenario::{ALL_RESOLVERS, DnsAnswer, FaultKind, Scenario, TimedFault};

/// The effect of a fault on resolvers; `None`, for faults of other kinds.
pub(crate) fn effect(fault: &TimedFault) -> Option<ResolverFault> {
    Some(match fault.kind {
        FaultKind::DnsFail => ResolverFault::Fail(match fault.options.answer.unwrap_or_default() {
            DnsAnswer::Servfail => ResponseCode::ServFail,
            DnsAnswer::Nxdomain => ResponseCode::NXDomain,
            DnsAnswer::Refused => ResponseCode::Refused,
        }),
        FaultKind::DnsSlow => {
            let ms = fault.options.latency_ms.unwrap_or_default();
            ResolverFault::Slow(Duration::from_secs_f64(ms / 1_000.0))
        }
        FaultKind::DnsSilent => ResolverFault::Silent,
        FaultKind::DnsStale => ResolverFault::Stale,
        _ => return None,
    })
}

/// The resolvers that a fault is aimed at.
pub(crate) fn targets(fault: &TimedFault, scenario: &Scenario) -> Vec<String> {
    let names =
        |name: &String| fault.targets.contains(name) || fault.targets.iter().any(|it| it == ALL_RESOLVERS);
    scenario.resolvers.iter().filter(|name| names(name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Inputs, from_toml};
    use crate::topology::Preset;

    fn scenario(faults: &str) -> Scenario {
        let text = format!(
            "title = \"t\"\nresolvers = [\"google\", \"cloudflare\"]\nfaults = [{faults}]\n[[clients]]\nkind = \"nats-geo\"\n\
             discovery = \"dns\"\nper_region = 1\n[[phase]]\nname = \"a\"\nfor = \"10s\"\n"
        );
        let topology = |_: crate::scenario::TopologySource<'_>| {
            Ok(Preset::named("super-cluster").unwrap().topology().unwrap())
        };
        let made = from_toml(&text, "x.toml", &Inputs::default(), topology);
        made.unwrap_or_else(|error| panic!("{error}")).remove(0).scenario
    }

    #[test]
    fn options_choose_the_answer_and_targets_the_resolvers() {
        let scenario = scenario(
            "\"dns-fail:google@1s\", \"dns-fail:all,answer=refused@2s\", \"dns-slow:cloudflare,latency_ms=300@3s\", \"kill:lon@4s\"",
        );
        let effects: Vec<_> = scenario.faults.iter().map(effect).collect();
        assert_eq!(
            effects,
            [
                Some(ResolverFault::Fail(ResponseCode::ServFail)),
                Some(ResolverFault::Fail(ResponseCode::Refused)),
                Some(ResolverFault::Slow(Duration::from_millis(300))),
                None,
            ]
        );
        let targets: Vec<_> = scenario.faults[..3].iter().map(|fault| targets(fault, &scenario)).collect();
        assert_eq!(targets, [vec!["google"], vec!["google", "cloudflare"], vec!["cloudflare"]]);
    }
}
