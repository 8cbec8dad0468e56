//! Tests of the TLS options that an application can set, and of their errors.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, HandshakeKind};

use super::{Sessions, Tls};
use crate::native::support::Server;

struct Made {
    cert: String,
    key: String,
}

fn made() -> Made {
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(["a.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    Made { cert: cert.pem(), key: key.serialize_pem() }
}

#[test]
fn what_cannot_be_used_is_named_and_never_repeated() {
    let (one, other) = (made(), made());
    let cases = [
        (Tls::new().ca_file("/no/ca.pem"), "reading `/no/ca.pem` failed: No such file"),
        (
            Tls::new().ca_pem("nonsense"),
            "the text that was given is not valid: there is no certificate in it",
        ),
        (Tls::new().ca_pem(&one.key), "the text that was given is not valid: there is no certificate in it"),
        (
            Tls::new().ca_pem(&one.cert).client_cert_pem(&one.cert, one.cert.as_str()),
            "the text that was given is not valid: there is no private key in it",
        ),
        (
            Tls::new().ca_pem(&one.cert).client_cert_pem(&one.cert, other.key.as_str()),
            "the client certificate in the text that was given does not fit the key",
        ),
    ];
    for (tls, expected) in cases {
        let error = tls.build().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!format!("{error}{tls:?}").contains("PRIVATE KEY"), "{error}{tls:?}");
    }
    let usable = Tls::new().ca_pem(&one.cert).client_cert_pem(&one.cert, one.key.as_str());
    assert!(usable.build().is_ok());
}

#[tokio::test]
async fn a_configuration_is_made_once() {
    let sessions = Sessions::new(Some(Tls::new().ca_pem(made().cert)));
    let (one, other) = (sessions.config().await.unwrap(), sessions.config().await.unwrap());
    assert!(Arc::ptr_eq(&one, &other));
    let held = |name: &'static str| sessions.config_held_to(name);
    let (one, same, other) = (held("a").await.unwrap(), held("a").await.unwrap(), held("b").await.unwrap());
    assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
    assert!(held("not a name").await.is_err());
}

/// A server that says nothing before the handshake, and its certificate, which is for a.test.
async fn server() -> (Server, String) {
    let made = made();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (cert, key) = (file("cert", &made.cert), file("key", &made.key));
    let config = format!("tls {{ cert_file: \"{cert}\", key_file: \"{key}\", handshake_first: true }}");
    (Server::with(&config).await, made.cert)
}

async fn handshake(
    config: Arc<ClientConfig>,
    server: &Server,
    name: &'static str,
) -> std::io::Result<HandshakeKind> {
    let socket = TcpStream::connect(("127.0.0.1", server.port)).await?;
    let name = ServerName::try_from(name).unwrap();
    let mut session = TlsConnector::from(config).connect(name, socket).await?;
    // What resumes a session comes with the first bytes.
    let mut byte = [0];
    session.read_exact(&mut byte).await?;
    Ok(session.get_ref().1.handshake_kind().unwrap())
}

#[tokio::test]
async fn what_is_dialled_by_number_is_held_to_the_name() {
    let (server, authority) = server().await;
    let sessions = Sessions::new(Some(Tls::new().ca_pem(authority)));
    let by_name = sessions.config().await.unwrap();
    assert!(handshake(Arc::clone(&by_name), &server, "a.test").await.is_ok());
    assert!(handshake(by_name, &server, "127.0.0.1").await.is_err(), "the number is not in the certificate");
    let held = sessions.config_held_to("a.test").await.unwrap();
    assert!(handshake(held, &server, "127.0.0.1").await.is_ok());
    let held = sessions.config_held_to("b.test").await.unwrap();
    let error = handshake(held, &server, "127.0.0.1").await.unwrap_err();
    let said = super::explain(super::find_error(&error).unwrap(), "b.test");
    assert!(said.contains("the certificate is not for `b.test`"), "{said}");
}

#[tokio::test]
async fn sessions_are_resumed_but_never_under_another_name() {
    let (server, authority) = server().await;
    let sessions = Sessions::new(Some(Tls::new().ca_pem(authority)));
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let config = sessions.config().await.unwrap();
        assert_eq!(handshake(config, &server, "a.test").await.unwrap(), expected);
    }
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let config = sessions.config_held_to("a.test").await.unwrap();
        assert_eq!(handshake(config, &server, "127.0.0.1").await.unwrap(), expected);
    }
    let stranger = sessions.config_held_to("b.test").await.unwrap();
    assert!(handshake(stranger, &server, "127.0.0.1").await.is_err());
}
