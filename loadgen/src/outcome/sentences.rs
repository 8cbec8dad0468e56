//! One sentence for each fault and population, for people who do not know loadgen.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::build::Played;
use super::failovers::{Failover, failovers, is_announced};
use super::figures::arrivals;
use crate::clients::Outcome;
use crate::play::{ClientRecord, Recording};
use crate::record::stats::Sample;
use crate::scenario::{ALL_RESOLVERS, Scenario, TargetKind, TimedFault};

/// All sentences, fault by fault.
pub(super) fn sentences(played: &[Played<'_>]) -> Vec<String> {
    let mut sentences = Vec::new();
    let Some(first) = played.first() else { return sentences };
    for (number, fault) in first.strategy.scenario.faults.iter().enumerate() {
        for Played { strategy, recordings } in played {
            let scenario = &strategy.scenario;
            let pairs = recordings.iter().flat_map(|recording| failovers(scenario, recording));
            let pairs: Vec<Failover> = pairs.filter(|pair| pair.fault == number).collect();
            let name = if strategy.name.is_empty() { String::new() } else { format!(", {}", strategy.name) };
            for (index, population) in scenario.populations.iter().enumerate() {
                let of: Vec<&Failover> = pairs.iter().filter(|pair| pair.population == index).collect();
                let text = if of.is_empty() {
                    spared(recordings, number, index)
                } else {
                    Some(one(scenario, fault, number, &of))
                };
                let event = event(fault);
                sentences.extend(text.map(|text| format!("{event}{name}: {}: {text}", population.name)));
            }
        }
    }
    sentences
}

/// A fault in words, such as "lon silent".
fn event(fault: &TimedFault) -> String {
    use crate::scenario::FaultKind as Kind;
    let what = match fault.kind {
        Kind::Kill => "killed",
        Kind::Terminate => "terminated",
        Kind::LameDuck => "in lame duck mode",
        Kind::Pause => "paused",
        Kind::Restart => "restarted",
        Kind::Rolling => "replaced server by server",
        Kind::Silence => "silent",
        Kind::Refuse => "refusing connections",
        Kind::Reset => "reset",
        Kind::Close => "closed",
        Kind::AcceptSilent => "accepting and silent",
        Kind::Split => "cut off",
        Kind::Latency => "farther away",
        Kind::Jitter => "with jitter",
        Kind::Bandwidth => "with less bandwidth",
        Kind::Loss => "losing packets",
        Kind::Revoke => "revoked",
        Kind::ConnectionLimit => "full",
        Kind::ExpireCertificate => "with an expired certificate",
        Kind::StepDown => "stepping down",
        Kind::Churn => "with churn",
        Kind::MassReconnect => "reconnecting",
        Kind::Replace => "replaced",
        Kind::SlowConsumer => "with slow receivers",
        Kind::DnsFail => "failing",
        Kind::DnsSlow => "slow",
        Kind::DnsSilent => "silent",
        Kind::DnsStale => "with old records",
    };
    let mut targets = fault.targets.join(" and ");
    if fault.kind.target() == TargetKind::Resolvers {
        targets = if targets == ALL_RESOLVERS { "DNS".to_owned() } else { format!("DNS of {targets}") };
    }
    match fault.options.servers {
        Some(1) => format!("one server of {targets} {what}"),
        Some(servers) => format!("{servers} servers of {targets} {what}"),
        None => format!("{targets} {what}"),
    }
}

fn one(scenario: &Scenario, fault: &TimedFault, number: usize, pairs: &[&Failover]) -> String {
    let sample: Sample = pairs.iter().filter_map(|pair| pair.total).collect();
    let lasts = fault.until.unwrap_or_else(|| scenario.duration()).saturating_sub(fault.at);
    let (back, all) = (sample.n(), pairs.len());
    let (Some(p50), Some(p90)) = (sample.percentile(0.5), sample.percentile(0.9)) else {
        return format!("0 of {} had an answer within {}", clients(all), time(lasts));
    };
    // Of one client there is nothing else to say.
    let p90 = if back == 1 { String::new() } else { format!(" at the median (p90 {})", time(p90)) };
    if is_announced(scenario, number) {
        return format!("the longest wait of {} was {}{p90}", clients(back), time(p50));
    }
    let mut landed: BTreeMap<&str, usize> = BTreeMap::new();
    for seat in pairs.iter().filter(|pair| pair.total.is_some()).filter_map(|pair| pair.to.as_ref()) {
        *landed.entry(&seat.region).or_default() += 1;
    }
    let mut landed: Vec<_> = landed.into_iter().collect();
    landed.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let where_to = match landed.as_slice() {
        [] => String::new(),
        [(region, _)] => format!(" in {region}"),
        many => {
            let list: Vec<_> = many.iter().map(|(region, count)| format!("{region} {count}")).collect();
            format!(" ({})", list.join(", "))
        }
    };
    format!("{back} of {} had an answer{where_to} after {}{p90}", clients(all), time(p50))
}

/// Clients that the fault did not cut off from their servers.
fn spared(recordings: &[Recording], number: usize, population: usize) -> Option<String> {
    let (mut sent, mut failed, mut moved, mut clients) = (0, 0, 0, 0);
    for recording in recordings {
        let parts = recording.faults.iter().filter(|fault| fault.fault == number);
        let parts: Vec<_> = parts.map(|fault| (fault.at, fault.until.unwrap_or(recording.end))).collect();
        let within = |at: Instant| parts.iter().any(|(from, until)| at >= *from && at < *until);
        let is_there = |client: &&ClientRecord| {
            let meets = |(from, until): &(Instant, Instant)| client.joined < *until && client.left > *from;
            client.population == population && parts.iter().any(meets)
        };
        for client in recording.clients.iter().filter(is_there) {
            clients += 1;
            let ops: Vec<_> = client.ops.iter().filter(|op| within(op.intended)).collect();
            sent += ops.len();
            failed += ops.iter().filter(|op| op.outcome != Outcome::Ok).count();
            moved += usize::from(arrivals(client).any(|(at, _)| within(at)));
        }
    }
    (sent > 0)
        .then(|| format!("{failed} of {sent} requests failed, {moved} of {} moved", self::clients(clients)))
}

fn clients(count: usize) -> String {
    if count == 1 { "1 client".to_owned() } else { format!("{count} clients") }
}

/// Milliseconds below a second, else seconds.
fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1_000.0) } else { format!("{seconds:.1} s") }
}
