//! Seeds that nobody chose.

use std::hash::{BuildHasher, RandomState};

/// Another one in every process: the hasher's keys are the operating system's randomness.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
