//! One emulated path of packets: the delay, loss or answer of each packet. Pure: it reads no clock.

use std::time::{Duration, Instant};

use super::super::effect::{Conditions, Dials, Direction, End};
use super::super::pace::Pace;
use super::loss::LossChain;
use super::packet::Segment;

/// A path from a region that dials to a server that is dialled.
#[derive(Debug)]
pub(super) struct PacketPath {
    label: String,
    pub(super) rtt: Duration,
    conditions: Conditions,
    to_server: Lane,
    from_server: Lane,
    /// Payload of what was carried.
    pub(super) bytes: u64,
    /// Handshakes that a server answered.
    pub(super) connections: u64,
}

/// One direction of it.
#[derive(Debug, Default)]
struct Lane {
    /// No packet may overtake the one before it, unless jitter reorders.
    last: Option<Instant>,
    packets: u64,
    loss: Option<LossChain>,
}

/// The fate of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// It arrives then.
    Arrives(Instant),
    /// A RST reaches its sender then.
    Reset(Instant),
    /// It is lost.
    Lost,
}

impl PacketPath {
    pub(super) fn new(label: String, rtt: Duration) -> Self {
        Self {
            label,
            rtt,
            conditions: Conditions::default(),
            to_server: Lane::default(),
            from_server: Lane::default(),
            bytes: 0,
            connections: 0,
        }
    }

    /// Replaces the state that link faults give the path.
    pub(super) fn impose(&mut self, conditions: Conditions) {
        for (lane, direction) in
            [(&mut self.to_server, Direction::ToServer), (&mut self.from_server, Direction::FromServer)]
        {
            let before = lane.loss.as_ref().map(LossChain::loss);
            if before != conditions.loss() {
                lane.loss = conditions.loss().map(|loss| LossChain::new(loss, &self.label, direction));
            }
        }
        self.conditions = conditions;
    }

    /// Decides about a packet of `bytes` bytes that enters the path at `now`. `pipe` is the direction between the two regions, which
    /// all their paths share.
    pub(super) fn fate(
        &mut self,
        direction: Direction,
        segment: &Segment,
        bytes: usize,
        pipe: &mut Pace,
        now: Instant,
    ) -> Fate {
        let rtt = self.conditions.rtt(self.rtt);
        let refused = Fate::Reset(match direction {
            Direction::ToServer => now + rtt,
            Direction::FromServer => now,
        });
        match self.conditions.dials() {
            Dials::Unanswered if !self.conditions.carries(direction) => return Fate::Lost,
            Dials::Held if !segment.is_of_handshake(direction) => return Fate::Lost,
            Dials::Ended(End::Reset | End::Close) => return refused,
            Dials::Refused if direction == Direction::ToServer && segment.is_dial() => return refused,
            _ => {}
        }
        let lane = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::FromServer => &mut self.from_server,
        };
        if lane.loss.as_mut().is_some_and(LossChain::loses_next) {
            return Fate::Lost;
        }
        let leaves = match self.conditions.bandwidth() {
            None => now,
            Some(_) if pipe.free_at().saturating_duration_since(now) > LONGEST_QUEUE => return Fate::Lost,
            Some(rate) => pipe.pass(bytes, now, rate),
        };
        let jitter = self.conditions.jitter(&self.label, 0, direction, lane.packets);
        let arrives = leaves + rtt / 2 + jitter;
        let arrives =
            if self.conditions.reorders() { arrives } else { arrives.max(lane.last.unwrap_or(now)) };
        lane.last = Some(arrives);
        lane.packets += 1;
        self.bytes += segment.payload_bytes as u64;
        self.connections += u64::from(direction == Direction::FromServer && segment.syn);
        Fate::Arrives(arrives)
    }
}

/// Longest wait in front of a limit of the bandwidth. Later packets are lost, which is how TCP learns the rate. Routers buffer about
/// as much.
const LONGEST_QUEUE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU16, NonZeroU64};

    use super::super::packet::tests::dial;
    use super::*;
    use crate::wan::{Latency, LinkEffect, Loss, Silence};

    const MS: Duration = Duration::from_millis(1);

    struct Fixture {
        path: PacketPath,
        pipe: Pace,
        start: Instant,
        dial: Segment,
    }

    impl Fixture {
        fn new(effects: &[LinkEffect]) -> Self {
            let start = crate::clock::now();
            let mut path = PacketPath::new("lon->ams-1 tcp".to_owned(), 10 * MS);
            path.impose(Conditions::of(effects));
            let dial = Segment::of(&dial("10.128.0.1:40000", "10.1.1.1:4222")).unwrap();
            Self { path, pipe: Pace::new(start), start, dial }
        }

        fn data(&self) -> Segment {
            Segment { syn: false, ack: Some(1), payload_bytes: 1_000, ..self.dial }
        }

        fn fate(&mut self, direction: Direction, segment: Segment) -> Fate {
            self.path.fate(direction, &segment, 1_000, &mut self.pipe, self.start)
        }
    }

    #[test]
    fn a_packet_takes_half_of_the_round_trip() {
        let mut path = Fixture::new(&[]);
        let arrives = Fate::Arrives(path.start + 5 * MS);
        assert_eq!(path.fate(Direction::ToServer, path.dial), arrives);
        assert_eq!(path.fate(Direction::FromServer, path.data()), arrives);
        path.path.impose(Conditions::of(&[LinkEffect::Latency(Latency::Set(60 * MS))]));
        assert_eq!(path.fate(Direction::ToServer, path.dial), Fate::Arrives(path.start + 30 * MS));
        path.path.impose(Conditions::default());
        assert_eq!(
            path.fate(Direction::ToServer, path.dial),
            Fate::Arrives(path.start + 30 * MS),
            "overtakes"
        );
    }

    #[test]
    fn silence_loses_packets_of_its_direction() {
        let mut path = Fixture::new(&[LinkEffect::Silence(Silence::ToServer)]);
        assert_eq!(path.fate(Direction::ToServer, path.dial), Fate::Lost);
        assert!(matches!(path.fate(Direction::FromServer, path.data()), Fate::Arrives(_)));
        path.path.impose(Conditions::of(&[LinkEffect::Silence(Silence::Both)]));
        assert_eq!(path.fate(Direction::FromServer, path.data()), Fate::Lost);
    }

    #[test]
    fn refusals_answer_dials_after_a_round_trip_and_spare_open_connections() {
        let mut path = Fixture::new(&[LinkEffect::Refuse]);
        assert_eq!(path.fate(Direction::ToServer, path.dial), Fate::Reset(path.start + 10 * MS));
        assert!(matches!(path.fate(Direction::ToServer, path.data()), Fate::Arrives(_)));
    }

    #[test]
    fn resets_answer_every_packet() {
        let mut path = Fixture::new(&[LinkEffect::Reset]);
        assert_eq!(path.fate(Direction::ToServer, path.data()), Fate::Reset(path.start + 10 * MS));
        assert_eq!(path.fate(Direction::FromServer, path.data()), Fate::Reset(path.start));
    }

    #[test]
    fn a_path_that_accepts_without_an_answer_lets_only_handshakes_pass() {
        let mut path = Fixture::new(&[LinkEffect::AcceptSilent]);
        let accepted = Segment { ack: Some(1), ..path.dial };
        let bare = Segment { payload_bytes: 0, ..path.data() };
        assert!(matches!(path.fate(Direction::ToServer, path.dial), Fate::Arrives(_)));
        assert!(matches!(path.fate(Direction::FromServer, accepted), Fate::Arrives(_)));
        assert!(matches!(path.fate(Direction::ToServer, bare), Fate::Arrives(_)));
        assert_eq!(path.fate(Direction::FromServer, bare), Fate::Lost);
        assert_eq!(path.fate(Direction::FromServer, path.data()), Fate::Lost);
        assert_eq!(path.fate(Direction::ToServer, path.data()), Fate::Lost);
    }

    #[test]
    fn a_limit_of_the_bandwidth_delays_and_then_loses() {
        let bytes_per_second = NonZeroU64::new(10_000).unwrap();
        let mut path = Fixture::new(&[LinkEffect::Bandwidth { bytes_per_second }]);
        let fates: Vec<_> = (0..4).map(|_| path.fate(Direction::ToServer, path.data())).collect();
        let arrives = |ms: u32| Fate::Arrives(path.start + (ms + 5) * MS);
        assert_eq!(fates, [arrives(100), arrives(200), arrives(300), Fate::Lost]);
    }

    #[test]
    fn jitter_keeps_the_order_unless_it_reorders() {
        let in_order = |reorders| {
            let mut path = Fixture::new(&[LinkEffect::Jitter { up_to: 20 * MS, seed: 7, reorders }]);
            let arrivals: Vec<_> = (0..50)
                .map(|_| match path.fate(Direction::ToServer, path.data()) {
                    Fate::Arrives(at) => at,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert!(
                arrivals.iter().all(|at| (5 * MS..25 * MS).contains(&(*at - path.start))),
                "{arrivals:?}"
            );
            arrivals.is_sorted()
        };
        assert!(in_order(false));
        assert!(!in_order(true));
    }

    #[test]
    fn losses_hit_their_share() {
        let loss = Loss { per_million: 100_000, burst: NonZeroU16::MIN, seed: 3 };
        let mut path = Fixture::new(&[LinkEffect::Loss(loss)]);
        let lost = (0..10_000).filter(|_| path.fate(Direction::ToServer, path.data()) == Fate::Lost).count();
        assert!((900..1_100).contains(&lost), "{lost}");
    }
}
