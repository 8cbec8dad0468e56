//! Sweeps: every family of scenarios, many seeds, all rules. `make sweep SEEDS=N` runs more of them.

mod sweep;

use nats_geo::sim::{Report, run, scenarios};

fn report(family: scenarios::Family, seed: u64) -> Report {
    run(&family(seed), seed).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let decisions = |seed| report(scenarios::everything_at_once, seed).clients.swap_remove(0).log.actions;
    assert_eq!(decisions(1), decisions(1));
    assert_ne!(decisions(1), decisions(2));
}

#[test]
fn a_recorded_log_replays_to_the_same_actions() {
    for (name, family) in scenarios::ALL {
        for client in report(family, 5).clients {
            assert!(!client.log.actions.is_empty());
            assert_eq!(client.log.replay().as_ref(), Ok(&client.log.actions), "{name}");
        }
    }
}
