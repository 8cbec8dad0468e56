//! Faults of links: conversion from the words of a scenario to those of the super-cluster. Pure.

use std::collections::BTreeSet;
use std::num::{NonZeroU16, NonZeroU64};
use std::time::Duration;

use crate::cluster::faults::{LinkFault, LinkKind, LinkScope, Links as ClusterLinks};
use crate::scenario::{Direction, FaultKind, FaultOptions, Links, TimedFault};
use crate::topology::Topology;
use crate::wan::{Latency, LinkEffect, Loss, Silence};

/// The link faults that make up a fault. None, for faults of other kinds.
pub(crate) fn faults(fault: &TimedFault, topology: &Topology, seed: u64) -> Vec<LinkFault> {
    let Some(effect) = effect(fault.kind, &fault.options, seed) else { return Vec::new() };
    let scopes: Vec<LinkScope> = match fault.kind {
        FaultKind::Split => border(&fault.targets, topology),
        FaultKind::Latency | FaultKind::Jitter | FaultKind::Bandwidth => {
            fault.targets.iter().filter_map(|pair| between(pair, topology)).collect()
        }
        _ => fault.targets.iter().cloned().map(LinkScope::Region).collect(),
    };
    let links = |scope| {
        let all = ClusterLinks::of(scope);
        match fault.options.links.unwrap_or_default() {
            Links::All => all,
            Links::Clients => all.only(LinkKind::CLIENTS),
            Links::Gateways => all.only(LinkKind::SERVERS),
        }
    };
    scopes.into_iter().map(|scope| LinkFault { links: links(scope), effect }).collect()
}

/// Servers whose clients a fault cuts off.
pub(crate) fn hit(fault: &TimedFault, topology: &Topology) -> BTreeSet<String> {
    let cuts_clients = matches!(
        fault.kind,
        FaultKind::Silence | FaultKind::Reset | FaultKind::Close | FaultKind::AcceptSilent
    ) && fault.options.links.unwrap_or_default() != Links::Gateways;
    let regions = fault.targets.iter().filter(|_| cuts_clients);
    regions.flat_map(|region| topology.servers_of(region).map(|server| server.to_string())).collect()
}

fn effect(kind: FaultKind, options: &FaultOptions, seed: u64) -> Option<LinkEffect> {
    let ms = |ms: Option<f64>| Duration::from_secs_f64(ms.unwrap_or_default() / 1_000.0);
    Some(match kind {
        FaultKind::Silence => LinkEffect::Silence(match options.direction.unwrap_or_default() {
            Direction::Both => Silence::Both,
            Direction::In => Silence::ToServer,
            Direction::Out => Silence::FromServer,
        }),
        FaultKind::Split => LinkEffect::Silence(Silence::Both),
        FaultKind::Refuse => LinkEffect::Refuse,
        FaultKind::Reset => LinkEffect::Reset,
        FaultKind::Close => LinkEffect::Close,
        FaultKind::AcceptSilent => LinkEffect::AcceptSilent,
        FaultKind::Latency => LinkEffect::Latency(Latency::Set(ms(options.rtt_ms))),
        // Each direction has half of it.
        FaultKind::Jitter => {
            let reorders = options.reorder.unwrap_or_default();
            LinkEffect::Jitter { up_to: ms(options.jitter_ms) / 2, seed, reorders }
        }
        FaultKind::Loss => LinkEffect::Loss(Loss {
            per_million: (options.percent.unwrap_or_default() * 10_000.0).round() as u32,
            burst: options.burst.and_then(NonZeroU16::new).unwrap_or(NonZeroU16::MIN),
            seed,
        }),
        FaultKind::Bandwidth => {
            let bytes = options.bytes_per_s.map_or(1, |size| size.bytes());
            LinkEffect::Bandwidth { bytes_per_second: NonZeroU64::new(bytes).unwrap_or(NonZeroU64::MIN) }
        }
        _ => return None,
    })
}

/// The links between these regions and all others.
fn border(inside: &[String], topology: &Topology) -> Vec<LinkScope> {
    let outside = topology.regions().iter().filter(|region| !inside.contains(region));
    let pairs = outside.flat_map(|b| inside.iter().map(move |a| LinkScope::Between(a.clone(), b.clone())));
    pairs.collect()
}

fn between(pair: &str, topology: &Topology) -> Option<LinkScope> {
    let regions = topology.regions();
    let both = regions.iter().flat_map(|a| regions.iter().map(move |b| (a, b)));
    let mut found = both.filter(|(a, b)| format!("{a}-{b}") == pair);
    found.next().map(|(a, b)| LinkScope::Between(a.clone(), b.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::spec::FaultSpec;
    use crate::topology::Preset;

    fn texts(one_liner: &str) -> Vec<String> {
        let spec: FaultSpec = one_liner.parse().unwrap();
        let fault = TimedFault {
            kind: spec.inject,
            targets: spec.target.to_vec(),
            options: spec.options,
            at: Duration::ZERO,
            until: None,
        };
        let topology = Preset::named("super-cluster").unwrap().topology().unwrap();
        faults(&fault, &topology, 7).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_split_separates_the_regions_from_all_others_and_not_from_each_other() {
        let found = texts("split:lon+ams@0s");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("`lon`") && found[0].contains("`dal`"), "{found:?}");
        assert!(found[1].contains("`ams`") && found[1].contains("`dal`"), "{found:?}");
    }

    #[test]
    fn options_choose_links_and_directions() {
        assert!(texts("silence:lon,links=gateways@0s")[0].contains("gateway"));
        assert_ne!(texts("silence:lon,direction=in@0s"), texts("silence:lon,direction=out@0s"));
        assert!(texts("latency:lon-ams,rtt_ms=80@0s")[0].contains("80"));
        assert_eq!(
            texts("loss:lon,percent=1.5,burst=4@0s"),
            ["a loss of 1.5 % of the packets in bursts of 4 on all links of region `lon`"]
        );
        assert!(texts("kill:lon@0s").is_empty());
    }
}
