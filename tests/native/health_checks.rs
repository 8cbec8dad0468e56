//! Regions that answer but are unhealthy, because their gateways are silent or because a check of the application fails: the
//! client leaves them without losing a message, and returns when they are healthy.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use nats_geo::core::{Config, MoveCause, NoticeKind};
use nats_geo::{GeoClient, HealthCheck};

use crate::journal::Journal;
use crate::world::{Ears, World, region, wait_for, with_config, within};

/// The policy of the presets, with minutes made seconds.
fn hurried() -> Config {
    let mut config = Config::interactive();
    config.probe.away_interval = Duration::from_millis(200);
    config.probe.budget_per_minute = 6_000;
    config.rank.unhealthy_region_for = Duration::from_secs(2);
    config.fail_back.good_for = Duration::from_secs(1);
    config.fail_back.spread = Duration::from_millis(100);
    config
}

fn hurry(check: HealthCheck) -> HealthCheck {
    check.period(Duration::from_millis(300)).timeout(Duration::from_secs(1)).failures(2)
}

/// A client that leaves lon and comes home.
struct Traveller {
    client: GeoClient,
    journal: Journal,
    ears: Ears,
    subject: &'static str,
}

impl Traveller {
    async fn at_home(world: &World, subject: &'static str, checks: Vec<HealthCheck>) -> Self {
        let options = checks
            .into_iter()
            .map(hurry)
            .fold(with_config(hurried()), |options, check| options.health_check(check));
        let client = world.connect("lon", options).await;
        let mut ears = Ears::of(&client, subject).await;
        ears.hear(&client, subject, "at home").await;
        Self { journal: Journal::of(&client), client, ears, subject }
    }

    async fn is_in(&mut self, places: &[&str], word: &'static str) {
        let Self { client, journal, ears, subject } = self;
        let lost = Lost { client, journal };
        wait_for(lost, async || places.contains(&region(client).as_str()).then_some(())).await;
        ears.hear(client, subject, word).await;
    }

    fn causes(&self) -> Vec<MoveCause> {
        self.journal.moves().into_iter().map(|(_, cause)| cause).collect()
    }
}

/// Shown when a client does not arrive: where it is instead.
struct Lost<'a> {
    client: &'a GeoClient,
    journal: &'a Journal,
}

impl fmt::Display for Lost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}\n the way", self.client.snapshot(), self.journal.text())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_is_cut_off_from_the_others_is_left_and_returned_to() {
    let mut world = World::start().await;
    create_stream_in_ams(&world).await;
    let mut travellers = [
        Traveller::at_home(&world, "jetstream", vec![HealthCheck::jetstream()]).await,
        Traveller::at_home(&world, "stream", vec![HealthCheck::stream("ORDERS")]).await,
    ];
    world.cluster.isolate_region("lon").unwrap();
    for traveller in &mut travellers {
        traveller.is_in(&["ams", "dal"], "away").await;
        assert_eq!(traveller.client.stats().unconfirmed, 0, "the old link still worked");
    }
    world.cluster.heal_region("lon").await.unwrap();
    for traveller in &mut travellers {
        traveller.is_in(&["lon"], "home again").await;
        // If JetStream's leader was in lon, the others are unhealthy, too, until they have elected one.
        let causes = traveller.causes();
        let (last, before) = causes.split_last().unwrap();
        let all_unhealthy = before.iter().all(|cause| *cause == MoveCause::Unhealthy);
        assert!(all_unhealthy && *last == MoveCause::FailBack, "{}", traveller.journal.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_the_application_decides_and_if_nobody_passes_the_client_stays() {
    let world = World::start().await;
    let (lon_is_healthy, others_are_healthy) =
        (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
    let (lon, others) = (Arc::clone(&lon_is_healthy), Arc::clone(&others_are_healthy));
    let check = HealthCheck::custom("prices", move |link| {
        let switch = if link.region().as_str() == "lon" { &lon } else { &others };
        let is_healthy = switch.load(Ordering::Relaxed);
        async move {
            // A real question on that very link.
            let here = link.nats().server_info().cluster;
            assert_eq!(here.as_deref(), Some(link.region().as_str()));
            link.nats().flush().await.map_err(|error| error.to_string())?;
            if is_healthy { Ok(()) } else { Err("no prices here".into()) }
        }
    });
    let mut traveller = Traveller::at_home(&world, "prices", vec![check]).await;
    let home = traveller.client.snapshot().active.unwrap();

    others_are_healthy.store(false, Ordering::Relaxed);
    lon_is_healthy.store(false, Ordering::Relaxed);
    let is_stay = |note: &NoticeKind| matches!(note, NoticeKind::NoHealthyAlternative(_));
    traveller.journal.wait_for("the notice that nothing is better", is_stay).await;
    assert_eq!(traveller.client.snapshot().active.unwrap(), home);
    traveller.is_in(&["lon"], "still at home").await;

    others_are_healthy.store(true, Ordering::Relaxed);
    traveller.is_in(&["ams"], "away").await;
    let why = traveller.journal.notes().into_iter().find_map(|note| match note {
        NoticeKind::Unhealthy { place, why } => Some((place.region.to_string(), why)),
        _ => None,
    });
    assert_eq!(why, Some(("lon".into(), "prices: no prices here".into())));
    let report = traveller.client.report();
    let lon: Vec<_> = report.unhealthy.iter().filter(|it| it.region.as_str() == "lon").collect();
    assert_eq!(lon.len(), 2, "{report:?}");

    lon_is_healthy.store(true, Ordering::Relaxed);
    traveller.is_in(&["lon"], "home again").await;
    assert_eq!(
        traveller.causes(),
        [MoveCause::Unhealthy, MoveCause::FailBack],
        "{}",
        traveller.journal.text()
    );
}

async fn create_stream_in_ams(world: &World) {
    let context = jetstream::new(world.stock("ams-1").await);
    let config = stream::Config {
        name: "ORDERS".into(),
        subjects: vec!["orders.>".into()],
        placement: Some(stream::Placement { cluster: Some("ams".into()), tags: Vec::new() }),
        ..stream::Config::default()
    };
    within("creating the stream", context.create_stream(config)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_with_too_few_instances_of_a_service_is_left() {
    let world = World::start().await;
    let serve = async |place: &str| {
        let client = world.connect(place, with_config(Config::interactive())).await;
        client.service("prices", "1.0.0").metadata([("region", place)]).start().await.unwrap()
    };
    let here = [serve("lon").await, serve("lon").await];
    let _elsewhere = [serve("ams").await, serve("ams").await, serve("ams").await];
    let mut traveller = Traveller::at_home(&world, "services", vec![HealthCheck::service("prices", 2)]).await;

    // One of two ends; the three in the other region do not count here, but there.
    let [one, _other] = here;
    one.stop().await;
    traveller.is_in(&["ams"], "where instances are").await;
    assert_eq!(traveller.causes(), [MoveCause::Unhealthy]);
    let reasons = traveller.journal.text();
    assert!(reasons.contains("service prices: 1 of 2 instances answer in lon"), "{reasons}");
}
