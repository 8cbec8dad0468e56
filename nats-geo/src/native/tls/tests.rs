//! What users may give, and what they are told about it.

use rcgen::{CertificateParams, KeyPair};

use super::Tls;

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
        (Tls::new().ca_file("/no/ca.pem"), "/no/ca.pem cannot be read: No such file"),
        (
            Tls::new().ca_pem("nonsense"),
            "the text that was given cannot be used: there is no certificate in it",
        ),
        (
            Tls::new().ca_pem(&one.key),
            "the text that was given cannot be used: there is no certificate in it",
        ),
        (
            Tls::new().ca_pem(&one.cert).client_cert_pem(&one.cert, one.cert.as_str()),
            "the text that was given cannot be used: there is no private key in it",
        ),
        (
            Tls::new().ca_pem(&one.cert).client_cert_pem(&one.cert, other.key.as_str()),
            "the client certificate in the text that was given cannot be used with the key",
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
    let sessions = super::Sessions::new(Some(Tls::new().ca_pem(made().cert)));
    let (one, other) = (sessions.config().await.unwrap(), sessions.config().await.unwrap());
    assert!(std::sync::Arc::ptr_eq(&one, &other));
    let held = |name: &'static str| sessions.config_held_to(name);
    let (one, same, other) = (held("a").await.unwrap(), held("a").await.unwrap(), held("b").await.unwrap());
    assert!(std::sync::Arc::ptr_eq(&one, &same) && !std::sync::Arc::ptr_eq(&one, &other));
    assert!(held("not a name").await.is_err());
}
