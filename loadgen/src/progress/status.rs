//! The progress of a play, as plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a play stands.
#[derive(Clone, Debug, Default, Deserialize, Serialize, schemars::JsonSchema)]
pub struct Status {
    /// Since the start of the timeline.
    pub at: Duration,
    /// Its planned length.
    pub lasts: Duration,
    /// Names of the populations.
    pub populations: Vec<String>,
    /// The regions.
    pub regions: Vec<RegionStatus>,
    /// Changes of servers, the newest last.
    pub moves: Vec<(Duration, String)>,
}

/// A region of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, schemars::JsonSchema)]
pub struct RegionStatus {
    /// Its name.
    pub name: String,
    /// Round-trip time that a nats-geo client of the first region measured.
    pub rtt: Option<Duration>,
    /// Clients that are connected to its servers, by population.
    pub connected: Vec<usize>,
    /// Clients that live there and have no connection.
    pub offline: usize,
    /// Operations that succeeded so far, of clients that live there.
    pub ok: u64,
    /// Operations that failed.
    pub failed: u64,
}

impl Status {
    /// Adds what another agent of the same play sees.
    pub fn add(&mut self, other: Self) {
        self.at = self.at.max(other.at);
        self.lasts = self.lasts.max(other.lasts);
        if self.populations.is_empty() {
            self.populations = other.populations;
        }
        for region in other.regions {
            match self.regions.iter_mut().find(|it| it.name == region.name) {
                Some(known) => known.add(&region),
                None => self.regions.push(region),
            }
        }
        self.moves.extend(other.moves);
        self.moves.sort();
        let old = self.moves.len().saturating_sub(KEPT_MOVES);
        self.moves.drain(..old);
    }
}

impl RegionStatus {
    fn add(&mut self, other: &Self) {
        self.rtt = self.rtt.or(other.rtt);
        self.connected.resize(self.connected.len().max(other.connected.len()), 0);
        for (count, more) in self.connected.iter_mut().zip(&other.connected) {
            *count += more;
        }
        self.offline += other.offline;
        self.ok += other.ok;
        self.failed += other.failed;
    }
}

/// As many as the display shows.
pub(crate) const KEPT_MOVES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agents_see_adds_up() {
        let region = |name: &str, connected: &[usize], ok| RegionStatus {
            name: name.into(),
            connected: connected.to_vec(),
            ok,
            ..RegionStatus::default()
        };
        let moved = |ms: u64| (Duration::from_millis(ms), format!("{ms}"));
        let status = |regions, moves| Status { regions, moves, ..Status::default() };
        let mut all = status(vec![region("lon", &[1, 2], 5)], vec![moved(30), moved(40)]);
        all.add(status(
            vec![region("lon", &[2, 0], 1), region("ams", &[0, 1], 7)],
            vec![moved(10), moved(35)],
        ));
        let counts: Vec<_> =
            all.regions.iter().map(|it| (it.name.as_str(), it.connected.clone(), it.ok)).collect();
        assert_eq!(counts, [("lon", vec![3, 2], 6), ("ams", vec![0, 1], 7)]);
        assert_eq!(all.moves, [moved(30), moved(35), moved(40)]);
    }
}
