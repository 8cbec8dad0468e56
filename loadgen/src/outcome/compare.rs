//! Differences between runs of scenarios, with their spread.

use std::collections::BTreeMap;

use comfy_table::{Table, presets};

use super::aligned::curves;
use super::model::Report;
use crate::seed::Lcg;

/// What two runs have in common: a fault, a population and a strategy.
pub(super) type Key = (String, String, String);

/// One line for each fault and population: the medians of all runs, and their difference to those of the first run with an
/// interval of 95 %. Then the requests of all runs around each fault.
pub fn compare(reports: &[(String, Report)]) -> String {
    let samples: Vec<BTreeMap<Key, Vec<f64>>> = reports.iter().map(|(_, report)| failovers(report)).collect();
    let Some((first, others)) = samples.split_first() else { return String::new() };
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["fault", "clients", "run", "n", "median ms", "difference ms", "95 % interval"]);
    let mut keys: Vec<&Key> = samples.iter().flat_map(BTreeMap::keys).collect();
    keys.sort();
    keys.dedup();
    let none = Vec::new();
    for key in &keys {
        let (fault, population, strategy) = key;
        let clients = clients(population, strategy);
        let base = first.get(*key).unwrap_or(&none);
        let runs = std::iter::once(first).chain(others).zip(reports);
        for (index, (sample, (name, _))) in runs.enumerate() {
            let sample = sample.get(*key).unwrap_or(&none);
            let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
            let difference =
                median(sample).zip(median(base)).map(|(it, base)| it - base).filter(|_| index > 0);
            let interval = interval(base, sample).filter(|_| index > 0);
            let interval =
                interval.map_or_else(|| "-".to_owned(), |(low, high)| format!("{low:+.1} to {high:+.1}"));
            let difference = difference.map_or_else(|| "-".to_owned(), |it| format!("{it:+.1}"));
            let count = sample.len().to_string();
            table.add_row([
                fault.clone(),
                clients.clone(),
                name.clone(),
                count,
                ms(median(sample)),
                difference,
                interval,
            ]);
        }
    }
    let mut text = table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n");
    for (name, report) in reports {
        text.push_str(&format!("\n{name}: {} {}, seed {}", report.verdict, report.scenario, report.seed));
    }
    for key in keys {
        let (fault, population, strategy) = key;
        let clients = clients(population, strategy);
        text.push_str(&format!(
            "\n\n{fault}: requests of {clients} in regions with hit clients, by seconds since the fault\n"
        ));
        text.push_str(&curves(reports, key));
    }
    text
}

fn clients(population: &str, strategy: &str) -> String {
    if strategy.is_empty() { population.to_owned() } else { format!("{population}, {strategy}") }
}

/// Times of clients that came back while the fault lasted.
fn failovers(report: &Report) -> BTreeMap<Key, Vec<f64>> {
    let mut samples: BTreeMap<Key, Vec<f64>> = BTreeMap::new();
    for run in &report.runs {
        for row in &run.failovers {
            let fault = run.faults.get(row.fault).map(|fault| fault.text.clone()).unwrap_or_default();
            let key = (fault, row.population.clone(), run.strategy.clone());
            samples.entry(key).or_default().extend(row.total_ms);
        }
    }
    samples
}

fn median(sample: &[f64]) -> Option<f64> {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// The middle 95 % of the differences of medians over samples that are drawn anew from both (bootstrap).
fn interval(base: &[f64], other: &[f64]) -> Option<(f64, f64)> {
    if base.len() < FEWEST || other.len() < FEWEST {
        return None;
    }
    // The same runs give the same interval.
    let mut random = Lcg::new(1);
    let mut drawn = |sample: &[f64]| {
        let again: Vec<f64> = sample.iter().map(|_| sample[random.below(sample.len())]).collect();
        median(&again)
    };
    let mut differences: Vec<f64> = (0..DRAWS).filter_map(|_| Some(drawn(other)? - drawn(base)?)).collect();
    differences.sort_by(f64::total_cmp);
    let at = |share: f64| differences.get((differences.len() as f64 * share) as usize).copied();
    Some((at(0.025)?, at(0.975)?))
}

/// Fewer clients say nothing about a spread.
const FEWEST: usize = 3;

/// The ends of the interval then rest on 50 draws each.
const DRAWS: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clear_difference_has_an_interval_without_zero() {
        let base: Vec<f64> = (0..20).map(|it| 40.0 + f64::from(it % 5)).collect();
        let slower: Vec<f64> = base.iter().map(|it| it + 30.0).collect();
        let (low, high) = interval(&base, &slower).unwrap();
        assert!(low > 25.0 && high < 35.0, "{low} to {high}");
        let (low, high) = interval(&base, &base).unwrap();
        assert!(low <= 0.0 && high >= 0.0, "{low} to {high}");
        assert_eq!(interval(&base, &[1.0]), None);
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[])), (Some(2.0), None));
    }
}
