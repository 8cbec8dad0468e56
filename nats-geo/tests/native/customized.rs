//! Tests of the options of async-nats.

use std::time::Duration;

use async_nats::ReconnectToServer;
use futures_util::StreamExt as _;
use nats_geo::{ConnectError, ConnectionOptions};

use crate::basics::options;
use crate::support::{Relay, Server, wait_for, within};

type Customize = fn(ConnectionOptions) -> ConnectionOptions;

/// Each option that belongs to the client, and what its error has to name.
const WITHOUT_EFFECT: [(&str, &str, Customize); 20] = [
    ("ignore_discovered_servers", "GeoOptions::ignore_discovered_servers", |it| {
        it.ignore_discovered_servers()
    }),
    ("retry_on_initial_connect", "GeoOptions::retry_on_initial_connect", |it| it.retry_on_initial_connect()),
    ("event_callback", "GeoClient::notices", |it| it.event_callback(|_event| async {})),
    ("client_capacity", "GeoOptions::publish_wait", |it| it.client_capacity(9)),
    ("connection_timeout", "GeoOptions::connect_timeout", |it| it.connection_timeout(Duration::from_secs(9))),
    ("request_timeout", "GeoOptions::request_timeout", |it| it.request_timeout(None)),
    ("ping_interval", "Config::watch.ping_interval", |it| it.ping_interval(Duration::from_secs(9))),
    ("max_reconnects", "Config::dial", |it| it.max_reconnects(9)),
    ("reconnect_delay_callback", "Config::dial", |it| it.reconnect_delay_callback(|_tries| Duration::ZERO)),
    ("reconnect_to_server_callback", "GeoClient::set_servers", |it| {
        it.reconnect_to_server_callback(|_pool, _info| async { None::<ReconnectToServer> })
    }),
    ("retain_servers_order", "GeoOptions::server_with_region", |it| it.retain_servers_order()),
    ("require_tls", "GeoOptions::tls", |it| it.require_tls(true)),
    ("tls_first", "Tls::first", |it| it.tls_first()),
    ("add_root_certificates", "GeoOptions::tls", |it| it.add_root_certificates("a.pem".into())),
    ("add_client_certificate", "GeoOptions::tls", |it| it.add_client_certificate("a".into(), "b".into())),
    ("token", "GeoOptions::token", |it| it.token("s3cret".into())),
    ("user_and_password", "GeoOptions::user_and_password", |it| {
        it.user_and_password("u".into(), "s3cret".into())
    }),
    ("nkey", "GeoOptions::nkey", |it| it.nkey("s3cret".into())),
    ("name", "GeoOptions::name", |it| it.name("shop")),
    ("skip_subject_validation", "subjects", |it| it.skip_subject_validation(true)),
];

#[tokio::test]
async fn an_option_that_cannot_have_its_effect_is_an_error_that_says_what_to_use() {
    let server = Server::start().await;
    for (option, instead, customize) in WITHOUT_EFFECT {
        let connecting = options().customize(customize).connect(server.url());
        let error = within("the failure", connecting).await.unwrap_err();
        let ConnectError::WithoutEffect(without_effect) = &error else { panic!("{option}: {error}") };
        assert_eq!(without_effect.option, option);
        let text = error.to_string();
        assert!(text.contains(&format!("`{option}`")) && text.contains(instead), "{text}");
        assert!(!format!("{text} {error:?}").contains("s3cret"));
    }
    let both = |it: ConnectionOptions| it.no_echo().tls_first().ignore_discovered_servers();
    let error = within("the failure", options().customize(both).connect(server.url())).await.unwrap_err();
    assert!(error.to_string().contains("tls_first"), "the first one: {error}");
}

#[tokio::test]
async fn options_of_connections_have_their_effect_with_the_guard_too() {
    let server = Server::start().await;
    let relay = Relay::to(server.port).await;
    let customized = options().customize(|it| {
        let it = it.no_echo().custom_inbox_prefix("_INBOX_shop").subscription_capacity(99);
        it.read_buffer_capacity(9_999).local_address("127.0.0.1:0".parse().unwrap())
    });
    let client = within("connecting", customized.connect(relay.url())).await.unwrap();
    let mut echoes = client.subscribe("a").await.unwrap();
    for moves in 0..2 {
        wait_for("the link", async || (client.stats().moves == moves).then_some(())).await;
        client.publish("a", "x".into()).await.unwrap();
        client.flush().await.unwrap();
        assert!(client.nats().unwrap().new_inbox().starts_with("_INBOX_shop."));
        // The server lives: the next link is guarded.
        relay.cut();
    }
    let late = tokio::time::timeout(Duration::from_millis(50), echoes.next()).await;
    assert!(late.is_err(), "no message comes back");
}
