//! Tests that skipping quiet time, which makes a million clients possible, changes no result. A client that is
//! simulated alone and skips quiet time in one step does the same as among all other clients, step by step.

use super::super::player::Player;
use super::super::report::Tally;
use super::super::world::World;
use super::*;

/// What all clients did and when, their states when they dialled, closed or moved, and their last states. In the order
/// of the last states, which hold the seeds.
fn doings(players: impl IntoIterator<Item = Player>) -> Vec<(u64, String)> {
    let doings = players.into_iter().map(|player| (player.state(), format!("{:?}", player.diary)));
    let mut doings: Vec<_> = doings.collect();
    doings.sort();
    doings
}

fn in_one_go(play: &Play<'_>) -> (HerdReport, Vec<(u64, String)>) {
    let mut bystanders = Vec::new();
    let (report, world) = play.run_with(&mut |_| {}, &mut |player| bystanders.push(player));
    (report, doings(world.players.into_iter().chain(bystanders)))
}

/// Everybody in one world from the start.
fn step_by_step(play: &Play<'_>, herd: &Herd) -> (HerdReport, Vec<(u64, String)>) {
    let stage = play.stage(false);
    let mut world = World::new(stage);
    play.players(stage).for_each(|player| world.enter(player, None));
    world.run_step_by_step(herd.loss_at());
    world.players.iter_mut().for_each(|player| player.lose(herd));
    let mut tally = Tally::new(herd);
    world.run_step_by_step(herd.return_at());
    tally.at_return(&world);
    world.run_step_by_step(herd.end());
    let report = tally.report(&world);
    (report, doings(world.players))
}

fn policies(herd: &Herd) -> Vec<(&'static str, Software)> {
    let (mut hint, mut fleet_standby, mut standby) =
        (Config::fleet(), Config::fleet(), Config::interactive());
    let (clients, accepts_per_second) = (herd.clients_per_region(), herd.region_accepts_per_second());
    hint.spread.capacity = Some(CapacityHint { clients, accepts_per_second });
    fleet_standby.warm_standby = true;
    standby.warm_standby = true;
    vec![
        ("fleet", nats_geo(Config::fleet())),
        ("fleet with a hint", nats_geo(hint)),
        ("fleet, standby", nats_geo(fleet_standby)),
        ("interactive", nats_geo(Config::interactive())),
        ("interactive, standby", nats_geo(standby)),
        ("stock, Rust", Software::AsyncNats),
        ("stock, Go", Software::NatsGo),
        ("stock, JavaScript", Software::NatsJs),
    ]
}

/// Plays the herd in both ways, and compares all that every client did, and its state.
fn compare(herd: &Herd, name: &str, software: &Software) {
    let play = Play::new(herd, software).unwrap();
    let ((report, doings), (expected, expected_doings)) = (in_one_go(&play), step_by_step(&play, herd));
    assert_eq!(doings.len(), herd.clients as usize);
    for (of_client, expected) in doings.iter().zip(&expected_doings) {
        assert_eq!(of_client, expected, "{name}, seed {}", herd.seed);
    }
    assert_eq!(HerdReport { bystanders: 0, ..report }, expected, "{name}, seed {}", herd.seed);
}

#[test]
fn quiet_time_in_one_go_gives_the_same_decisions_at_the_same_times_and_the_same_states() {
    for seed in 1..=SEEDS {
        // From survivors that serve everybody at once to some that drop most of those who ask.
        let mut herd = herd(24, [1_000.0, 2.0, 0.3][seed as usize % 3]);
        herd.seed = seed;
        herd.loss = if seed % 2 == 0 { Loss::Crash } else { Loss::Blackhole };
        herd.after = Duration::from_secs(240);
        for (name, software) in policies(&herd) {
            compare(&herd, name, &software);
        }
    }
}

/// With so many servers probes overlap, wait for each other, and for their budget while a client is away from home.
#[test]
fn quiet_time_in_one_go_is_the_same_with_very_many_servers_and_hardly_any_budget() {
    let mut config = Config::fleet();
    (config.probe.in_flight_max, config.probe.budget_per_minute) = (2, 240);
    // Probes follow each other closely.
    config.probe.interval_max = Duration::from_secs(45);
    for (seed, loss) in [(1, Loss::Crash), (2, Loss::Blackhole), (3, Loss::Crash)] {
        let mut herd = herd(12, [1_000.0, 0.3, 0.1][seed as usize % 3]);
        (herd.seed, herd.loss, herd.servers_per_region) = (seed, loss, 16);
        herd.after = Duration::from_secs(240);
        compare(&herd, "48 servers", &nats_geo(config.clone()));
        compare(&herd, "48 servers, usual", &nats_geo(Config::fleet()));
    }
}

/// A debug build plays so many herds, of each kind of client, in some seconds.
const SEEDS: u64 = 6;
