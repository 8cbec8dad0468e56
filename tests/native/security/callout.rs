//! Auth callout: a service decides who comes in, and to which account.

use futures_util::StreamExt as _;
use loadgen::cluster::Auth as ServerAuth;
use loadgen::secret::Secret;
use nats_geo::Auth;
use nats_geo::core::MoveCause;
use nkeys::KeyPair;
use serde_json::json;

use super::jwt::{claims, sign_for, user_claims};
use super::{Settled, refused};
use crate::world::{World, options};

const SERVICE: (&str, &str) = ("callout", "callout-pass");

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_asked_decides_in_every_region() {
    let issuer = KeyPair::new_account();
    let (user, password) = SERVICE;
    let config = format!(
        "accounts {{ SYS {{ users: [] }}\n AUTH {{ users: [{{ user: {user}, password: {password} }}] }}\n \
         APP {{ jetstream: enabled }} }}\nsystem_account: SYS\n\
         authorization {{ auth_callout {{ issuer: {}, account: AUTH, auth_users: [{user}] }} }}",
        issuer.public_key()
    );
    let auth = ServerAuth::Custom(Secret::new(config));
    let mut world = World::with(|settings| settings.auth = auth).await;
    serve(&world, issuer).await;

    let _refused = refused(&world, "nats", options().token("gu3ss3d")).await;
    let fresh = Auth::callback(|_nonce| async { Ok(Auth::Token("fr3sh".into())) });
    let mut client = Settled::in_lon(&world, "nats", options().auth(fresh), "callout").await;
    world.cluster.kill_region("lon").unwrap();
    client.lands_in_ams(MoveCause::RegionLost).await;
}

/// Lets in who knows the token, at every server.
async fn serve(world: &World, issuer: KeyPair) {
    let issuer = std::sync::Arc::new(issuer);
    for url in world.cluster.home_urls().unwrap().into_values() {
        let options = async_nats::ConnectOptions::with_user_and_password(SERVICE.0.into(), SERVICE.1.into());
        let client = options.connect(url).await.unwrap();
        let asked = client.queue_subscribe("$SYS.REQ.USER.AUTH", "callout".into()).await.unwrap();
        client.flush().await.unwrap();
        let issuer = std::sync::Arc::clone(&issuer);
        tokio::spawn(async move {
            asked
                .for_each(|question| {
                    let answer = answer(&issuer, std::str::from_utf8(&question.payload).unwrap());
                    let client = client.clone();
                    async move {
                        client.publish(question.reply.unwrap(), answer.into()).await.unwrap();
                    }
                })
                .await;
        });
    }
}

fn answer(issuer: &KeyPair, question: &str) -> String {
    let asked = claims(question)["nats"].clone();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let user = text(&asked["user_nkey"]);
    let verdict = if asked["connect_opts"]["auth_token"] == "fr3sh" {
        let jwt = sign_for(issuer, &user, Some("APP"), &user_claims(), None);
        json!({ "type": "authorization_response", "version": 2, "jwt": jwt })
    } else {
        json!({ "type": "authorization_response", "version": 2, "error": "unknown token" })
    };
    sign_for(issuer, &user, Some(&text(&asked["server_id"]["id"])), &verdict, None)
}
