//! Tests of servers that the application did not list, but that a listed server advertises.

use nats_geo::core::Config;
use nats_geo::{GeoOptions, Tls};
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::support::{Server, wait_for, within};

/// Servers advertise numbers, and certificates are for names.
#[tokio::test]
async fn an_advertised_number_is_held_to_the_name_of_the_listed_server() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [cert_file, key_file] = ["cert", "key"].map(|name| folder.path().join(name));
    std::fs::write(&cert_file, cert.pem()).unwrap();
    std::fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    for websocket in [false, true] {
        let files = format!("cert_file: {cert_file:?}, key_file: {key_file:?}");
        let ways_in =
            format!("tls {{ {files} }}\nwebsocket {{ listen: \"127.0.0.1:-1\", tls {{ {files} }} }}");
        let cluster = "cluster { name: lon, listen: \"127.0.0.1:-1\"";
        let mut listed = Server::with(&format!("{ways_in}\n{cluster} }}")).await;
        let route = listed.monitor("varz").await["cluster"]["cluster_port"].as_u64().unwrap();
        let routes = format!("routes: [\"nats-route://127.0.0.1:{route}\"]");
        let other = Server::with(&format!("{ways_in}\n{cluster}, {routes} }}")).await;
        wait_for("the route", async || {
            (listed.monitor("routez").await["num_routes"].as_u64()? > 0).then_some(())
        })
        .await;

        let (scheme, port) = if websocket { ("wss", listed.websocket) } else { ("tls", listed.port) };
        let options = GeoOptions::new().config(Config::interactive()).tls(Tls::new().ca_pem(cert.pem()));
        let connecting = options.connect(format!("{scheme}://localhost:{port}"));
        let client = within("connecting", connecting).await.unwrap();
        let expected = format!("127.0.0.1:{}", if websocket { other.websocket } else { other.port });
        wait_for("the advertised server to be measured", async || {
            let ranking = client.snapshot().ranking;
            ranking.iter().any(|server| server.address == expected && server.base_rtt.is_some()).then_some(())
        })
        .await;
        listed.kill();
        wait_for("the advertised server to take over", async || {
            let place = client.snapshot().active?;
            (place.address == expected).then_some(())
        })
        .await;
        within("a publish", client.publish("a", "b".into())).await.unwrap();
    }
}
