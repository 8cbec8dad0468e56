//! Tests of one link with real servers. Most of these tests check how async-nats behaves, because this crate depends on
//! it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;

use super::open::COMMANDS_MAX;
use super::*;
use crate::core::OpenError;
use crate::native::lines::CONTROL_LINE_MAX;
use crate::native::support::{PATIENCE, Relay, Server, wait_for, within};
use crate::native::target::Target;
use crate::native::tls::Sessions;
use crate::native::{Auth, ConnectionOptions, IntoServers as _, Tls, clock};

type Customize = fn(ConnectionOptions) -> ConnectionOptions;

struct Opened {
    link: Link,
    reports: mpsc::Receiver<(ConnId, Report)>,
}

impl Opened {
    async fn ended(&mut self) -> (Cause, Settled) {
        within("the end of the link", async {
            loop {
                if let (_, Report::Ended { cause, settled, .. }) = self.reports.recv().await.unwrap() {
                    return (cause, settled);
                }
            }
        })
        .await
    }
}

async fn try_open(url: &str, customize: Option<Customize>) -> Result<Opened, OpenError> {
    try_open_at(&target(url), Sessions::new(None), customize).await
}

fn target(url: &str) -> Target {
    Target::of(url.into_servers().unwrap().remove(0), &Auth::None)
}

async fn try_open_at(
    target: &Target,
    sessions: Sessions,
    customize: Option<Customize>,
) -> Result<Opened, OpenError> {
    let customize = customize.map(|customize| Arc::new(customize) as _);
    let sessions = Arc::new(sessions);
    let max_control_line = CONTROL_LINE_MAX;
    let settings =
        Settings { name: None, sessions, kept: None, customize, max_control_line, guard: Arc::default() };
    let (sender, reports) = mpsc::channel(16);
    let (link, _info) = open(ConnId(1), target, &settings, Duration::from_secs(2), sender).await?;
    Ok(Opened { link, reports })
}

async fn opened(url: &str) -> Opened {
    try_open(url, None).await.unwrap()
}

fn message(subject: &str, payload: &'static [u8]) -> OutboundMessage {
    OutboundMessage { subject: subject.into(), reply: None, payload: payload.into(), headers: None }
}

#[tokio::test]
async fn a_link_ends_at_once_when_its_server_dies_and_never_comes_back() {
    let mut server = Server::start().await;
    let mut opened = opened(&server.url()).await;
    let mut subscriber = opened.link.subscribe("a".into(), None).await.unwrap();
    let request = opened.link.await_request(&"a".into());

    server.kill();
    let died = clock::now();
    let (cause, _) = opened.ended().await;
    assert!(clock::since(died) < Duration::from_millis(100), "{:?}", clock::since(died));
    assert_eq!(cause, Cause::Eof);
    assert!(opened.link.has_ended());
    within("the end of the subscription", subscriber.next()).await.ok_or(()).unwrap_err();
    within("the end of the request", request.replies_end()).await;

    let server = server.restarted().await;
    assert!(opened.link.client().publish("a", "x".into()).await.is_err(), "its task has ended");
    assert_eq!(server.connections().await, 0);
}

#[tokio::test]
async fn a_link_ends_when_only_its_connection_is_closed_and_the_server_lives() {
    let server = Server::start().await;
    let relay = Relay::to(server.port).await;
    let mut opened = opened(&relay.url()).await;
    wait_for("the connection", async || (server.connections().await == 1).then_some(())).await;
    drop(relay);
    opened.ended().await;
    wait_for("no connection", async || (server.connections().await == 0).then_some(())).await;
}

#[tokio::test]
async fn round_trips_work_with_and_without_echo_listeners_and_permissions() {
    let open = Server::start().await;
    let limited = Server::with(PERMISSIONS).await;
    let no_echo: Customize = |options| options.no_echo();
    let as_user = |user: &str| format!("nats://{user}:x@127.0.0.1:{}", limited.port);
    let cases = [
        ("echo", open.url(), None, Some(true)),
        ("no echo", open.url(), Some(no_echo), Some(false)),
        ("may not publish to inboxes", as_user("mute"), None, None),
        ("may not subscribe to inboxes", as_user("deaf"), None, None),
        ("no echo, and may not publish", as_user("mute"), Some(no_echo), None),
    ];
    for listened in [false, true] {
        let listener = opened(&open.url()).await;
        let subscriber = listener.link.subscribe(">".into(), None).await.unwrap();
        listener.link.round_trip().await.unwrap();
        if !listened {
            drop((subscriber, listener));
        }
        for (name, url, customize, echoes) in &cases {
            let opened = try_open(url, *customize).await.unwrap();
            for _ in 0..3 {
                let round_trip = within(name, opened.link.round_trip()).await.unwrap();
                assert!(round_trip < Duration::from_millis(500), "{name}: {round_trip:?}");
            }
            assert_eq!(opened.link.state.echoes.get().copied(), *echoes, "{name}");
            assert_eq!(opened.link.is_deaf(), name.contains("subscribe"), "{name}");
        }
    }
}

const PERMISSIONS: &str = r#"
authorization { users = [
  { user: mute, password: x, permissions: { publish: ["ok.>"], subscribe: [">"] } }
  { user: deaf, password: x, permissions: { publish: [">"], subscribe: ["ok.>"] } }
] }"#;

#[tokio::test]
async fn a_round_trip_is_a_barrier_for_subscriptions_and_publishes() {
    let server = Server::start().await;
    let (mut near, far) = (opened(&server.url()).await, opened(&server.url()).await);
    for round in 0..50 {
        let mut subscriber = near.link.subscribe("barrier".into(), None).await.unwrap();
        near.link.round_trip().await.unwrap();
        far.link.push(&message("barrier", b"x"), Kind::Publish).await.unwrap();
        let received = within("the message", subscriber.next()).await;
        assert!(received.is_some(), "round {round}");
    }
    near.link.push(&message("a", b"confirmed"), Kind::Publish).await.unwrap();
    near.link.round_trip().await.unwrap();
    near.link.push(&message("a", b"unconfirmed"), Kind::Publish).await.unwrap();
    near.link.client().flush().await.unwrap();
    drop(server);
    let (_, settled) = near.ended().await;
    assert_eq!((settled.unwritten.len(), settled.unconfirmed_count), (0, 1));
}

#[tokio::test]
async fn what_a_dead_link_had_not_taken_is_known_to_be_unwritten() {
    let server = Server::start().await;
    let relay = Relay::to(server.port).await;
    let mut opened = opened(&relay.url()).await;
    opened.link.round_trip().await.unwrap();
    relay.silence(true);
    // Fill the socket, the write buffer and the command channel.
    let mut entered = 0_u64;
    let fill = async {
        while opened.link.push(&message("a", &[b'x'; 32 << 10]), Kind::Publish).await.is_ok() {
            entered += 1;
        }
    };
    // The one condition is that it does not go on: wait until nothing has moved for a while.
    let _ = tokio::time::timeout(Duration::from_secs(1), fill).await;
    drop(relay);
    let (_, settled) = opened.ended().await;
    assert_eq!(settled.unwritten.len(), COMMANDS_MAX, "the channel was full");
    assert_eq!(settled.unconfirmed_count + settled.unwritten.len() as u64, entered);
}

#[tokio::test]
async fn bytes_that_enter_a_blackhole_are_no_progress() {
    let server = Server::start().await;
    let relay = Relay::to(server.port).await;
    let opened = Arc::new(opened(&relay.url()).await);
    opened.link.round_trip().await.unwrap();
    wait_for("quiet", async || {
        let before = opened.link.traffic();
        tokio::time::sleep(Duration::from_millis(20)).await;
        (opened.link.traffic() == before).then_some(())
    })
    .await;

    let quiet = opened.link.traffic();
    relay.silence(true);
    let pinging = {
        let opened = Arc::clone(&opened);
        tokio::spawn(async move { opened.link.round_trip().await })
    };
    wait_for("the PING to leave", async || (opened.link.traffic().sent > quiet.sent).then_some(())).await;
    wait_for("the PING to be written", async || (!opened.link.traffic().ping_unwritten).then_some(())).await;
    let before = opened.link.traffic();
    for _ in 0..100 {
        opened.link.push(&message("a", b"swallowed by the kernel"), Kind::Publish).await.unwrap();
    }
    opened.link.client().flush().await.unwrap();
    let silent = opened.link.traffic();
    assert!(silent.sent > before.sent && !silent.is_progress_since(before), "{before:?} {silent:?}");

    relay.silence(false);
    within("the PONG", pinging).await.unwrap().unwrap();
    assert!(opened.link.traffic().is_progress_since(silent));
}

#[tokio::test]
async fn a_ping_behind_a_full_buffer_counts_as_progress_while_the_buffer_drains() {
    let unwritten = Traffic { received: 1, sent: 1, ping_unwritten: true, under_way: false };
    assert!(Traffic { sent: 2, ..unwritten }.is_progress_since(unwritten));
    assert!(!unwritten.is_progress_since(unwritten));
}

#[tokio::test]
async fn a_killed_link_closes_its_socket() {
    let server = Server::start().await;
    let mut opened = opened(&server.url()).await;
    assert_eq!(server.connections().await, 1);
    opened.link.kill();
    assert_eq!(opened.link.round_trip().await, Err(Ended));
    let Opened { link, reports } = &mut opened;
    assert!(
        link.push(&message("a", b"x"), Kind::Publish).await.is_ok(),
        "the channel is open while we hold it"
    );
    let _ = reports;
    let Opened { link, mut reports } = opened;
    drop(link);
    let ended = within("the report", reports.recv()).await.unwrap().1;
    assert!(matches!(ended, Report::Ended { cause: Cause::Requested, .. }), "{ended:?}");
    wait_for("no connection", async || (server.connections().await == 0).then_some(())).await;
}

#[tokio::test]
async fn lame_duck_is_reported() {
    let server = Server::with("lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"10s\"").await;
    let mut opened = opened(&server.url()).await;
    server.lame_duck();
    let report = within("the report", opened.reports.recv()).await.unwrap().1;
    assert!(matches!(report, Report::LameDuck), "{report:?}");
}

#[tokio::test]
async fn refusals_at_open_are_told_apart() {
    let open_error = async |url: &str| try_open(url, None).await.err().unwrap();
    let secured = Server::with("authorization { token: s3cr3t }").await;
    let wrong = open_error(&format!("nats://wrong@127.0.0.1:{}", secured.port)).await;
    assert!(matches!(wrong, OpenError::Auth(_)), "{wrong:?}");
    let none = open_error(&secured.url()).await;
    assert!(matches!(none, OpenError::Auth(_)), "{none:?}");
    try_open(&format!("nats://s3cr3t@127.0.0.1:{}", secured.port), None).await.unwrap();

    let small = Server::with(ONE_PER_ACCOUNT).await;
    let url = format!("nats://a:x@127.0.0.1:{}", small.port);
    let _first = opened(&url).await;
    assert_eq!(open_error(&url).await, OpenError::ConnectionLimit);

    let mut dead = Server::start().await;
    dead.kill();
    assert_eq!(open_error(&dead.url()).await, OpenError::Refused);

    let silent = Relay::to(small.port).await;
    silent.silence(true);
    assert_eq!(open_error(&silent.url()).await, OpenError::TimedOut);
    assert!(PATIENCE > Duration::from_secs(2));
}

#[tokio::test]
async fn a_server_that_limits_the_rate_of_connections_is_overloaded() {
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (cert_file, key_file) = (file("cert.pem", cert.pem()), file("key.pem", key.serialize_pem()));
    let tls = format!("tls {{ cert_file: {cert_file:?}, key_file: {key_file:?}, connection_rate_limit: 1 }}");
    let server = Server::with(&tls).await;
    let mut target = target(&format!("tls://localhost:{}", server.port));
    target.reached = Some(([127, 0, 0, 1], server.port).into());
    within("twenty refusals", async {
        let mut overloaded = 0;
        while overloaded < 20 {
            let sessions = Sessions::new(Some(Tls::new().ca_pem(cert.pem())));
            match try_open_at(&target, sessions, None).await.err() {
                Some(OpenError::Overloaded(_)) => overloaded += 1,
                Some(error) => panic!("{error}"),
                None => {}
            }
        }
    })
    .await;
}

const ONE_PER_ACCOUNT: &str = r#"
accounts { ONE { limits { max_connections: 1 }, users = [{ user: a, password: x }] } }"#;

impl Awaited<Answer> {
    async fn replies_end(mut self) {
        assert!((&mut self.answer).await.is_err());
    }
}
