//! Tests that rank small lists of servers.

use super::super::Endpoint;
use super::*;

const NOW: Time = Time::from_millis(1_000);

/// Endpoints 10, 11, 12 in the first region, 20, 21, 22 in the second, and so on.
fn roster(regions: &[(&str, u64)]) -> Roster {
    let config = Config::fleet();
    let mut roster = Roster::default();
    for (index, (region, rtt_us)) in regions.iter().enumerate() {
        for server in 0..3 {
            let id = EndpointId(10 * (index as u64 + 1) + server);
            roster.discovered(Endpoint::new(id, format!("{region}-{server}:4222")));
            roster.answered_by(id, &id.to_string(), region);
            let rtt = Duration::from_micros(*rtt_us);
            roster.get_mut(id).unwrap().base.record(rtt, config.probe.interval, NOW, &config.rank);
        }
    }
    roster
}

fn ranking(roster: &Roster, client: u64) -> Ranking {
    let (damping, unhealthy, config) = (&Damping::default(), &UnhealthyRegions::default(), &Config::fleet());
    let context = Context { damping, unhealthy, refusing: unhealthy, live: None, config, client, now: NOW };
    Ranking::of(&roster.seen_by(client), &context)
}

fn order(ranking: &Ranking) -> Vec<&str> {
    ranking.order().regions().map(Region::as_str).collect()
}

#[test]
fn regions_are_ordered_by_distance() {
    let roster = roster(&[("dal", 113_000), ("ams", 9_000), ("lon", 300)]);
    for client in 0..50 {
        let ranking = ranking(&roster, client);
        assert_eq!(order(&ranking), ["lon", "ams", "dal"]);
        assert_eq!(ranking.servers[0].reason, Reason::Nearest);
        assert_eq!(ranking.servers[3].reason, Reason::Farther { behind: Duration::from_micros(8_700) });
        assert_eq!(ranking.order().place(&Region::new("dal")), Some(2));
    }
}

#[test]
fn the_tie_window_is_a_fifth_of_the_best_between_3_and_15_ms() {
    for (best_us, window_us) in [(300, 3_000), (20_000, 4_000), (113_000, 15_000)] {
        let share_of_second = |second_us: u64| {
            let roster = roster(&[("near", best_us), ("far", second_us)]);
            (0..100).filter(|client| order(&ranking(&roster, *client))[0] == "far").count()
        };
        assert!((25..75).contains(&share_of_second(best_us + window_us)), "tied: the hash divides clients");
        assert_eq!(share_of_second(best_us + window_us + 1), 0, "outside the window: never");
    }
}

#[test]
fn clients_divide_over_the_servers_of_a_region_and_stay_there() {
    let roster = roster(&[("lon", 300)]);
    let first = |client| ranking(&roster, client).servers[0].endpoint;
    let count = |id| (0..300).filter(|client| first(*client) == EndpointId(id)).count();
    assert!([10, 11, 12].into_iter().all(|id| (70..130).contains(&count(id))));
    assert_eq!(first(7), first(7));
}

#[test]
fn silent_and_lame_servers_stand_last_and_say_so() {
    let mut roster = roster(&[("lon", 300), ("ams", 9_000)]);
    let config = Config::fleet().rank;
    for id in [10, 11] {
        roster.get_mut(EndpointId(id)).unwrap().failed(NOW, &config);
    }
    let ranking_now = ranking(&roster, 1);
    assert_eq!(order(&ranking_now), ["lon", "ams"], "one healthy server keeps a region usable");
    assert_eq!(ranking_now.servers[0].endpoint, EndpointId(12));
    assert_eq!(ranking_now.servers[1].reason, Reason::Unhealthy);
    roster.get_mut(EndpointId(12)).unwrap().lame_duck = true;
    let ranking_now = ranking(&roster, 1);
    assert_eq!(order(&ranking_now), ["ams", "lon"]);
    assert_eq!(ranking_now.servers[5].reason, Reason::LameDuck);
    assert_eq!(ranking_now.order().base(&Region::new("lon")), None);
}

#[test]
fn a_damped_region_stands_behind_usable_ones() {
    let roster = roster(&[("lon", 300), ("ams", 9_000)]);
    let config = Config::fleet();
    let mut damping = Damping::default();
    for _ in 0..3 {
        damping.charge(&Region::new("lon"), NOW, &config.damping);
    }
    let (damping, unhealthy, config) = (&damping, &UnhealthyRegions::default(), &config);
    let context =
        Context { damping, unhealthy, refusing: unhealthy, live: None, config, client: 1, now: NOW };
    let ranking = Ranking::of(&roster, &context);
    assert_eq!(order(&ranking), ["ams", "lon"]);
    assert!(matches!(ranking.servers[3].reason, Reason::Damped { .. }));
    assert_eq!(ranking.servers[0].reason, Reason::Nearest, "nearest of those that may be chosen");
}

#[test]
fn an_unhealthy_region_and_one_with_too_few_servers_stand_behind_usable_and_damped_ones() {
    let roster = roster(&[("lon", 300), ("ams", 9_000), ("fra", 20_000), ("dal", 113_000)]);
    let mut config = Config::fleet();
    let (mut damping, mut unhealthy) = (Damping::default(), UnhealthyRegions::default());
    unhealthy.mark(&Region::new("lon"), NOW, &config);
    for _ in 0..3 {
        damping.charge(&Region::new("fra"), NOW, &config.damping);
    }
    let mut roster = roster;
    roster.get_mut(EndpointId(20)).unwrap().failed(NOW, &config.rank);
    let ranked = |config: &Config, now| {
        let refusing = &UnhealthyRegions::default();
        let context = Context {
            damping: &damping,
            unhealthy: &unhealthy,
            refusing,
            live: None,
            config,
            client: 1,
            now,
        };
        Ranking::of(&roster, &context)
    };
    assert_eq!(order(&ranked(&config, NOW)), ["ams", "dal", "fra", "lon"]);
    config.rank.servers_min = 3;
    let ranking = ranked(&config, NOW);
    assert_eq!(order(&ranking), ["dal", "fra", "ams", "lon"]);
    let reason = |region: &str| ranking.in_region(&Region::new(region)).next().unwrap().reason.clone();
    assert_eq!(reason("ams"), Reason::TooFew { answering: 2 });
    assert!(matches!(reason("lon"), Reason::UnhealthyRegion { .. }));
    assert_eq!(ranking.order().base(&Region::new("ams")), None, "not to be entered");
    let later = NOW + config.rank.unhealthy_region_for;
    assert_eq!(order(&ranked(&config, later))[0], "lon", "the verdict has expired");
}
