//! Ways to log in: contexts of the `nats` CLI, an NKey, TLS with a client certificate. Also repeated looks.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use loadgen::cluster::NatsServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::command::{Servers, TURN, free_ports, json, refused, shown};

async fn nats_server() -> NatsServer {
    tokio::task::spawn_blocking(|| NatsServer::find(None).unwrap()).await.unwrap()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn contexts_of_the_nats_cli_are_read_and_never_written() {
    let _turn = TURN.lock().await;
    let [port] = free_ports();
    let mut servers = Servers::new();
    let jetstream = "jetstream { store_dir: \"STORE\", domain: hub }";
    servers.start(&nats_server().await, "alone", port, jetstream).await;
    let home = servers.path().join("home");
    let context = |user: &str, password: &str| {
        format!(
            r#"{{ "description": "", "url": "nats://127.0.0.1:{port}", "token": "", "user": "{user}",
                "password": "{password}", "creds": "", "nkey": "", "cert": "", "key": "", "ca": "", "nsc": "",
                "jetstream_domain": "hub", "inbox_prefix": "_MINE", "user_jwt": "", "tls_first": false }}"#
        )
    };
    write(&home, "nats/context/sc-sys.json", &context("system", "hunter2"));
    write(&home, "nats/context/sc.json", &context("acc", "env://ACC_PASSWORD"));
    write(&home, "nats/context.txt", "sc-sys");
    let env = [("XDG_CONFIG_HOME", home.to_str().unwrap()), ("ACC_PASSWORD", "hunter3")];
    let before = listed(&home);

    assert_eq!(json(&["servers"], &env)["servers"][0]["name"], "alone", "the selected context");
    let error = refused(1, &["servers", "--context", "sc"], &env);
    assert!(error.contains("account `ACC`"), "{error}");
    let streams = ["streams", "--context", "sc", "--all-domains", "--system-context", "sc-sys"];
    assert_eq!(shown(&streams, &env).trim(), "This account has no streams here");
    let error = refused(2, &["servers", "--context", "none"], &env);
    assert!(error.contains("none.json") && error.contains("nats context ls"), "{error}");
    let url = format!("127.0.0.1:{port}");
    let error = refused(1, &["servers", "--server", &url], &env);
    assert!(error.contains("authorization violation"), "no credentials of the selected context: {error}");
    assert_eq!(listed(&home), before);

    watching_goes_on(&mut servers, port, &env).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_ask_is_told_so() {
    let _turn = TURN.lock().await;
    let [port] = free_ports();
    let mut servers = Servers::new();
    let more = "accounts { SYS { users: [\n{ user: system, password: hunter2, permissions: { publish: { deny: \"$SYS.>\" } } }\n] } }";
    servers.start(&nats_server().await, "alone", port, more).await;
    let url = format!("nats://system:hunter2@127.0.0.1:{port}");
    let error = refused(1, &["servers", "--server", &url, "--timeout", "500"], &[]);
    assert!(error.contains("the servers refuse") && error.contains("$SYS.REQ.>"), "{error}");
}

/// The files of a folder, with their contents.
fn listed(folder: &Path) -> Vec<(String, String)> {
    let files = ["nats/context/sc-sys.json", "nats/context/sc.json", "nats/context.txt"];
    let count = std::fs::read_dir(folder.join("nats/context")).unwrap().count();
    assert_eq!((count, std::fs::read_dir(folder.join("nats")).unwrap().count()), (2, 2));
    files.map(|file| (file.to_owned(), std::fs::read_to_string(folder.join(file)).unwrap())).into()
}

/// Past a restart of the server, too.
async fn watching_goes_on(servers: &mut Servers, port: u16, env: &[(&str, &str)]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(["servers", "--json", "--watch", "1", "--timeout", "500"]).envs(env.iter().copied());
    command.env_remove("NATS_URL").env_remove("RUST_LOG").stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut looks = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut look = || {
        let report: serde_json::Value = serde_json::from_str(&looks.next().unwrap().unwrap()).unwrap();
        assert_eq!(report["totals"]["servers"], 1);
        report["servers"][0]["id"].as_str().unwrap().to_owned()
    };
    let first = look();
    assert_eq!(look(), first);
    servers.stop();
    let error = errors.find(|line| line.as_ref().unwrap().starts_with("loadgen: ")).unwrap().unwrap();
    assert!(error.contains("within 500 ms"), "{error}");
    servers
        .start(&nats_server().await, "alone", port, "jetstream { store_dir: \"STORE\", domain: hub }")
        .await;
    while look() == first {}
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_nkey_and_a_client_certificate_log_in() {
    let _turn = TURN.lock().await;
    let [port] = free_ports();
    let mut servers = Servers::new();
    let file = |name: &str, text: &str| write(servers.path(), name, text);
    let user = nkeys::KeyPair::new_user();
    let seed = file("seed.nk", &format!("# of the system account\n{}\n", user.seed().unwrap()));
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let authority = file("ca.pem", &ca.pem());
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let (certificate, key) = (file("cert.pem", &certificate.pem()), file("key.pem", &key.serialize_pem()));
    let more = format!(
        "tls {{ cert_file: \"{certificate}\", key_file: \"{key}\", ca_file: \"{authority}\", verify: true }}\n\
         accounts {{ SYS {{ users: [{{ nkey: {} }}] }} }}",
        user.public_key()
    );
    servers.start(&nats_server().await, "alone", port, &more).await;

    let url = format!("nats://127.0.0.1:{port}");
    let with_key = ["servers", "--server", &url, "--nkey", &seed];
    let all = [&with_key[..], &["--tlsca", &authority, "--tlscert", &certificate, "--tlskey", &key]].concat();
    assert_eq!(json(&all, &[])["servers"][0]["name"], "alone");
    let error = refused(1, &with_key, &[]);
    assert!(error.contains("--tlsca"), "{error}");
    let error = refused(1, &[&with_key[..], &["--tlsca", "/nowhere.pem"]].concat(), &[]);
    assert!(error.contains("cannot connect to 127.0.0.1"), "{error}");
    let error = refused(2, &["servers", "--server", &url, "--nkey", &certificate], &[]);
    assert!(error.contains("begins with SU"), "{error}");
}
