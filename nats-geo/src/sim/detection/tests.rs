//! Tests of studies on paths with a known outcome, and of the limits of the defaults.

use super::*;
use crate::core::Config;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn fixed(after: Duration) -> Outcome {
    let mut study = Study::new(ms(10), ms(500));
    study.path = PathModel::clean(ms(5));
    study.days = 0.5;
    study.run(&[Detector::Fixed(after)]).remove(0)
}

#[test]
fn on_a_clean_path_a_fixed_timeout_adds_itself_to_the_wait_for_a_ping() {
    let outcome = fixed(ms(300));
    assert_eq!((outcome.false_suspicions_per_day, outcome.false_deaths_per_day), (0.0, 0.0));
    let near = |value: Duration, expected: Duration| value.abs_diff(expected) < ms(40);
    assert!(near(outcome.dead_p50, ms(550)), "{outcome:?}");
    assert!(near(outcome.dead_p99, ms(795)), "{outcome:?}");
    assert!(outcome.blackholes > 400);
}

#[test]
fn a_timeout_below_the_round_trip_is_wrong_about_every_ping() {
    let pings_per_day = DAY.as_secs_f64() / 0.5;
    let outcome = fixed(ms(9));
    assert!((outcome.false_deaths_per_day / pings_per_day - 1.0).abs() < 0.01, "{outcome:?}");
}

#[test]
fn answers_come_in_order_and_every_ping_has_one() {
    let mut model = PathModel::internet(ms(50));
    model.loss = 0.2;
    let mut trace = Trace::new(&model, ms(50), 7);
    let (mut sent, mut answered, mut before) = (0_u64, 0, Time::ZERO);
    while sent < 5_000 {
        let (now, happening) = trace.next();
        assert!(now >= before);
        before = now;
        match happening {
            Happening::Sent => sent += 1,
            Happening::Answered => answered += 1,
        }
        assert!(answered <= sent);
    }
    assert!(sent - answered < 200, "{answered} of {sent} were answered");
}

#[test]
fn the_same_seed_gives_the_same_outcome() {
    let run = |seed| {
        let study = Study { seed, days: 0.2, ..Study::new(ms(9), ms(500)) };
        format!("{:?}", study.run(&[Detector::Fixed(ms(250))]))
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

/// The bounds that the defaults were chosen for; the study itself takes more days.
#[test]
fn the_defaults_keep_their_bounds_at_9_ms() {
    let study = Study { days: 5.0, ..Study::new(ms(9), Config::interactive().watch.ping_interval) };
    let [ours, phi] = &study.run(&[
        Detector::Ladder(Config::interactive().watch),
        Detector::Phi { threshold: 8.0, deviation_min: ms(10) },
    ])[..] else {
        panic!("two outcomes")
    };
    assert!(ours.suspect_p99 <= ms(800), "{ours:?}");
    assert!(ours.false_deaths_per_day <= 0.5, "{ours:?}");
    assert!(ours.false_deaths_per_day * 10.0 < phi.false_deaths_per_day, "{ours:?} {phi:?}");
}
