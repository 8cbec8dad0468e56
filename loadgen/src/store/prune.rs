//! The removal of old runs.

use std::time::Duration;

use time::OffsetDateTime;

use super::error::StoreError;
use super::index::{Entry, State};
use super::manifest::FILE as MANIFEST;
use super::objects::Store;
use super::push::{RUNS, object_of};

/// The runs that are too old: all but the newest `keep`. `entries` are the oldest first. A run that is not finished stays for a day
/// after its start, because another machine may still play it.
pub(super) fn too_old(entries: Vec<Entry>, keep: usize, now: OffsetDateTime) -> Vec<Entry> {
    let surplus = entries.len().saturating_sub(keep);
    let may_go_on = |entry: &Entry| entry.state == State::Unfinished && now - entry.run.started() < A_DAY;
    entries.into_iter().take(surplus).filter(|entry| !may_go_on(entry)).collect()
}

/// Longer than a run lasts.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

impl Store {
    /// Removes runs, and nothing else: only what is below `runs/` in the folder of a run of `entries`, and its entries in the index.
    ///
    /// # Errors
    /// The store fails. Another call can remove the remaining runs.
    pub async fn remove_runs(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let index = self.index_objects().await?;
        for Entry { run, .. } in entries {
            // Without its manifest a run is not whole, so nobody reads what is half gone.
            self.remove(&[object_of(run, MANIFEST)]).await?;
            let files = self.list(&format!("{RUNS}/{run}")).await?;
            self.remove(&files).await?;
            // The index goes last: until then another call finds the run.
            let objects = index.iter().filter(|(of, _)| of == run).map(|(_, path)| path.clone());
            self.remove(&objects.collect::<Vec<_>>()).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Verdict;

    fn entry(day: u8, state: State) -> Entry {
        let run = format!("202611{day:02}T120000Z-00000000").parse().unwrap();
        Entry { run, state, duration_ms: 0, bytes: 0, scenario: "a".to_owned() }
    }

    #[test]
    fn the_oldest_go_but_not_those_that_may_go_on() {
        let judged = State::Judged(Verdict::Fail);
        let entries = || {
            vec![entry(1, State::Unfinished), entry(2, judged), entry(3, State::Unfinished), entry(4, judged)]
        };
        let now = entry(3, judged).run.started() + Duration::from_secs(3600);
        let days = |keep| -> Vec<u8> {
            too_old(entries(), keep, now).iter().map(|entry| entry.run.started().day()).collect()
        };
        assert_eq!((days(0), days(1), days(3), days(9)), (vec![1, 2, 4], vec![1, 2], vec![1], vec![]));
    }
}
