//! The process's limits that a super-cluster would hit.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit of open files to what the process may have.
///
/// Each emulated connection takes two descriptors here beside the client's own, and the usual soft limit is 1024.
pub(super) fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = hard.min(OPEN_FILES);
        if soft < wanted { setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files: large runs may run out of them");
    }
}

/// Ten times the default run's need. No more, because macOS refuses values above its own maximum.
const OPEN_FILES: u64 = 10_240;
