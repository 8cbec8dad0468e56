//! Tests with certificates of real servers: one expires in three days, the other in 300.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use loadgen::clock;
use loadgen::cluster::NatsServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use time::OffsetDateTime;

use crate::command::{Place, TURN, wait_until};

const DAY: Duration = Duration::from_secs(86_400);

/// nats-server processes. They end when this is dropped.
struct Servers(Vec<Child>);

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An authority and the certificates that it signs, as PEM files.
struct Authority<'a> {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: &'a Place,
}

impl<'a> Authority<'a> {
    fn new(folder: &'a Place) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.path("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// Writes `NAME.pem` and `NAME.key`.
    fn sign(&self, name: &str, lives: Duration) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.not_after = OffsetDateTime::from(clock::wall() + lives);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.folder.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.folder.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

fn start(server: &NatsServer, folder: &Path, name: &str, port: u16, more: &str) -> Child {
    let config = format!(
        "server_name: {name}\nlisten: \"127.0.0.1:{port}\"\nsystem_account: SYS\n\
         accounts {{ SYS {{ users: [{{ user: system, password: hunter2 }}] }} }}\n\
         tls {{ cert_file: \"{name}.pem\", key_file: \"{name}.key\", ca_file: \"ca.pem\"{more} }}\n"
    );
    std::fs::write(folder.join(format!("{name}.conf")), config).unwrap();
    let mut command = Command::new(&server.path);
    command.arg("-c").arg(format!("{name}.conf")).current_dir(folder);
    command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Ports that were free a moment ago.
fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_soon_is_warned_about() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    let authority = Authority::new(&place);
    authority.sign("lon-1", 3 * DAY);
    authority.sign("ams-1", 300 * DAY);
    authority.sign("client", 300 * DAY);
    let server = tokio::task::spawn_blocking(|| NatsServer::find(None).unwrap()).await.unwrap();
    let [lon, ams] = free_ports();
    let folder = place.path("");
    // One of them asks for a client certificate, which is not needed to read its own.
    let _servers = Servers(vec![
        start(&server, &folder, "lon-1", lon, ", verify: true"),
        start(&server, &folder, "ams-1", ams, ""),
    ]);
    for port in [lon, ams] {
        wait_until(async || {
            let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            connected.map(drop).map_err(|error| error.to_string())
        })
        .await;
    }
    let rules = "every = \"1s\"\n[[rule]]\nname = \"certificate\"\nwhen = \"certificate-expires\"\nwithin = \"7d\"\n\
         do = \"warn\"\nat_most = \"9 per 1h\"\n";
    let urls = format!("tls://127.0.0.1:{lon},tls://127.0.0.1:{ams}");
    let login = ["--server", &urls, "--user", "system", "--password", "hunter2", "--act", "--timeout", "500"];
    let tls = ["--tlsca", "ca.pem", "--tlscert", "client.pem", "--tlskey", "client.key"];
    let login: Vec<_> = login.into_iter().chain(tls).map(str::to_owned).collect();
    let guard = place.guard(rules, &login, &[]).await;

    let warned = guard.wait_for("acts", |_| true).await;
    assert_eq!(warned["subject"], "lon-1", "{warned}");
    let left = warned["evidence"]["ends_in_s"].as_f64().unwrap();
    assert!((3.0 * 86_400.0 - left).abs() < 3_600.0, "{left}");
    let output = guard.output();
    assert!(output.contains("certificate: lon-1 has a certificate that expires in 3.0 days"), "{output}");
    assert_eq!(guard.events("acts").len(), 1, "the other certificate is good: {output}");
    assert_eq!(guard.events("cannot-see").len(), 0, "{output}");
    assert!(!output.contains("hunter2"), "{output}");
    guard.stop().await;
}
