//! Watching the topology file of a super-cluster that is up.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::topology::Topology;
use crate::topology_command::load::{LoadError, load};

/// Notices that the file changed, and reads it once for all changes of a few seconds.
#[derive(Clone, Debug)]
pub struct TopologyWatch {
    path: PathBuf,
    seen: Option<SystemTime>,
    changed_at: Option<Instant>,
}

/// Changes within this time count as one: an editor saves several times, a script changes several users.
pub const BATCH: Duration = Duration::from_secs(3);

impl TopologyWatch {
    /// Watches a file from its present state on.
    pub fn new(path: PathBuf) -> Self {
        let seen = modified(&path);
        Self { path, seen, changed_at: None }
    }

    /// The topology as it is now, once [`BATCH`] has passed since the first change that was not read yet.
    pub fn poll(&mut self, now: Instant) -> Option<Result<Topology, LoadError>> {
        let modified = modified(&self.path);
        if modified != self.seen {
            self.seen = modified;
            self.changed_at.get_or_insert(now);
        }
        let since = self.changed_at?;
        if now.saturating_duration_since(since) < BATCH {
            return None;
        }
        self.changed_at = None;
        Some(load(&self.path.display().to_string()))
    }
}

/// An editor may remove the file for a moment: that is a change, too.
fn modified(path: &PathBuf) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn changes_of_three_seconds_are_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let save = |servers: u16, at: u64| {
            std::fs::write(&path, format!("[[cluster]]\nname = \"lon\"\nservers = {servers}\n")).unwrap();
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at)).unwrap();
        };
        save(1, 1);
        let mut watch = TopologyWatch::new(path.clone());
        let start = clock::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert!(watch.poll(at(0)).is_none());
        save(2, 2);
        assert!(watch.poll(at(1)).is_none());
        save(5, 3);
        assert!(watch.poll(at(2)).is_none());
        let read = watch.poll(at(4)).expect("three seconds have passed").unwrap();
        assert_eq!(read.servers().count(), 5);
        assert!(watch.poll(at(9)).is_none());
    }
}
