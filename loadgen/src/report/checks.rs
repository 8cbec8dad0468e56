//! The bounds that a run is held against, and the verdict.

use std::time::Duration;

use super::model::{Check, Connect, Control, Failover, FlowRow, Generator, Verdict};
use crate::cli::{FaultKind, Preset};
use crate::clients::Population;
use crate::plan::Plan;
use crate::record::stats::millis;

/// What the checks look at.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'a> {
    /// Connects.
    pub connect: &'a [Connect],
    /// Clients that were hit.
    pub failover: &'a [Failover],
    /// Clients that were not.
    pub control: &'a [Control],
    /// Message flows.
    pub flows: &'a [FlowRow],
}

/// Every bound of nats-geo that this plan can show. Stock clients are measured, not judged.
pub fn checks(plan: &Plan, measured: Measured<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    connects(plan, measured.connect, &mut checks);
    let geo = measured.failover.iter().filter(|row| row.population == Population::NatsGeo);
    for row in geo.filter(|row| row.client_region == row.fault_region) {
        landings(plan, row, &mut checks);
        times(plan, row, &mut checks);
        if row.fault == FaultKind::LameDuck {
            checks.push(none("lame duck: failed requests", row.failed_requests));
            checks.push(none("lame duck: plain subscriptions, lost", row.lost));
        }
    }
    for row in measured.flows.iter().filter(|row| row.population == Population::NatsGeo) {
        if row.fault == FaultKind::LameDuck && row.subscription == "queue" {
            checks.push(none("lame duck: queue group, lost", row.tally.lost));
            checks.push(none("lame duck: queue group, duplicated", row.tally.doubled));
        }
    }
    let fault_regions = plan.fault_regions();
    let spared = measured.control.iter().filter(|row| row.population == Population::NatsGeo);
    for row in spared.filter(|row| !fault_regions.contains(row.client_region.as_str())) {
        let name = format!("{}: clients in {}, which is not hit", row.fault, row.client_region);
        checks.push(none(&format!("{name}, failed requests"), row.failed_requests));
        checks.push(none(&format!("{name}, moves"), row.moves as u64));
    }
    checks
}

/// A proven failure stands; a time that is missed while the generator was disturbed proves nothing, and
/// neither does a pass.
pub fn verdict(checks: &[Check], generator: &Generator) -> (Verdict, Vec<String>) {
    let failed = |check: &&Check| !check.holds;
    let reason = |check: &Check| {
        format!(
            "{}: {} (bound: {})",
            check.what,
            check.measured.as_deref().unwrap_or("not measured"),
            check.bound
        )
    };
    let disturbed = disturbances(generator);
    let proven: Vec<_> = checks.iter().filter(failed).filter(|check| !check.depends_on_timing).collect();
    if !proven.is_empty() {
        return (Verdict::Fail, checks.iter().filter(failed).map(reason).chain(disturbed).collect());
    }
    if !disturbed.is_empty() {
        return (Verdict::Inconclusive, disturbed);
    }
    let missed: Vec<_> = checks.iter().filter(failed).map(reason).collect();
    (if missed.is_empty() { Verdict::Pass } else { Verdict::Fail }, missed)
}

/// Reasons why times are not to be trusted: the load generator or the emulation was disturbed.
pub(crate) fn disturbances(generator: &Generator) -> Vec<String> {
    let mut reasons = Vec::new();
    if generator.schedule_lag_p99_ms > SCHEDULE_LAG_MAX_MS {
        let lag = generator.schedule_lag_p99_ms;
        reasons.push(format!(
            "requests were sent up to {lag:.1} ms late (p99; at most {SCHEDULE_LAG_MAX_MS} ms): the machine is too \
             busy, try fewer clients or a lower rate"
        ));
    }
    if let Some(idle) = generator.idle_share_median.filter(|idle| *idle < IDLE_SHARE_MIN) {
        reasons.push(format!(
            "the processors were idle for {:.0} % of the time while the load ran (median of the rounds; at least {:.0} \
             %): times are those of a queue for the processor; end other work on this machine, or try fewer clients or \
             a lower rate",
            idle * 100.0,
            IDLE_SHARE_MIN * 100.0
        ));
    }
    if generator.leaks > 0 {
        reasons.push(format!("{} connections bypassed the emulated WAN", generator.leaks));
    }
    reasons
}

/// Below that, what becomes ready at once waits for a processor: with one of two cores idle on average, a failover of
/// several clients still finds one.
const IDLE_SHARE_MIN: f64 = 0.25;

/// Half of the resolution of 100 requests per second.
const SCHEDULE_LAG_MAX_MS: f64 = 5.0;

fn connects(plan: &Plan, rows: &[Connect], checks: &mut Vec<Check>) {
    for row in rows.iter().filter(|row| row.population == Population::NatsGeo) {
        let home = row.chosen.get(&row.client_region).copied().unwrap_or(0);
        let region = &row.client_region;
        checks.push(Check {
            what: format!("clients in {region} connect to {region}"),
            bound: "100 %".into(),
            measured: Some(format!("{home} of {}", row.n)),
            holds: home == row.n,
            depends_on_timing: false,
        });
        if plan.fault_regions().contains(region.as_str()) {
            checks.push(at_most("connect to first answer, p90", row.p90_ms, CONNECT_P90_MAX));
        }
    }
}

fn landings(plan: &Plan, row: &Failover, checks: &mut Vec<Check>) {
    let mut nearest = plan.regions_by_distance(&row.client_region).into_iter();
    let expected = nearest.find(|region| row.fault.hits_one_server() || *region != row.fault_region);
    let expected = expected.unwrap_or_default();
    let landed = row.landed.get(expected).copied().unwrap_or(0);
    checks.push(Check {
        what: format!("{}: clients in {} land in {expected}", row.fault, row.client_region),
        bound: "100 %".into(),
        measured: Some(format!("{landed} of {}", row.n)),
        holds: landed == row.n && row.did_not_fail_over == 0,
        depends_on_timing: false,
    });
}

fn times(plan: &Plan, row: &Failover, checks: &mut Vec<Check>) {
    if plan.preset != Preset::Interactive {
        return;
    }
    let mut p50 = |bound| checks.push(at_most(&format!("{}: failover p50", row.fault), row.p50_ms, bound));
    let limit = Duration::from_secs_f64(row.limit_ms.unwrap_or(0.0) / 1e3);
    match row.fault {
        FaultKind::ServerKill => p50(SERVER_KILL_P50_MAX),
        FaultKind::RegionKill if plan.warm_standby => p50(limit.mul_f64(2.5)),
        FaultKind::RegionKill => {
            p50(limit.mul_f64(1.5));
            checks.push(at_most("region-kill: failover p90", row.p90_ms, limit * 3));
        }
        FaultKind::Blackhole => {
            p50(BLACKHOLE_P50_SLACK + limit);
            checks.push(at_most("blackhole: failover p90", row.p90_ms, BLACKHOLE_P90_SLACK + limit));
        }
        FaultKind::LameDuck => {}
    }
}

/// With lon at home and the start window of 20 to 50 ms.
const CONNECT_P90_MAX: Duration = Duration::from_millis(60);

/// A few loopback round trips and a busy machine.
const SERVER_KILL_P50_MAX: Duration = Duration::from_millis(25);

/// Together with the 36 ms of four round trips to the next region 0.8 s: the phase of a 500 ms PING, 250 ms of
/// suspicion, and room for a busy machine.
const BLACKHOLE_P50_SLACK: Duration = Duration::from_millis(764);

/// The same for 1.1 s.
const BLACKHOLE_P90_SLACK: Duration = Duration::from_millis(1_064);

fn at_most(what: &str, measured_ms: Option<f64>, bound: Duration) -> Check {
    let bound_ms = millis(bound);
    Check {
        what: what.to_owned(),
        bound: format!("at most {bound_ms:.1} ms"),
        measured: measured_ms.map(|ms| format!("{ms:.1} ms")),
        holds: measured_ms.is_some_and(|ms| ms <= bound_ms),
        depends_on_timing: true,
    }
}

fn none(what: &str, measured: u64) -> Check {
    Check {
        what: what.to_owned(),
        bound: "0".into(),
        measured: Some(measured.to_string()),
        holds: measured == 0,
        depends_on_timing: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(holds: bool, depends_on_timing: bool) -> Check {
        let (what, bound) = ("something".to_owned(), "0".to_owned());
        Check { what, bound, measured: Some("1".into()), holds, depends_on_timing }
    }

    const CALM: Generator = Generator {
        requests: 1,
        schedule_lag_p99_ms: 1.0,
        leaks: 0,
        idle_share_before: None,
        idle_share_median: Some(0.5),
        idle_share_min: Some(0.1),
    };
    const STALLED: Generator = Generator { schedule_lag_p99_ms: 50.0, ..CALM };

    #[test]
    fn a_proven_failure_beats_inconclusive_which_beats_a_missed_time() {
        let verdict_of = |checks: &[Check], generator| verdict(checks, generator).0;
        assert_eq!(verdict_of(&[check(true, true)], &CALM), Verdict::Pass);
        assert_eq!(verdict_of(&[check(false, true)], &CALM), Verdict::Fail);
        assert_eq!(verdict_of(&[check(true, true)], &STALLED), Verdict::Inconclusive);
        assert_eq!(verdict_of(&[check(false, true)], &STALLED), Verdict::Inconclusive);
        assert_eq!(verdict_of(&[check(false, false)], &STALLED), Verdict::Fail);
        let busy = Generator { idle_share_median: Some(0.1), ..CALM };
        assert_eq!(verdict_of(&[check(false, true)], &busy), Verdict::Inconclusive);
        let untold = Generator { idle_share_median: None, ..CALM };
        assert_eq!(verdict_of(&[check(true, true)], &untold), Verdict::Pass, "no Linux");
        let leaking = Generator { leaks: 1, ..CALM };
        assert_eq!(verdict_of(&[check(true, true)], &leaking), Verdict::Inconclusive);
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        assert!(!at_most("x", None, Duration::from_secs(1)).holds);
        let (_, reasons) = verdict(&[at_most("x", None, Duration::from_secs(1))], &CALM);
        assert_eq!(reasons, ["x: not measured (bound: at most 1000.0 ms)"]);
    }
}
