//! No file of a bundle holds a password, a token or a credential of S3.

use std::path::Path;

use tempfile::tempdir;

use crate::bundles::files_in;
use crate::fates::Fates;
use crate::runs::{SCENARIO, play};
use crate::s3::{KEY_ID, S3, SECRET_KEY};

/// Each place from which a secret could come.
const SECRETS: [&str; 5] = [
    "p4ss-of-an-account",
    "p4ss-from-a-variable",
    "p4ss-from-the-env-file",
    "p4ss-of-the-command-line",
    SECRET_KEY,
];

const ACCOUNTS: &str = r#"
[variables]
PASS = "p4ss-from-a-variable"
OTHER = "never used"
[topology.auth]
kind = "password"
[[topology.account]]
name = "app"
jetstream = true
user = [{ name = "a", password = "p4ss-of-an-account" }, { name = "b", password = "${PASS}" }, { name = "c", password = "${OTHER}" }, { name = "d", password = "changed" }]
[[topology.account]]
name = "SYS"
system = true
user = [{ name = "admin", password = "p4ss-of-an-account-2" }]
"#;

fn with_passwords() -> String {
    let cluster =
        r#"topology = { cluster = [{ name = "lon", servers = 1 }, { name = "ams", servers = 1 }] }"#;
    let clusters = "[[topology.cluster]]\nname = \"lon\"\nservers = 1\n[[topology.cluster]]\nname = \"ams\"\nservers = 1\n";
    assert!(SCENARIO.contains(cluster));
    format!("{}{clusters}{ACCOUNTS}", SCENARIO.replace(cluster, "").replace("repeat = 2", "repeat = 1"))
}

fn leaks(folder: &Path, secrets: &[&str]) -> Vec<String> {
    let holds =
        |bytes: &[u8], secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
    let mut found = Vec::new();
    for (name, bytes) in files_in(folder) {
        found.extend(
            secrets.iter().filter(|secret| holds(&bytes, secret)).map(|secret| format!("{name}: {secret}")),
        );
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_a_bundle_holds_a_secret() {
    let (place, s3) = (tempdir().unwrap(), S3::start(Fates::kind()).await);
    std::fs::write(place.path().join("mine.env"), "OTHER=p4ss-from-the-env-file\n").unwrap();
    let change = "topology.account.0.user.3.password=p4ss-of-the-command-line";
    let more = ["--env", "mine.env", "--set", change, "--details"];
    let output = play(&s3, place.path(), &with_passwords(), &more).await;
    assert!(matches!(output.status.code(), Some(98 | 99)), "{output:?}");
    // The scan finds what is there: the operator's own file has passwords.
    assert!(leaks(place.path(), &SECRETS[..1]).iter().any(|leak| leak.starts_with("short.toml")));

    let out = place.path().join("loadgen-out");
    assert!(out.join("manifest.json").is_file() && out.join("scenario.toml").is_file());
    let secrets = [&SECRETS[..], &[KEY_ID]].concat();
    assert_eq!(leaks(&out, &secrets), Vec::<String>::new());
    assert!(files_in(&s3.objects()).len() > 10);
    assert_eq!(leaks(&s3.objects(), &secrets), Vec::<String>::new());
    for printed in [output.stdout, output.stderr] {
        let printed = String::from_utf8(printed).unwrap();
        assert!(secrets.iter().all(|secret| !printed.contains(secret)), "{printed}");
    }
}

/// `loadgen run loadgen-out/scenario.toml` would replace the operator's passwords.
#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_with_passwords_is_not_replaced_by_its_copy() {
    let (place, s3) = (tempdir().unwrap(), S3::start(Fates::kind()).await);
    let out = place.path().join("scenario.toml");
    std::fs::write(&out, with_passwords()).unwrap();
    let mut run = s3.loadgen(&["run", "scenario.toml", "--out", ".", "--dry-run"]);
    let output = run.current_dir(place.path()).output().await.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        error.contains("scenario.toml`, which may be a scenario of yours")
            && error.contains("choose another --out"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&out).unwrap(), with_passwords());
}
