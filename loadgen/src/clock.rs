//! The only file of loadgen that reads the clock.

use std::time::{Instant, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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

/// A time as `2026-01-31T12:00:00Z`; empty after the year 9999, which has no such form.
pub fn rfc3339(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at).replace_nanosecond(0);
    at.ok().and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}
