//! A server that announces its end, under load: nobody notices.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use nats_geo::core::{Config, MoveCause};
use nats_geo::{GeoClient, Subscription};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::journal::Journal;
use crate::load::Asking;
use crate::world::{World, seat, wait_for, with_config, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_lame_duck_is_left_without_a_loss() {
    let mut world = World::start().await;
    world.serve(&["ams"]).await;
    let mut config = Config::interactive();
    // The default of 5 s is for fleets; here it would only take time.
    config.spread.lame_duck = Duration::from_secs(1);
    let clients = join_all((0..3).map(|_| world.connect("lon", with_config(config.clone())))).await;
    let journals: Vec<_> = clients.iter().map(Journal::of).collect();
    let plain = join_all(clients.iter().map(|client| client.subscribe("news"))).await;
    let queue = join_all(clients.iter().map(|client| client.queue_subscribe("jobs", "workers"))).await;
    let plain: Vec<_> = plain.into_iter().map(|all| Ledger::read([all.unwrap()])).collect();
    let queue = Ledger::read(queue.into_iter().map(Result::unwrap));
    let asking = join_all(clients.iter().map(|client| Asking::start(client, 100))).await;
    let feeder = Feeder::start(&world).await;
    let ledgers = || plain.iter().chain([&queue]);
    wait_for("all flows", async || ledgers().all(Ledger::has_begun).then_some(())).await;
    let begun = feeder.begin_count();

    let duck = most_popular(&clients);
    let leaving: Vec<_> = (0..clients.len()).filter(|n| seat(&clients[*n]).unwrap().1 == duck).collect();
    assert!(world.connections().await.contains_key(&duck));
    world.cluster.lame_duck_server(&duck).unwrap();
    for number in &leaving {
        let (to, cause) = journals[*number].first_move().await;
        assert_eq!((to.region.as_str(), cause), ("lon", MoveCause::LameDuck));
    }
    wait_for("the old links to be gone", async || {
        (!world.connections().await.contains_key(&duck)).then_some(())
    })
    .await;

    let sent = feeder.finish().await;
    for ledger in ledgers() {
        wait_for("the last message", async || ledger.has(sent).then_some(())).await;
    }
    for (number, ledger) in plain.iter().enumerate() {
        assert_eq!(ledger.lost(begun, sent), [0; 0], "lost by plain subscription {number} of {sent}");
    }
    assert_eq!(queue.lost(begun, sent), [0; 0], "lost by the queue group of {sent}");
    assert_eq!(queue.doubled(), [0; 0], "doubled in the queue group of {sent}");
    for asking in asking {
        let (asked, errors) = asking.finish(50).await;
        assert!(errors.is_empty(), "{} of {asked} requests failed: {errors:?}", errors.len());
    }
    let moves: Vec<_> = clients.iter().map(|client| client.stats().moves).collect();
    assert!((0..clients.len()).all(|n| moves[n] == u64::from(leaving.contains(&n))), "{moves:?}");
}

/// The server with most of these clients.
fn most_popular(clients: &[GeoClient]) -> String {
    let mut counts = BTreeMap::new();
    for client in clients {
        *counts.entry(seat(client).unwrap().1).or_insert(0) += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).unwrap().0
}

/// How often each number came.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<BTreeMap<u32, u32>>>);

impl Ledger {
    fn read(subscriptions: impl IntoIterator<Item = Subscription>) -> Self {
        let ledger = Self::default();
        for mut subscription in subscriptions {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                while let Some(message) = subscription.next().await {
                    let number = String::from_utf8_lossy(&message.payload).parse().unwrap();
                    *ledger.counts().entry(number).or_insert(0) += 1;
                }
            });
        }
        ledger
    }

    fn has_begun(&self) -> bool {
        !self.counts().is_empty()
    }

    fn has(&self, number: u32) -> bool {
        self.counts().contains_key(&number)
    }

    fn lost(&self, from: u32, to: u32) -> Vec<u32> {
        let counts = self.counts();
        (from..=to).filter(|number| !counts.contains_key(number)).collect()
    }

    fn doubled(&self) -> Vec<u32> {
        let counts = self.counts();
        counts.iter().filter(|(_, count)| **count > 1).map(|(number, _)| *number).collect()
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes the numbers from 1 on in ams, a thousand per second, to both subjects.
struct Feeder {
    stop: watch::Sender<bool>,
    sent: watch::Receiver<u32>,
    task: JoinHandle<()>,
}

impl Feeder {
    async fn start(world: &World) -> Self {
        let client = world.stock("ams-2").await;
        let (stop, mut stopped) = watch::channel(false);
        let (count, sent) = watch::channel(0);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(1));
            while !*stopped.borrow_and_update() {
                ticks.tick().await;
                let number = *count.borrow() + 1;
                for subject in ["news", "jobs"] {
                    client.publish(subject, number.to_string().into()).await.unwrap();
                }
                count.send_replace(number);
            }
            client.flush().await.unwrap();
        });
        Self { stop, sent, task }
    }

    /// The next number: interest is known everywhere by now, so from here on none may be lost.
    fn begin_count(&self) -> u32 {
        *self.sent.borrow() + 1
    }

    /// The last number, once all are with the server.
    async fn finish(self) -> u32 {
        self.stop.send_replace(true);
        within("the feeder", self.task).await.unwrap();
        *self.sent.borrow()
    }
}
