//! Servers that ask for a password.

use loadgen::secret::Secret;
use loadgen::topology::spec::{AccountSpec, AuthKind, UserSpec};
use nats_geo::ConnectError;
use nats_geo::core::MoveCause;

use crate::journal::Journal;
use crate::world::{Ears, World, options, timed, within};

const RIGHT: &str = "s3cr3t";
const WRONG: &str = "gu3ss3d";

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_used_in_every_region_and_never_shown() {
    let derek = UserSpec { name: "derek".into(), password: Some(Secret::new(RIGHT)), ..UserSpec::default() };
    let account = AccountSpec { name: "APP".into(), users: vec![derek], ..AccountSpec::default() };
    let mut world = World::of_spec(|spec| {
        spec.auth.kind = AuthKind::Password;
        spec.accounts = vec![account];
    })
    .await;
    wrong_ones_are_refused_at_once(&world).await;

    let right = options().user_and_password("derek", RIGHT);
    assert!(!format!("{right:?}").contains(RIGHT), "{right:?}");
    let client = world.connect("lon", right).await;
    assert!(!format!("{client:?}").contains(RIGHT), "{client:?}");
    let in_urls: Vec<_> = world.urls("lon").iter().map(|url| url.replace("//", "//derek:s3cr3t@")).collect();
    let other = within("connecting", options().connect(in_urls)).await.unwrap();

    let journals = [Journal::of(&client), Journal::of(&other)];
    let mut ears = [Ears::of(&client, "orders").await, Ears::of(&other, "bills").await];
    ears[0].hear(&client, "orders", "before").await;
    ears[1].hear(&other, "bills", "before").await;
    world.cluster.kill_region("lon").unwrap();
    for journal in &journals {
        let (to, cause) = journal.first_move().await;
        assert_eq!((to.region.as_str(), cause), ("ams", MoveCause::RegionLost));
    }
    ears[0].hear(&client, "orders", "after").await;
    ears[1].hear(&other, "bills", "after").await;
    let said = format!("{:?} {} {}", journals[0].notes(), client.snapshot(), other.snapshot());
    assert!(!said.contains(RIGHT), "{said}");
}

async fn wrong_ones_are_refused_at_once(world: &World) {
    let wrong = options().user_and_password("derek", WRONG);
    for (what, options) in [("a wrong password", wrong), ("none", options())] {
        let limit = std::time::Duration::from_secs(5);
        let connecting = options.connect_timeout(2 * limit).connect(world.urls("lon"));
        let (refused, took) = timed(within(what, connecting)).await;
        let error = refused.expect_err(what);
        assert!(matches!(error, ConnectError::Auth { .. }), "{what}: {error}");
        assert!(took < limit, "{what} was refused after {took:?}");
        let said = format!("{error} {error:?}");
        assert!(said.contains("127.0.0.1:"), "which server: {said}");
        assert!(!said.contains(WRONG) && !said.contains(RIGHT), "{said}");
    }
}
