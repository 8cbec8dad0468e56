//! Distances between clusters: cities, pairs, a CSV table.

use std::time::Duration;

use super::super::distances::{MAX_RTT_MS, RttTable, pair_of};
use super::super::problem::{Problem, ProblemKind};
use super::super::spec::Spec;
use super::{Problems, names_of};

/// The distances that the file gives, on top of those of `csv`.
pub(super) fn table(spec: &Spec, mut table: RttTable, found: &mut Problems) -> RttTable {
    for (at, cluster) in spec.clusters.iter().enumerate() {
        let Some(city) = &cluster.city else { continue };
        if found.known(format!("cluster[{at}].city"), "city", city, RttTable::cities()) {
            table.place(&cluster.name, city);
        }
    }
    let names: Vec<String> = names_of(&spec.clusters).map(str::to_owned).collect();
    let mut given = Vec::new();
    for (pair, ms) in &spec.distances.rtt_ms {
        let key = format!("distances.rtt_ms.{pair}");
        let (Some(rtt), Some((from, to))) = (millis(&key, *ms, found), pair_of(pair, &names)) else {
            if pair_of(pair, &names).is_none() {
                found.push(key, ProblemKind::Pair(pair.clone(), names.clone()));
            }
            continue;
        };
        given.push((from, to, rtt));
    }
    table.put(&given);
    if let Some(ms) = spec.distances.other_ms
        && let Some(rtt) = millis("distances.other_ms", ms, found)
    {
        table.set_other(rtt);
    }
    table
}

/// Pairs of clusters of which no distance is known.
pub(in super::super) fn unknown_pairs(spec: &Spec, table: &RttTable) -> Vec<Problem> {
    let mut found = Vec::new();
    for (at, from) in spec.clusters.iter().enumerate() {
        for to in &spec.clusters[at + 1..] {
            if table.rtt(&from.name, &to.name).is_err() {
                let kind = ProblemKind::NoDistance(from.name.clone(), to.name.clone());
                found.push(Problem { key: format!("cluster[{at}].name"), kind });
            }
        }
    }
    found
}

/// Reads rows `from,to,ms`; lines that are empty or begin with `#`, and a header `from,to,ms`, are passed over.
///
/// # Errors
/// Every row that is none. Rows of clusters that the topology does not have are kept: a table may serve several files.
pub(in super::super) fn read_csv(text: &str) -> Result<RttTable, Vec<Problem>> {
    let mut table = RttTable::default();
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || (number == 0 && line.replace(' ', "") == "from,to,ms")
        {
            continue;
        }
        match row(line) {
            Some(row) => rows.push(row),
            None => {
                let kind = ProblemKind::Csv { line: number + 1, text: line.to_owned() };
                problems.push(Problem { key: "distances.csv".to_owned(), kind });
            }
        }
    }
    table.put(&rows);
    if problems.is_empty() { Ok(table) } else { Err(problems) }
}

fn row(line: &str) -> Option<(&str, &str, Duration)> {
    let mut cells = line.split(',').map(str::trim);
    let (from, to, ms) = (cells.next()?, cells.next()?, cells.next()?.parse::<f64>().ok()?);
    let is_good = cells.next().is_none() && (0.0..=MAX_RTT_MS).contains(&ms) && from != to;
    is_good.then(|| (from, to, Duration::from_secs_f64(ms / 1_000.0)))
}

fn millis(key: &str, ms: f64, found: &mut Problems) -> Option<Duration> {
    if !(0.0..=MAX_RTT_MS).contains(&ms) {
        let problem = ProblemKind::Range { value: ms.to_string(), range: "0 to 500 milliseconds" };
        found.push(key, problem);
        return None;
    }
    Some(Duration::from_secs_f64(ms / 1_000.0))
}
