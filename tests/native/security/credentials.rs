//! Tokens, NKeys, JWTs and creds files: accepted in every region, refused at once, kept over a failover.

use std::time::SystemTime;

use loadgen::clock;
use loadgen::cluster::Auth as ServerAuth;
use loadgen::secret::Secret;
use nats_geo::Auth;
use nats_geo::core::{Cause, MoveCause, NoticeKind};
use nkeys::KeyPair;

use super::jwt::Operator;
use super::{Settled, refused};
use crate::world::{World, options};

async fn world_with(auth: String) -> World {
    World::with(|settings| settings.auth = ServerAuth::Custom(Secret::new(auth))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_along() {
    let mut world = world_with("authorization { token: \"t0k3n\" }".to_owned()).await;
    let said = refused(&world, "nats", options().token("gu3ss3d")).await;
    assert!(!said.contains("gu3ss3d") && !said.contains("t0k3n"), "{said}");
    let rotating = Auth::callback(|_nonce| async { Ok(Auth::Token("t0k3n".into())) });
    let mut clients = [
        Settled::in_lon(&world, "nats", options().token("t0k3n"), "fixed").await,
        Settled::in_lon(&world, "ws", options().auth(rotating), "asked").await,
    ];
    world.cluster.kill_region("lon").unwrap();
    for client in &mut clients {
        client.lands_in_ams(MoveCause::RegionLost).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_nkey_signs_in_every_region() {
    let (user, stranger) = (KeyPair::new_user(), KeyPair::new_user());
    let config = format!(
        "accounts {{ SYS {{ users: [] }}, APP {{ jetstream: enabled, users: [{{ nkey: {} }}] }} }}\n\
         system_account: SYS",
        user.public_key()
    );
    let mut world = world_with(config).await;
    let stranger = stranger.seed().unwrap();
    let said = refused(&world, "nats", options().nkey(stranger.as_str())).await;
    assert!(!said.contains(&stranger), "{said}");
    let sealed = Auth::callback(|_nonce| async { Err("the vault is sealed".into()) });
    let said = refused(&world, "nats", options().auth(sealed)).await;
    assert!(said.contains("the vault is sealed"), "{said}");

    let signer = std::sync::Arc::new(KeyPair::from_seed(&user.seed().unwrap()).unwrap());
    let elsewhere = Auth::callback(move |nonce| {
        let signer = std::sync::Arc::clone(&signer);
        async move {
            let signature = signer.sign(&nonce)?;
            Ok(Auth::Signed { nkey: Some(signer.public_key()), jwt: None, signature })
        }
    });
    let mut clients = [
        Settled::in_lon(&world, "nats", options().nkey(user.seed().unwrap()), "seed").await,
        Settled::in_lon(&world, "nats", options().auth(elsewhere), "signed").await,
    ];
    world.cluster.blackhole_region("lon").unwrap();
    for client in &mut clients {
        client.lands_in_ams(MoveCause::Suspicion).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn creds_are_read_from_text_and_from_a_file_that_is_renewed() {
    let operator = Operator::new();
    let mut world = world_with(operator.config()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.creds");

    std::fs::write(&file, operator.creds(Some(1_600_000_001))).unwrap();
    let _expired = refused(&world, "nats", options().creds_file(&file)).await;
    let of_nobody = Auth::creds(&Operator::new().creds(None)).unwrap();
    let _unknown = refused(&world, "nats", options().auth(of_nobody)).await;

    let from_text = Auth::creds(&operator.creds(None)).unwrap();
    std::fs::write(&file, operator.creds(None)).unwrap();
    let mut clients = [
        Settled::in_lon(&world, "nats", options().auth(from_text), "text").await,
        Settled::in_lon(&world, "nats", options().creds_file(&file), "file").await,
    ];
    // Another user of the same account.
    std::fs::write(&file, operator.creds(None)).unwrap();
    world.cluster.kill_region("lon").unwrap();
    for client in &mut clients {
        client.lands_in_ams(MoveCause::RegionLost).await;
    }
}

/// The server ends the connection of a user whose JWT expires. That is nothing that another region could help with.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_expires_comes_back_at_home_with_renewed_creds() {
    let operator = Operator::new();
    let world = world_with(operator.config()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.creds");
    let now = clock::wall().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    std::fs::write(&file, operator.creds(Some(now + LIFETIME_S))).unwrap();
    let mut client = Settled::in_lon(&world, "nats", options().creds_file(&file), "expiring").await;
    std::fs::write(&file, operator.creds(None)).unwrap();
    client.journal.wait_for("the end of the user's time", is_expiry).await;
    let (to, _) = client.journal.first_move().await;
    assert_eq!(to.region.as_str(), "lon", "{}", client.journal.text());
    client.ears.hear(&client.client, "expiring", "after").await;
}

/// Enough for a client to settle on a busy machine.
const LIFETIME_S: u64 = 6;

fn is_expiry(note: &NoticeKind) -> bool {
    matches!(note, NoticeKind::Lost { cause: Some(Cause::Auth(text)), .. } if text.to_lowercase().contains("expired"))
}
