//! Credentials and TLS of every kind, on the real super-cluster, with failover.

mod certificates;
mod jwt;

mod callout;
mod credentials;
mod refusals;
mod tls;

use std::time::Duration;

use nats_geo::core::MoveCause;
use nats_geo::{ConnectError, GeoClient, GeoOptions};

use crate::journal::Journal;
use crate::world::{Ears, World, timed, wait_for, within};

/// A client that hears what it says, at home in lon.
struct Settled {
    client: GeoClient,
    journal: Journal,
    ears: Ears,
    subject: &'static str,
}

impl Settled {
    async fn in_lon(world: &World, scheme: &str, options: GeoOptions, subject: &'static str) -> Self {
        let client = world.connect_to(world.urls_by(scheme, "lon"), "lon", options).await;
        let mut ears = Ears::of(&client, subject).await;
        ears.hear(&client, subject, "before").await;
        Self { journal: Journal::of(&client), client, ears, subject }
    }

    /// It is at work in ams, and has moved once.
    async fn lands_in_ams(&mut self, cause: MoveCause) {
        let (to, why) = self.journal.first_move().await;
        assert_eq!((to.region.as_str(), why), ("ams", cause), "{}: {}", self.subject, self.journal.text());
        // What is said while the silent link is being left may be lost with it.
        wait_for("a word over the new link", async || {
            let hearing = self.ears.hear(&self.client, self.subject, "after");
            tokio::time::timeout(Duration::from_secs(1), hearing).await.ok()
        })
        .await;
        assert_eq!(self.client.stats().moves, 1, "{}: {}", self.subject, self.journal.text());
    }
}

/// Long enough for a verdict of every server, dallas included.
const VERDICT: Duration = Duration::from_secs(3);

/// What connecting says that is refused because of the credentials: at once, and by one server of each region at most.
///
/// A client asks a second server of a region when the first does not answer in time. On a busy machine that can happen, but hardly in
/// each of three attempts.
async fn refused(world: &World, scheme: &str, options: GeoOptions) -> String {
    let mut asked = Vec::new();
    loop {
        let before = refusals(world);
        let options = options.clone().connect_timeout(2 * VERDICT);
        let connecting = options.connect(world.urls_by(scheme, "lon"));
        let (refused, took) = timed(within("a refusal", connecting)).await;
        let error = refused.expect_err("it should have been refused");
        assert!(matches!(error, ConnectError::Auth { .. }), "{error}");
        assert!(took < VERDICT, "refused after {took:?}");
        asked.push(refusals(world) - before);
        if asked.last() <= Some(&world.cluster.topology().regions().len()) {
            return format!("{error} {error:?}");
        }
        assert!(
            asked.len() < 3,
            "more than one server of each region refused the same credentials: {asked:?}"
        );
    }
}

/// How often servers refused somebody, by their logs.
fn refusals(world: &World) -> usize {
    let refusals = |server: &str| {
        let log = std::fs::read_to_string(world.cluster.log(server).unwrap()).unwrap();
        log.matches("authentication error").count()
    };
    world.cluster.topology().servers().map(|server| refusals(&server.to_string())).sum()
}

/// What connecting says that no server can satisfy.
async fn failed(options: GeoOptions, urls: Vec<String>) -> String {
    let connecting = options.connect_timeout(VERDICT).connect(urls);
    let error = within("a verdict", connecting).await.expect_err("it should have failed");
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
    error.to_string()
}
