//! Whether any secret shows anywhere. A program of its own, because everything is logged: nobody else's timing should
//! suffer from that.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]
#![allow(dead_code, reason = "it uses a part of what the tests of the native client use")]

#[path = "../native/journal.rs"]
mod journal;
#[path = "../native/world.rs"]
mod world;

#[path = "../native/security/certificates.rs"]
mod certificates;
#[path = "../native/security/jwt.rs"]
mod jwt;

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use loadgen::cluster::{Auth as ServerAuth, ServerTls};
use loadgen::secret::Secret;
use nats_geo::observe::DecisionLog;
use nats_geo::{Auth, GeoClient, GeoOptions, Tls};
use nkeys::KeyPair;
use tracing_subscriber::filter::LevelFilter;

use certificates::Authority;
use journal::Journal;
use jwt::Operator;
use world::{Ears, World, options, region, wait_for, within};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

const PASSWORD: &str = "pa55-of-the-user";
const TOKEN: &str = "t0ken-of-the-user";

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_shows_anywhere() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .try_init()
        .unwrap();

    let authority = Authority::new();
    let own = authority.client();
    let private_key = std::fs::read_to_string(&own.key).unwrap();
    let mut tls = authority.server("localhost").of_servers();
    tls.client_ca_file = Some(authority.file());
    let trusting = options().tls(
        Tls::new()
            .ca_file(authority.file())
            .client_cert_pem(std::fs::read_to_string(&own.cert).unwrap(), private_key.as_str()),
    );

    let user = KeyPair::new_user();
    let seed = user.seed().unwrap();
    let users = format!(
        "accounts {{ SYS {{ users: [] }}, APP {{ jetstream: enabled, users: [{{ user: derek, password: {PASSWORD} }}, \
         {{ nkey: {} }}] }} }}\nsystem_account: SYS",
        user.public_key()
    );
    let ways = [
        ("tls", trusting.clone().user_and_password("derek", PASSWORD)),
        ("wss", trusting.clone().nkey(seed.as_str())),
    ];
    let decisions = Log::default();
    let mut said = live_through(users, &tls, ways, &decisions).await;
    let token = || async { Ok(Auth::Token(TOKEN.into())) };
    let ways = [
        ("tls", trusting.clone().token(TOKEN)),
        ("wss", trusting.clone().auth(Auth::callback(move |_nonce| token()))),
    ];
    let config = format!("authorization {{ token: \"{TOKEN}\" }}");
    said += &live_through(config, &tls, ways, &decisions).await;
    let operator = Operator::new();
    let creds = operator.creds(None);
    let ways = [("tls", trusting.auth(Auth::creds(&creds).unwrap()))];
    said += &live_through(operator.config(), &tls, ways, &decisions).await;

    let mut secrets = vec![PASSWORD, TOKEN, &seed];
    secrets.extend(
        creds.lines().chain(private_key.lines()).filter(|line| !line.is_empty() && !line.contains("--")),
    );
    assert!(secrets.len() > 5, "a JWT, a seed and a private key are among them");
    let (logged, decided) = (log.text(), decisions.text());
    assert!(logged.contains("TRACE") && logged.contains("the clue that all is logged"), "nothing was logged");
    assert!(said.contains("Moved") && said.contains("\"unhealthy\":[{"), "{said}");
    assert!(decided.contains("Moved") && decided.contains("Auth"), "{decided}");
    for secret in secrets {
        for (place, text) in [
            ("log", &logged),
            ("notice, snapshot, report, Debug or error", &said),
            ("decision log", &decided),
        ] {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "a secret in a {place}: {line:?}");
        }
    }
}

/// Everything that clients say who connect in these ways, work, and lose a region; and who are refused.
async fn live_through<const N: usize>(
    auth: String,
    tls: &ServerTls,
    ways: [(&str, GeoOptions); N],
    decisions: &Log,
) -> String {
    let mut world = World::with(|settings| {
        settings.auth = ServerAuth::Custom(Secret::new(auth));
        settings.tls = Some(tls.clone());
    })
    .await;
    let mut said = format!("{ways:?}");
    let mut journals = Vec::new();
    let mut clients = Vec::new();
    for (scheme, options) in ways {
        let client = at_home(&world, scheme, &options, decisions).await;
        let mut ears = Ears::of(&client, "orders").await;
        ears.hear(&client, "orders", "before").await;
        journals.push(Journal::of(&client));
        // These credentials, and none that the servers know, in a URL.
        let urls: Vec<_> = world.urls_by(scheme, "lon");
        let with_wrong: Vec<_> =
            urls.iter().map(|url| url.replace("//", &format!("//derek:{TOKEN}@"))).collect();
        let options = options.decision_log(DecisionLog::new(decisions.clone()));
        let refused = within("a refusal", options.connect(with_wrong)).await.unwrap_err();
        said += &format!("{refused} {refused:?}");
        clients.push(client);
    }
    world.cluster.kill_region("lon").unwrap();
    for (client, journal) in clients.iter().zip(&journals) {
        let _moved = journal.first_move().await;
        said += &format!("{client:?} {} {:?} {:?}", client.snapshot(), client.snapshot(), journal.notes());
        let report = client.report();
        said += &format!("{report:?} {}", serde_json::to_string(&report).unwrap());
        client.close().await;
    }
    tracing::trace!("the clue that all is logged");
    said
}

/// A client in lon. The decisions of all are written to one place: this is about words, not about order.
async fn at_home(world: &World, scheme: &str, options: &GeoOptions, decisions: &Log) -> GeoClient {
    wait_for("a client at home", async || {
        let options = options.clone().decision_log(DecisionLog::new(decisions.clone()));
        let client = within("connecting", options.connect(world.urls_by(scheme, "lon"))).await.unwrap();
        (region(&client) == "lon").then_some(client)
    })
    .await
}
