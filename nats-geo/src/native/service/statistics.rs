//! Counters of an endpoint.

use std::sync::Mutex;
use std::time::Duration;

use super::{EndpointStats, Error};
use crate::native::hub::lock;

/// Counts of one endpoint since the service was started, or reset. They know nothing of links, so they outlive them.
#[derive(Debug, Default)]
pub(super) struct Statistics(Mutex<Counts>);

#[derive(Clone, Debug, Default)]
struct Counts {
    requests: usize,
    errors: usize,
    processing_time: Duration,
    last_error: Option<Error>,
}

impl Statistics {
    pub(super) fn received(&self) {
        lock(&self.0).requests += 1;
    }

    pub(super) fn failed(&self, error: Error) {
        let mut counts = lock(&self.0);
        counts.errors += 1;
        counts.last_error = Some(error);
    }

    pub(super) fn processed(&self, time: Duration) {
        let mut counts = lock(&self.0);
        counts.processing_time = counts.processing_time.saturating_add(time);
    }

    pub(super) fn reset(&self) {
        *lock(&self.0) = Counts::default();
    }

    /// As services report them, without what is not counted.
    pub(super) fn report(&self) -> EndpointStats {
        let Counts { requests, errors, processing_time, last_error } = lock(&self.0).clone();
        let average_processing_time = average(processing_time, requests);
        EndpointStats {
            requests,
            errors,
            processing_time,
            average_processing_time,
            last_error,
            ..Default::default()
        }
    }
}

fn average(total: Duration, count: usize) -> Duration {
    let nanos = total.as_nanos().checked_div(count as u128).unwrap_or_default();
    u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_is_truncated_and_that_of_nothing_is_nothing() {
        assert_eq!(average(Duration::from_nanos(11), 3), Duration::from_nanos(3));
        assert_eq!(average(Duration::ZERO, 0), Duration::ZERO);
        assert_eq!(average(Duration::MAX, 1), Duration::MAX);
    }

    #[test]
    fn a_reset_forgets_everything() {
        let statistics = Statistics::default();
        statistics.received();
        statistics.received();
        statistics.processed(Duration::from_millis(3));
        statistics.failed(Error { code: 404, status: "no such lamp".into() });
        let report = statistics.report();
        assert_eq!((report.requests, report.errors), (2, 1));
        assert_eq!(report.last_error.unwrap().code, 404);
        assert_eq!(report.processing_time, Duration::from_millis(3));
        assert_eq!(report.average_processing_time, Duration::from_micros(1_500));

        statistics.reset();
        let report = statistics.report();
        assert_eq!((report.requests, report.errors, report.last_error), (0, 0, None));
        assert_eq!(report.average_processing_time, Duration::ZERO);
    }
}
