//! The one file of loadgen that reads the clock.

use std::time::{Instant, SystemTime};

/// The monotonic time: what every measurement and every emulated delay counts in.
#[expect(clippy::disallowed_methods, reason = "the driver's one hole: everything else asks here")]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall clock: for the time stamp in files, never for measuring.
#[expect(clippy::disallowed_methods, reason = "the driver's one hole: everything else asks here")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}
