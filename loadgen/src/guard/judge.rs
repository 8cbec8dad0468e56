//! This module decides whether the condition of a rule holds, and for which regions, servers or streams. No I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::facts::{
    CertificateSeen, CopySeen, Evidence, Observations, STREAMS, ServerSeen, Subject, Time, View,
};
use super::history::History;
use super::rules::{Condition, Rule};

/// The state of a condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Judged {
    /// Nobody can say, for this reason.
    Unknown(String),
    /// It holds for the findings.
    Known {
        findings: Vec<(Subject, Evidence)>,
        /// Subjects for which nobody can say.
        unknown: BTreeSet<String>,
    },
}

/// Judges a condition by a look, which `history` has learnt already.
pub(super) fn judge(rule: &Rule, seen: &Observations, history: &History, now: Time) -> Judged {
    let judged = match &rule.condition {
        Condition::CertificateExpires { within } => certificates(seen, history, *within, now),
        Condition::StreamLag { messages, streams } => lags(seen, history, *messages, streams),
        _ => match reason_not_to_judge(seen, history) {
            Some(reason) => Judged::Unknown(reason),
            None => servers(rule, seen, history, now),
        },
    };
    let is_chosen = |subject: &Subject| rule.regions.is_empty() || rule.regions.contains(&subject.region);
    match judged {
        Judged::Known { mut findings, unknown } => {
            findings.retain(|(subject, _)| is_chosen(subject));
            Judged::Known { findings, unknown }
        }
        unknown => unknown,
    }
}

/// Returns why the views of a look say nothing about other regions.
///
/// One view that hears only its own region can mean two things: all other regions are silent, or this one is cut off together
/// with guard. With one other region nobody can do better. With two or more, guard assumes that it is cut off.
pub(super) fn reason_not_to_judge(seen: &Observations, history: &History) -> Option<String> {
    let regions: BTreeSet<_> = seen.views.iter().map(|view| view.region.as_str()).collect();
    if regions.is_empty() {
        return Some("no server answers guard".to_owned());
    }
    let heard: BTreeSet<_> = heard(seen).map(|server| server.region.as_str()).collect();
    let known = history.regions.len();
    let is_alone = regions.len() == 1 && heard.is_subset(&regions) && known > 2;
    is_alone.then(|| {
        let region = regions.first().copied().unwrap_or_default();
        format!("only {region} of {known} regions answers guard: {region} may be cut off from the others")
    })
}

fn servers(rule: &Rule, seen: &Observations, history: &History, now: Time) -> Judged {
    match &rule.condition {
        Condition::RegionSilent => silent_regions(seen, history),
        Condition::ServerSilent => silent_servers(seen, history),
        Condition::LoadUneven { percent } => uneven(seen, history, *percent),
        Condition::SlowConsumers { count, within } => slow(seen, history, *count, *within, now),
        Condition::CertificateExpires { .. } | Condition::StreamLag { .. } => {
            Judged::Known { findings: Vec::new(), unknown: BTreeSet::new() }
        }
    }
}

/// All servers that answered, each as often as it was heard.
fn heard(seen: &Observations) -> impl Iterator<Item = &ServerSeen> {
    seen.views.iter().flat_map(|view| &view.servers)
}

fn silent_regions(seen: &Observations, history: &History) -> Judged {
    let (mut findings, mut unknown) = (Vec::new(), BTreeSet::new());
    for (region, servers) in &history.regions {
        let elsewhere: Vec<_> = seen.views.iter().filter(|view| view.region != *region).collect();
        let hears = |view: &&View| view.servers.iter().any(|server| server.region == *region);
        if elsewhere.is_empty() {
            // Its own view says nothing about its gateways.
            unknown.insert(region.clone());
        } else if !elsewhere.iter().any(hears) {
            let evidence = Evidence::RegionSilent {
                seen_from: elsewhere.iter().map(|view| view.region.clone()).collect(),
                servers: servers.len(),
                answers_guard: seen.views.iter().any(|view| view.region == *region),
            };
            findings.push((Subject::region(region), evidence));
        }
    }
    Judged::Known { findings, unknown }
}

fn silent_servers(seen: &Observations, history: &History) -> Judged {
    let answered: BTreeSet<_> = heard(seen).map(|server| (&server.region, &server.name)).collect();
    let known =
        history.regions.iter().flat_map(|(region, servers)| servers.iter().map(move |name| (region, name)));
    let seen_from: Vec<_> = seen.views.iter().map(|view| view.region.clone()).collect();
    let silent = known.filter(|server| !answered.contains(server));
    let finding = |(region, name): (&String, &String)| {
        (Subject::server(region, name), Evidence::ServerSilent { seen_from: seen_from.clone() })
    };
    Judged::Known { findings: silent.map(finding).collect(), unknown: BTreeSet::new() }
}

fn uneven(seen: &Observations, history: &History, percent: u16) -> Judged {
    let mut regions: BTreeMap<&String, BTreeMap<&String, u64>> = BTreeMap::new();
    for server in heard(seen) {
        regions.entry(&server.region).or_default().insert(&server.name, server.connections);
    }
    let unknown = history.regions.keys().filter(|region| !regions.contains_key(region)).cloned().collect();
    let mut findings = Vec::new();
    for (region, servers) in regions {
        let total: u64 = servers.values().sum();
        let count = servers.len() as u64;
        let Some((server, most)) = servers.into_iter().max_by_key(|(_, connections)| *connections) else {
            continue;
        };
        // As `loadgen rebalance` counts: one client above the mean is even, however small the mean is.
        let is_near = most <= total.div_ceil(count) + 1;
        let mean = total as f64 / count as f64;
        let above_percent = (most as f64 / mean - 1.0) * 100.0;
        if !is_near && above_percent > f64::from(percent) {
            let (server, connections) = (server.clone(), most);
            let evidence = Evidence::LoadUneven { server, connections, mean, above_percent };
            findings.push((Subject::region(region), evidence));
        }
    }
    Judged::Known { findings, unknown }
}

fn slow(seen: &Observations, history: &History, count: u64, within: Duration, now: Time) -> Judged {
    let mut findings = BTreeMap::new();
    for server in heard(seen) {
        let Some((at, before)) = history.slow_before(&server.id, within, now) else { continue };
        let count_now = server.slow_consumers;
        if count_now.saturating_sub(before) >= count {
            let within_s = now.saturating_sub(at).as_secs_f64();
            let evidence = Evidence::SlowConsumers { before, now: count_now, within_s };
            findings.insert(Subject::server(&server.region, &server.name), evidence);
        }
    }
    Judged::Known { findings: findings.into_iter().collect(), unknown: BTreeSet::new() }
}

fn certificates(seen: &Observations, history: &History, within: Duration, now: Time) -> Judged {
    let region_of = |name: &String| {
        let region = history.regions.iter().find(|(_, servers)| servers.contains(name));
        region.map(|(region, _)| region.clone()).unwrap_or_default()
    };
    let soon = seen.certificates.iter().filter(|certificate| certificate.not_after <= now + within);
    let finding = |certificate: &CertificateSeen| {
        let left = certificate.not_after.as_secs().cast_signed() - now.as_secs().cast_signed();
        let subject = Subject::server(&region_of(&certificate.server), &certificate.server);
        (subject, Evidence::CertificateExpires { ends_in_s: left })
    };
    let findings: Vec<_> = soon.map(finding).collect();
    // A server that is away has its certificate still.
    let read: BTreeSet<_> = seen.certificates.iter().map(|certificate| &certificate.server).collect();
    let is_unread = |subject: &&Subject| !read.contains(&subject.subject);
    let unknown = history.episodes.keys().map(|(_, subject)| subject).filter(is_unread);
    Judged::Known { findings, unknown: unknown.map(|subject| subject.subject.clone()).collect() }
}

fn lags(seen: &Observations, history: &History, messages: u64, streams: &[String]) -> Judged {
    let Some(copies) = &seen.copies else {
        let reason = seen.unseen.get(STREAMS).cloned().unwrap_or_default();
        return Judged::Unknown(reason);
    };
    let is_chosen = |stream: &String| streams.is_empty() || streams.contains(stream);
    let late = copies.iter().filter(|copy| copy.lag > messages && is_chosen(&copy.stream));
    let finding = |copy: &CopySeen| {
        let (domain, stream, source) = (copy.domain.clone(), copy.stream.clone(), copy.source.clone());
        (copy.subject(), Evidence::StreamLag { domain, stream, source, lag: copy.lag })
    };
    // A stream that is missing from the list may still lag.
    let is_unlisted =
        |subject: &&String| seen.unlisted.iter().any(|prefix| subject.starts_with(prefix.as_str()));
    let unknown = history.episodes.keys().map(|(_, subject)| &subject.subject).filter(is_unlisted);
    Judged::Known { findings: late.map(finding).collect(), unknown: unknown.cloned().collect() }
}

#[cfg(test)]
mod tests;
