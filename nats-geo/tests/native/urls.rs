//! Tests of the addresses of servers that applications write.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use nats_geo::Tls;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::basics::options;
use crate::support::{Server, wait_for, within};

/// Serves WebSockets below one path, as a reverse proxy does that routes by path; returns its port.
async fn reverse_proxy(path: &'static str, upstream: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(route(socket, path, upstream));
        }
    });
    port
}

async fn route(mut client: TcpStream, path: &str, upstream: u16) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    if !head.starts_with(format!("GET {path} HTTP/1.1\r\n").as_bytes()) {
        return client.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream)).await?;
    server.write_all(&head).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}

#[tokio::test]
async fn a_websocket_behind_a_path_is_reached_by_probes_and_links() {
    let server = Server::with_websocket("").await;
    let port = reverse_proxy("/nats/geo?x=1", server.websocket).await;
    let client = options().connect(format!("ws://127.0.0.1:{port}/nats/geo?x=1"));
    let client = within("connecting", client).await.unwrap();
    wait_for("a probe's answer", async || client.snapshot().ranking[0].base_rtt.map(drop)).await;
    let address = client.snapshot().active.unwrap().address;
    assert_eq!(address, format!("127.0.0.1:{port}/nats/geo"), "a query may be secret");
    within("a round trip", client.flush()).await.unwrap();

    let elsewhere = options().connect(format!("ws://127.0.0.1:{port}/elsewhere"));
    let error = within("the refusal", elsewhere).await.unwrap_err().to_string();
    assert!(error.contains("404"), "{error}");
}

#[tokio::test]
async fn a_server_that_waits_for_the_tls_handshake_is_found_out() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [cert_file, key_file] = ["cert", "key"].map(|name| folder.path().join(name));
    std::fs::write(&cert_file, cert.pem()).unwrap();
    std::fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let tls = format!("tls {{ cert_file: {cert_file:?}, key_file: {key_file:?}, handshake_first: true }}");
    let server = Server::with(&tls).await;
    let trusting = Tls::new().ca_pem(cert.pem());
    let url = |scheme| format!("{scheme}://localhost:{}", server.port);

    let connecting = [
        options().tls(trusting.clone()).connect(url("tls")),
        options().tls(trusting.clone()).connect(url("nats")),
        // The certificate is of an unknown authority: that it is shown proves enough.
        options().connect(url("nats")),
    ];
    for connecting in connecting {
        let error = within("the refusal", connecting).await.unwrap_err().to_string();
        assert!(error.contains("sent nothing") && error.contains("Tls::first"), "{error}");
    }
    let client = options().tls(trusting.first()).connect(url("tls"));
    within("connecting", client).await.unwrap();
}
