//! Histograms of times, in microseconds.

use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

/// One microsecond to one minute, three digits.
pub(crate) fn new_histogram<T: Counter>() -> Histogram<T> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap_or_else(|_| unreachable!("constant bounds are valid"))
}

/// Microseconds, at least 1: what the histograms count.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).max(1)
}
