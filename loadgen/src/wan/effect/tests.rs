//! Tests of the combination of effects on one path, and of their limits.

use super::*;

const BASE: Duration = Duration::from_millis(10);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn bandwidth(rate: u64) -> LinkEffect {
    LinkEffect::Bandwidth { bytes_per_second: NonZeroU64::new(rate).unwrap() }
}

#[test]
fn without_an_effect_everything_is_carried() {
    let plain = Conditions::of([]);
    assert_eq!((plain.dials(), plain.end(), plain.rtt(BASE)), (Dials::Carried, None, BASE));
    assert!(plain.carries(Direction::ToServer) && plain.carries(Direction::FromServer));
    assert_eq!((plain.bandwidth(), plain.jitter("p", 0, Direction::ToServer, 0)), (None, ms(0)));
}

#[test]
fn each_silence_has_its_direction_and_answers_no_dial() {
    let carried = [
        (Silence::Both, [false, false]),
        (Silence::ToServer, [false, true]),
        (Silence::FromServer, [true, false]),
    ];
    for (silence, expected) in carried {
        let conditions = Conditions::of([&LinkEffect::Silence(silence)]);
        let carries = [Direction::ToServer, Direction::FromServer].map(|it| conditions.carries(it));
        assert_eq!((carries, conditions.dials()), (expected, Dials::Unanswered), "{silence:?}");
    }
    let both_ways = [LinkEffect::Silence(Silence::ToServer), LinkEffect::Silence(Silence::FromServer)];
    let whole = Conditions::of(&[LinkEffect::Silence(Silence::Both)]);
    assert_eq!(Conditions::of(&both_ways), whole);
}

#[test]
fn the_strongest_effect_decides_about_dials() {
    let by_strength = [
        (LinkEffect::Silence(Silence::ToServer), Dials::Unanswered, None),
        (LinkEffect::AcceptSilent, Dials::Held, None),
        (LinkEffect::Reset, Dials::Ended(End::Reset), Some(End::Reset)),
        (LinkEffect::Close, Dials::Ended(End::Close), Some(End::Close)),
        (LinkEffect::Refuse, Dials::Refused, None),
    ];
    for first in 0..by_strength.len() {
        // The weaker ones began earlier.
        let effects = by_strength[first..].iter().rev().map(|(effect, ..)| effect);
        let conditions = Conditions::of(effects);
        let (effect, dials, end) = by_strength[first];
        assert_eq!((conditions.dials(), conditions.end()), (dials, end), "{effect:?}");
    }
}

#[test]
fn delays_add_up_and_the_smallest_bandwidth_holds() {
    let effects = [
        LinkEffect::Latency(Latency::Add(ms(5))),
        LinkEffect::Latency(Latency::Set(ms(100))),
        bandwidth(500),
        LinkEffect::Latency(Latency::Set(ms(40))),
        LinkEffect::Latency(Latency::Add(ms(7))),
        bandwidth(300),
        bandwidth(400),
    ];
    let conditions = Conditions::of(&effects);
    assert_eq!(conditions.rtt(BASE), ms(52));
    assert_eq!(conditions.bandwidth().map(NonZeroU64::get), Some(300));
    assert_eq!(conditions.dials(), Dials::Carried);
    assert_eq!(Conditions::of(&effects[..1]).rtt(BASE), ms(15));
}

#[test]
fn jitter_is_bounded_and_repeats_with_its_seed() {
    let of_seed = |seed| Conditions::of(&[LinkEffect::Jitter { up_to: ms(20), seed, reorders: false }]);
    let times = |conditions: Conditions, connection| {
        (0..100).map(|number| conditions.jitter("p", connection, Direction::ToServer, number)).collect()
    };
    let seven: Vec<_> = times(of_seed(7), 0);
    assert_eq!(seven, times(of_seed(7), 0));
    assert_ne!(seven, times(of_seed(8), 0));
    assert_ne!(seven, times(of_seed(7), 1));
    let [least, most] = [seven.iter().min().unwrap(), seven.iter().max().unwrap()];
    assert!(*least < ms(2) && *most > ms(18) && *most <= ms(20), "{least:?} to {most:?}");
    let twice = [7, 8].map(|seed| LinkEffect::Jitter { up_to: ms(20), seed, reorders: false });
    let summed: Vec<_> = times(Conditions::of(&twice), 0);
    let rounding = Duration::from_nanos(1);
    assert!(summed.iter().zip(&seven).all(|(sum, one)| sum.abs_diff(*one * 2) <= rounding));
}

#[test]
fn a_delay_without_end_is_refused() {
    for effect in [
        LinkEffect::Latency(Latency::Set(Duration::MAX)),
        LinkEffect::Latency(Latency::Add(ms(60_001))),
        LinkEffect::Jitter { up_to: ms(60_001), seed: 0, reorders: false },
    ] {
        let error = effect.check().unwrap_err().to_string();
        assert!(error.contains("limit of 60 s"), "{error}");
    }
    LinkEffect::Latency(Latency::Add(MAX_DELAY)).check().unwrap();
}
