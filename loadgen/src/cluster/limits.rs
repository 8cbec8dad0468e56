//! The limits of this process that a super-cluster can reach.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit of open files to what the process may have.
///
/// Each emulated connection takes two descriptors here beside the client's own, and the usual soft limit is 1024.
pub(super) fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let raise = |most: u64| match hard.min(most) {
            wanted if soft < wanted => setrlimit(Resource::RLIMIT_NOFILE, wanted, hard),
            _ => Ok(()),
        };
        raise(OPEN_FILES).or_else(|_| raise(OPEN_FILES_MACOS))
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files: large runs may run out of them");
    }
}

/// For tens of thousands of clients.
const OPEN_FILES: u64 = 1 << 18;

/// macOS says that there is no limit, and refuses values above this one.
const OPEN_FILES_MACOS: u64 = 10_240;
