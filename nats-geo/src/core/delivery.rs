//! This module estimates how much longer a PING may take because of the bytes that were written before it. The kernel
//! and the network can buffer megabytes, so a late PONG behind many bytes does not mean that the link is silent.

use std::time::Duration;

use super::Time;

/// Estimate of the rate at which the written bytes of one link are delivered. The estimate works like the delivery rate
/// of BBR (draft-ietf-ccwg-bbr), with PONGs instead of acknowledgements.
///
/// ```
/// use std::time::Duration;
/// use nats_geo::core::{DeliveryRate, Time};
///
/// let mut rate = DeliveryRate::default();
/// rate.pong(100, Duration::from_millis(10), Time::from_millis(10));
/// assert_eq!(rate.queueing(10_000), Duration::ZERO, "few bytes cause no queue");
/// // One megabyte took two seconds, so a second megabyte may take as long, plus a margin.
/// rate.pong(1_000_000, Duration::from_millis(2_000), Time::from_millis(2_010));
/// assert!(rate.queueing(2_000_000) > Duration::from_secs(3));
/// ```
#[derive(Clone, Debug, Default)]
pub struct DeliveryRate {
    /// Bytes before the last PING that was answered: they have arrived.
    delivered: u64,
    /// The shortest round trip: nothing was queued then.
    base: Option<Duration>,
    last_pong: Option<Time>,
    bytes_per_second: Option<f64>,
}

impl DeliveryRate {
    /// Records a PONG that arrived now, `round_trip` after its PING. `position` is the number of bytes that were written
    /// on the link before the PING.
    pub fn pong(&mut self, position: u64, round_trip: Duration, now: Time) {
        let base = self.base.map_or(round_trip, |base| base.min(round_trip));
        let ahead = position.saturating_sub(self.delivered);
        let queued = round_trip.saturating_sub(base);
        if ahead > BURST_BYTES {
            let is_limited_by_path = queued > QUEUED_MIN.max(base / 2);
            let took = self.last_pong.filter(|_| is_limited_by_path).map_or(queued, |last| now.since(last));
            self.bytes_per_second = Some(ahead as f64 / took.max(TOOK_MIN).as_secs_f64());
        }
        self.base = Some(base);
        self.delivered = self.delivered.max(position);
        self.last_pong = Some(now);
    }

    /// Returns how long a PING at byte `position` may wait for the bytes before it. Zero if these bytes are few.
    #[must_use]
    pub fn queueing(&self, position: u64) -> Duration {
        let ahead = position.saturating_sub(self.delivered).saturating_sub(BURST_BYTES);
        let at = |rate| Duration::try_from_secs_f64(MARGIN * ahead as f64 / rate).unwrap_or(Duration::MAX);
        self.bytes_per_second.map_or_else(|| at(UNKNOWN_BYTES_PER_SECOND).min(UNKNOWN_MAX), at)
    }
}

/// TCP's initial window is 14.6 kB (RFC 6928): on any path so much is there at once. Clients that send less between two
/// PINGs are not given more time.
const BURST_BYTES: u64 = 16 << 10;

/// Until something was measured: 1 Mbit/s, the slowest way out that anybody would send in bulk over.
const UNKNOWN_BYTES_PER_SECOND: f64 = 128e3;

/// And no longer than this: TCP's window and the kernel's buffers begin small, so the first PING among bulk comes back soon, also
/// on a slow path; and who floods a region that has just fallen silent is not to find out late.
const UNKNOWN_MAX: Duration = Duration::from_secs(3);

/// What is measured is an average, and the path is shared.
const MARGIN: f64 = 2.0;

/// Round trips vary by less on a path where nothing is queued, or by half of the shortest one. What the client sent was then
/// all there was: the path can do more, namely all of it in the time that the PING was late.
const QUEUED_MIN: Duration = Duration::from_millis(10);

/// The resolution of clocks in browsers: a PING that was not late at all says no more.
const TOOK_MIN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A path of 10 ms that carries so many bytes per millisecond.
    fn written_and_answered(
        rate: &mut DeliveryRate,
        bytes: u64,
        bytes_per_ms: u64,
        rounds: u64,
    ) -> (u64, Time) {
        let (mut position, mut now) = (0, Time::ZERO);
        for _ in 0..rounds {
            position += bytes;
            let round_trip = ms(10 + bytes / bytes_per_ms);
            now += round_trip;
            rate.pong(position, round_trip, now);
        }
        (position, now)
    }

    #[test]
    fn who_sends_little_is_given_no_time() {
        let mut rate = DeliveryRate::default();
        assert_eq!(rate.queueing(16 << 10), Duration::ZERO);
        let (position, _) = written_and_answered(&mut rate, 1_000, 10, 9);
        assert_eq!(rate.queueing(position + 16_000), Duration::ZERO);
    }

    #[test]
    fn a_first_burst_is_given_the_time_of_a_slow_path_but_not_for_ever() {
        let rate = DeliveryRate::default();
        let given = rate.queueing(80 << 10);
        assert!(given >= ms(1_000) && given < ms(1_100), "{given:?}");
        assert_eq!(rate.queueing(1 << 30), UNKNOWN_MAX);
    }

    #[test]
    fn on_a_fast_path_bulk_is_given_hardly_any_time() {
        let mut rate = DeliveryRate::default();
        let mut now = Time::ZERO;
        for n in 1..10 {
            now += ms(500);
            // Half a megabyte in half a second, and the PONG is as soon as ever.
            rate.pong(n * 500_000, ms(10), now);
        }
        assert!(rate.queueing(9 * 500_000 + 500_000) <= ms(2));
    }

    proptest! {
        #[test]
        fn on_a_slow_path_bulk_is_given_the_time_it_takes(
            bytes in 100_000_u64..4_000_000, later in 100_000_u64..4_000_000, bytes_per_ms in 20_u64..2_000,
        ) {
            let mut rate = DeliveryRate::default();
            // One PING before there is anything to queue.
            rate.pong(0, ms(10), Time::ZERO);
            let (position, _) = written_and_answered(&mut rate, bytes, bytes_per_ms, 5);
            let (given, takes) = (rate.queueing(position + later), ms(later / bytes_per_ms));
            prop_assert!(given >= takes || takes < 2 * QUEUED_MIN, "{given:?} for {takes:?}");
        }

        #[test]
        fn nothing_overflows(positions: Vec<u64>, times: Vec<u32>) {
            let mut rate = DeliveryRate::default();
            for (position, time) in positions.into_iter().zip(times) {
                rate.pong(position, ms(time.into()), Time::from_millis(time.into()));
                let _ = rate.queueing(u64::MAX);
            }
        }
    }
}
