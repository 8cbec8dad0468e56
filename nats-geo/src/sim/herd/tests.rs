//! Tests that simulate small herds from the start to the end.

use super::*;
use crate::core::CapacityHint;

mod quiet;
mod story;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// lon, ams and dal, small enough for a unit test and loaded enough to tell policies apart.
fn herd(clients: u32, accepts_per_second: f64) -> Herd {
    let rtt = vec![vec![ms(1), ms(9), ms(113)], vec![ms(9), ms(1), ms(120)], vec![ms(113), ms(120), ms(1)]];
    let mut herd = Herd::new(vec!["lon".into(), "ams".into(), "dal".into()], rtt);
    (herd.clients, herd.accepts_per_second) = (clients, accepts_per_second);
    herd
}

fn play(herd: &Herd, software: &Software) -> HerdReport {
    herd.run(software, &mut |_| {}).unwrap()
}

fn nats_geo(config: Config) -> Software {
    Software::NatsGeo(Box::new(config))
}

#[test]
fn a_fleet_that_knows_the_capacity_asks_each_survivor_once_and_never_for_too_much() {
    let herd = herd(1_800, 10.0);
    let mut config = Config::fleet();
    let (clients, accepts) = (herd.clients_per_region(), herd.region_accepts_per_second());
    config.spread.capacity = Some(CapacityHint { clients, accepts_per_second: accepts });
    let report = play(&herd, &nats_geo(config));
    assert_eq!((report.hit, report.back), (clients, clients));
    assert!(report.handshakes_per_client <= 1.1, "{report:?}");
    let survivors = report.regions.iter().filter(|region| region.name != "lon");
    for region in survivors {
        // A twentieth above the rate, and three deviations of a Poisson process at it: the bins are small here.
        assert!(f64::from(region.peak) <= 1.05 * accepts + 3.0 * accepts.sqrt(), "{region:?}");
    }
    let ideal = Duration::from_secs_f64(f64::from(clients) / accepts);
    assert!(report.back_after.last <= ideal.mul_f64(1.2) + Duration::from_secs(1), "{:?}", report.back_after);
    assert_eq!(report.home, clients, "all went home: {report:?}");
}

#[test]
fn a_fleet_that_was_told_nothing_sees_the_crowd_and_wastes_fewer_handshakes_than_stock_clients() {
    let herd = herd(1_800, 3.6);
    let report = play(&herd, &nats_geo(Config::fleet()));
    assert_eq!((report.hit, report.back), (600, 600));
    // Both survivors together, without a pause. Dials that follow each other as soon as they can take 10 each.
    let ideal = Duration::from_secs_f64(600.0 / (2.0 * herd.region_accepts_per_second()));
    assert!(report.back_after.last < ideal.mul_f64(1.5), "{:?}, at best {ideal:?}", report.back_after);
    assert!(report.handshakes_per_client < 6.0, "{report:?}");
    let stock = play(&herd, &Software::NatsGo);
    assert!(report.handshakes_per_client < stock.handshakes_per_client, "{stock:?}");
}

#[test]
fn stock_clients_come_back_anywhere_and_stay_there() {
    let herd = herd(900, 1_000.0);
    for software in [Software::AsyncNats, Software::NatsGo, Software::NatsJs] {
        let report = play(&herd, &software);
        assert!((200..400).contains(&report.hit), "a third of all sat in lon: {report:?}");
        assert_eq!(report.back, report.hit);
        assert!((0.3..0.7).contains(&report.in_nearest), "ams or dal by chance: {report:?}");
        assert_eq!(report.home, 0, "{report:?}");
    }
}

/// After the third PING of a minute or two, for the region was silent for longer.
#[test]
fn silence_is_noticed_by_nats_geo_within_a_second_and_by_stock_clients_within_minutes() {
    let mut herd = herd(150, 1_000.0);
    (herd.loss, herd.lost_for) = (Loss::Blackhole, Duration::from_secs(600));
    let report = play(&herd, &nats_geo(Config::interactive()));
    assert_eq!((report.back, report.hit), (50, 50));
    assert!(report.back_after.last < Duration::from_secs(1), "{:?}", report.back_after);
    let report = play(&herd, &Software::AsyncNats);
    assert!(report.back_after.p50 > Duration::from_secs(120), "{:?}", report.back_after);
    let report = play(&herd, &Software::NatsGo);
    assert!(report.back_after.p50 > Duration::from_secs(240), "{:?}", report.back_after);
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let mut herd = herd(300, 20.0);
    let software = nats_geo(Config::fleet());
    assert_eq!(play(&herd, &software), play(&herd, &software));
    herd.seed = 2;
    assert_ne!(play(&herd, &software).back_after, play(&self::herd(300, 20.0), &software).back_after);
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let refused = |change: fn(&mut Herd)| {
        let mut herd = herd(3, 1.0);
        change(&mut herd);
        herd.run(&Software::AsyncNats, &mut |_| {}).unwrap_err().to_string()
    };
    assert_eq!(refused(|herd| herd.clients = 0), "`clients` is 0, but must be at least 1");
    assert_eq!(refused(|herd| herd.lose = 3), "`lose` is 3, but must be below 3, the number of regions");
    assert!(refused(|herd| herd.accepts_per_second = -1.0).starts_with("`accepts_per_second` is -1"));
    assert!(refused(|herd| herd.servers_per_region = 2_000).contains("1 to 1365 in 3 regions"));
    assert!(refused(|herd| herd.rtt.truncate(1)).starts_with("`rtt` is of another size"));
    assert!(refused(|herd| herd.regions.truncate(1)).starts_with("`regions` is 1"));
}
