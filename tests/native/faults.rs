//! Faults that nobody announces: a server dies, a region dies, a region falls silent.

use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::core::{Config, MoveCause, NoticeKind};
use nats_geo::{GeoClient, RequestError};

use crate::journal::Journal;
use crate::world::{Ears, World, options, seat, timed, wait_for, with_config, within};

const SUBJECT: &str = "orders";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_left_for_its_sibling() {
    let mut world = World::start().await;
    let client = world.connect("lon", options()).await;
    let journal = Journal::of(&client);
    let mut ears = Ears::of(&client, SUBJECT).await;
    ears.hear(&client, SUBJECT, "before").await;

    let (_, home) = seat(&client).unwrap();
    world.cluster.kill_server(&home).unwrap();
    let (to, cause) = journal.first_move().await;
    assert_eq!((to.region.as_str(), cause), ("lon", MoveCause::ServerLost));
    assert_ne!(to.server.as_ref(), Some(&home));
    ears.hear(&client, SUBJECT, "after").await;
    assert_eq!(client.stats().moves, 1);
}

/// What both kinds of client, with and without a standby, do when all of lon is gone.
struct Pair {
    cold: Survivor,
    warm: Survivor,
}

struct Survivor {
    client: GeoClient,
    journal: Journal,
    ears: Ears,
    /// Of its own: a word of the other client must not count.
    subject: &'static str,
}

impl Pair {
    async fn at_home(world: &World) -> Self {
        let mut config = Config::interactive();
        let cold = Survivor::connect(world, config.clone(), "cold").await;
        config.warm_standby = true;
        let warm = Survivor::connect(world, config, "warm").await;
        let standby = wait_for("the standby", async || warm.client.snapshot().standby).await;
        assert_eq!(standby.region.as_str(), "ams");
        Self { cold, warm }
    }

    /// Both land in ams because of `cause`, and everything works there.
    async fn land_in_ams(&mut self, cause: MoveCause) {
        for survivor in [&mut self.cold, &mut self.warm] {
            let (to, why) = survivor.journal.first_move().await;
            assert_eq!((to.region.as_str(), why), ("ams", cause), "{:?}", survivor.journal.notes());
        }
        for survivor in [&mut self.cold, &mut self.warm] {
            let hearing = survivor.ears.hear(&survivor.client, survivor.subject, "after");
            let heard = tokio::time::timeout(HEARD_WITHIN, hearing).await;
            assert!(heard.is_ok(), "{:?} {:?}", survivor.journal.notes(), survivor.client.stats());
            assert_eq!(survivor.client.stats().moves, 1, "{:?}", survivor.journal.notes());
        }
        let (to, _) = self.warm.journal.first_move().await;
        let dialled = |note: &NoticeKind| matches!(note, NoticeKind::Dialing(place) if place.conn == to.conn);
        assert!(!self.warm.journal.notes().iter().any(dialled), "the standby was not used");
        let (to, _) = self.cold.journal.first_move().await;
        let dialled = |note: &NoticeKind| matches!(note, NoticeKind::Dialing(place) if place.conn == to.conn);
        assert!(self.cold.journal.notes().iter().any(dialled), "a notice of the dial is missing");
    }
}

impl Survivor {
    /// Its journal begins when everything is at rest, before the fault.
    async fn connect(world: &World, config: Config, subject: &'static str) -> Self {
        let is_warm = config.warm_standby;
        let client = world.connect("lon", with_config(config)).await;
        let mut ears = Ears::of(&client, subject).await;
        ears.hear(&client, subject, "before").await;
        if is_warm {
            wait_for("the standby", async || client.snapshot().standby).await;
        }
        Self { journal: Journal::of(&client), client, ears, subject }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_region_is_left_for_the_next_one() {
    let mut world = World::start().await;
    let mut pair = Pair::at_home(&world).await;
    world.cluster.kill_region("lon").unwrap();
    pair.land_in_ams(MoveCause::RegionLost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_region_is_left_and_pending_requests_say_that_they_may_have_been_executed() {
    let mut world = World::start().await;
    let mut pair = Pair::at_home(&world).await;
    let service = world.stock("ams-1").await;
    let mut questions = service.subscribe("slow").await.unwrap();
    let slow = ask_until_heard(&pair.cold.client, &mut questions).await;

    let watch = Config::interactive().watch;
    let known_after = watch.ping_interval + watch.dead_max;
    world.cluster.blackhole_region("lon").unwrap();
    let ((), landed_after) = timed(pair.land_in_ams(MoveCause::Suspicion)).await;
    assert!(landed_after < known_after, "landed after {landed_after:?}");
    let (answer, failed_after) = timed(within("the request to fail", slow)).await;
    let error = answer.unwrap().unwrap_err();
    assert_eq!(error, RequestError::LinkLost);
    assert!(error.to_string().contains("may have been executed"), "{error}");
    assert!(landed_after + failed_after < known_after + SLACK, "failed after {failed_after:?}");
    pair.cold.journal.wait_for("the end of the silent link", is_given_up).await;
}

/// Shorter than the limit of each wait, so that the failure tells the notices.
const HEARD_WITHIN: Duration = Duration::from_secs(20);

/// A busy machine.
const SLACK: Duration = Duration::from_secs(2);

fn is_given_up(note: &NoticeKind) -> bool {
    matches!(note, NoticeKind::Lost { cause: None, .. })
}

type Answer = Result<async_nats::Message, RequestError>;

/// A request that the service has got and will never answer.
async fn ask_until_heard(
    client: &GeoClient,
    questions: &mut async_nats::Subscriber,
) -> tokio::task::JoinHandle<Answer> {
    wait_for("a question to arrive", async || {
        let client = client.clone();
        let mut asking = tokio::spawn(async move { client.request("slow", "?".into()).await });
        tokio::select! {
            _ = questions.next() => Some(asking),
            // Interest has not crossed the gateway yet.
            _ = &mut asking => None,
        }
    })
    .await
}
