//! What is said when no TLS session comes about: which certificate is wrong, and what helps.

use nats_geo::Tls;

use super::certificates::Authority;
use super::failed;
use crate::world::{World, options};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_authority_and_a_wrong_name_are_told_apart() {
    let authority = Authority::new();
    let servers = authority.server("localhost").of_servers();
    let world = World::with(|settings| settings.tls = Some(servers)).await;
    let other = Authority::new();
    let stranger = options().tls(Tls::new().ca_file(other.file()));
    for scheme in ["tls", "wss"] {
        let said = failed(stranger.clone(), world.urls_by(scheme, "lon")).await;
        let expected = "TLS: the certificate of `localhost` was signed by an authority that is not trusted: give this \
                        authority with Tls::ca_file";
        assert!(said.contains(expected), "{scheme}: {said}");

        let by_number =
            world.urls_by(scheme, "lon").iter().map(|url| url.replace("localhost", "127.0.0.1")).collect();
        let said = failed(options().tls(Tls::new().ca_file(authority.file())), by_number).await;
        assert!(said.contains("the certificate is not for `127.0.0.1` but for "), "{scheme}: {said}");
        assert!(said.contains("localhost"), "{scheme}: {said}");
        assert!(said.contains("list the server by a name that its certificate has"), "{scheme}: {said}");
    }
    let eager = options().tls(Tls::new().ca_file(authority.file()).first());
    let said = failed(eager, world.urls_by("tls", "lon")).await;
    assert!(said.contains("leave out Tls::first"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_named() {
    let authority = Authority::new();
    let servers = authority.expired("localhost").of_servers();
    let world = World::with(|settings| settings.tls = Some(servers)).await;
    for scheme in ["tls", "wss"] {
        let trusting = options().tls(Tls::new().ca_file(authority.file()));
        let said = failed(trusting, world.urls_by(scheme, "lon")).await;
        assert!(said.contains("the certificate of `localhost` has expired: renew it"), "{scheme}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_that_is_missing_or_of_a_stranger_is_named() {
    let authority = Authority::new();
    let mut servers = authority.server("localhost").of_servers();
    servers.client_ca_file = Some(authority.file());
    let world = World::with(|settings| settings.tls = Some(servers)).await;
    let trusting = Tls::new().ca_file(authority.file());
    let stranger = Authority::new();
    let of_stranger = stranger.client();
    let wrong = trusting.clone().client_cert_files(of_stranger.cert, of_stranger.key);
    for scheme in ["tls", "wss"] {
        let said = failed(options().tls(trusting.clone()), world.urls_by(scheme, "lon")).await;
        assert!(said.contains("give one with Tls::client_cert_files"), "{scheme}: {said}");
        let said = failed(options().tls(wrong.clone()), world.urls_by(scheme, "lon")).await;
        assert!(said.contains("the server refused the client certificate"), "{scheme}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_not_talked_to_when_tls_is_asked_for() {
    let world = World::start().await;
    let authority = Authority::new();
    let trusting = options().tls(Tls::new().ca_file(authority.file()));
    for scheme in ["tls", "nats", "wss"] {
        let said = failed(trusting.clone(), world.urls_by(scheme, "lon")).await;
        assert!(
            said.contains("TLS: the server does not answer with TLS: configure it there"),
            "{scheme}: {said}"
        );
    }
}
