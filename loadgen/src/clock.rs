//! The one file of loadgen that reads the clock.

use std::time::Instant;

/// The monotonic time: what every measurement and every emulated delay counts in.
#[expect(clippy::disallowed_methods, reason = "the driver's one hole: everything else asks here")]
pub fn now() -> Instant {
    Instant::now()
}
