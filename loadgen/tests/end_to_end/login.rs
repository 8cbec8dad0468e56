//! `loadgen ctl env`: users log in to a super-cluster that is up, whatever the kind of their credentials.

use std::collections::BTreeMap;

use async_nats::ConnectOptions;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;

use crate::place::{LIMIT, Place, TURN};

const CLUSTERS: &str = "[[cluster]]\nname = \"lon\"\nservers = 1\n[[cluster]]\nname = \"ams\"\nservers = 1\n";
const USERS: &str = "[[account]]\nname = \"A\"\nuser = [{ name = \"anna\" }, { name = \"bert\" }]\n";
/// Kinds of credentials, with the variables that a user of each has.
const KINDS: [(&str, &str, &[&str]); 5] = [
    ("kind = \"none\"", "", &["NATS_USER", "NATS_PASSWORD"]),
    ("kind = \"password\"\nbcrypt = true", "", &["NATS_USER", "NATS_PASSWORD"]),
    ("kind = \"token\"", "", &["NATS_TOKEN"]),
    ("kind = \"nkey\"", "", &["NATS_NKEY"]),
    ("kind = \"operator\"", "[tls]\nmutual = true\n", &["NATS_CREDS", "NATS_CA", "NATS_CERT", "NATS_KEY"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn users_log_in_with_the_printed_variables() {
    let _turn = TURN.lock().await;
    for (auth, tls, names) in KINDS {
        let place = Place::new();
        let has_users = !auth.contains("token");
        let users = if has_users { USERS } else { "" };
        std::fs::write(place.path("up.toml"), format!("{CLUSTERS}[auth]\n{auth}\n{tls}{users}")).unwrap();
        let mut running = place.command(&["up", "--topology=up.toml"]).spawn().unwrap();
        let mut said = BufReader::new(running.stderr.take().unwrap()).lines();
        let up = async {
            while let Some(line) = said.next_line().await.unwrap() {
                if line.contains("Ctrl-C ends") {
                    return;
                }
            }
            panic!("it ends: {auth}");
        };
        timeout(LIMIT, up).await.expect("it is not up");

        let variables = env(&place, &[]).await;
        let expected = ["NATS_URL"].iter().chain(names).copied();
        assert!(variables.keys().map(String::as_str).eq(sorted(expected)), "{auth}: {variables:?}");
        let server = connect(&variables).await.server_info().server_name;
        assert_eq!(server, "lon-1", "{auth}");
        let far = env(&place, &["--region=ams"]).await;
        assert_eq!(connect(&far).await.server_info().server_name, "ams-1", "{auth}");
        assert!(refuses(&place, &["--region=par"], "no region `par`: choose one of lon, ams").await);
        if has_users {
            connect(&env(&place, &["bert"]).await).await;
            connect(&env(&place, &["system"]).await).await;
            assert!(refuses(&place, &["carl"], "no user `carl`: choose one of anna, bert, system").await);
        } else {
            assert!(refuses(&place, &["carl"], "leave out the user").await);
        }
        kill(Pid::from_raw(running.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
        assert_eq!(timeout(LIMIT, running.wait()).await.expect("it does not end").unwrap().code(), Some(0));
        place.assert_nothing_is_left().await;
    }
}

/// Returns the variables of a shell after `eval "$(loadgen ctl env ...)"`. `--json` must print the same ones.
async fn env(place: &Place, args: &[&str]) -> BTreeMap<String, String> {
    let done = place.run(&[&["ctl", "env"], args].concat()).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let script = format!("{}\nenv", done.stdout);
    let shell = tokio::process::Command::new("sh").args(["-c", &script]).env_clear().output().await.unwrap();
    let printed = String::from_utf8(shell.stdout).unwrap();
    let all = printed.lines().filter_map(|line| line.split_once('='));
    let variables: BTreeMap<String, String> = all
        .filter(|(name, _)| name.starts_with("NATS_"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let done = place.run(&[&["ctl", "env", "--json"], args].concat()).await;
    assert_eq!(serde_json::from_str::<BTreeMap<_, _>>(&done.stdout).unwrap(), variables);
    variables
}

async fn refuses(place: &Place, args: &[&str], why: &str) -> bool {
    let done = place.run(&[&["ctl", "env"], args].concat()).await;
    done.code == Some(1) && done.stdout.is_empty() && done.stderr.contains(why)
}

/// As the `nats` CLI connects.
async fn connect(variables: &BTreeMap<String, String>) -> async_nats::Client {
    let get = |name: &str| variables.get(name).cloned();
    let mut options = match (get("NATS_USER"), get("NATS_TOKEN"), get("NATS_NKEY"), get("NATS_CREDS")) {
        (Some(user), ..) => ConnectOptions::with_user_and_password(user, get("NATS_PASSWORD").unwrap()),
        (_, Some(token), ..) => ConnectOptions::with_token(token),
        (.., Some(file), _) => ConnectOptions::with_nkey(std::fs::read_to_string(file).unwrap()),
        (.., creds) => ConnectOptions::with_credentials_file(creds.unwrap()).await.unwrap(),
    };
    if let Some(ca) = get("NATS_CA") {
        let (cert, key) = (get("NATS_CERT").unwrap(), get("NATS_KEY").unwrap());
        options = options
            .add_root_certificates(ca.into())
            .add_client_certificate(cert.into(), key.into())
            .require_tls(true);
    }
    let url = variables["NATS_URL"].split(',').next().unwrap();
    timeout(LIMIT, options.connect(url)).await.expect("no answer").unwrap()
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}
