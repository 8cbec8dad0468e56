//! One test per family. Set `SIM_SEEDS` to the number of seeds, `SIM_SEED` to run a single one again.

use nats_geo::sim::{run, scenarios};

/// What a debug build does in less than a minute; more is what `make sweep` is for.
const SEEDS: u64 = 6;
/// A herd is many clients at once.
const SEEDS_OF_HERD: u64 = 2;

#[track_caller]
fn sweep(name: &str) {
    let (_, family) = scenarios::ALL.into_iter().find(|(known, _)| *known == name).expect("a known family");
    let seeds = match (number("SIM_SEED"), number("SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => 0..count,
        (None, None) if name == "herd" => 0..SEEDS_OF_HERD,
        (None, None) => 0..SEEDS,
    };
    let broken: Vec<_> = seeds
        .filter_map(|seed| Some((seed, run(&family(seed), seed).err()?)))
        .map(|(seed, error)| {
            format!("{error}\n  again: SIM_SEED={seed} cargo test -p nats-geo-tests --test sim {name}")
        })
        .collect();
    assert!(broken.is_empty(), "{} seeds failed:\n{}", broken.len(), broken.join("\n"));
}

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is {value:?}, but must be a number of seeds or a seed")),
    )
}

/// Seeds that once broke a rule.
#[test]
fn what_was_mended_stays_so() {
    for seed in [1322, 1400, 1674, 1961] {
        run(&scenarios::everything_at_once(seed), seed).unwrap_or_else(|error| panic!("{error}"));
    }
}

macro_rules! sweeps {
    ($($family:ident),* $(,)?) => {
        $(#[test]
        fn $family() {
            sweep(stringify!($family));
        })*

        #[test]
        fn every_family_is_swept() {
            let swept = [$(stringify!($family)),*];
            assert_eq!(scenarios::ALL.map(|(name, _)| name), swept);
        }
    };
}

sweeps![
    region_loss,
    blackhole,
    one_way_blackhole,
    unhealthy,
    flapping,
    rolling_restart,
    brown_out,
    client_partition,
    sleep,
    stalls,
    roster_churn,
    refused_credentials,
    herd,
    everything_at_once,
];
