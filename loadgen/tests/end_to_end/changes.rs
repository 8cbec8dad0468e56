//! Changes of the topology file while `loadgen up` runs: shown, applied everywhere, or nowhere.

use async_nats::ConnectOptions;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStderr;
use tokio::time::timeout;

use crate::place::{LIMIT, Place, TURN};

/// Two regions, and these accounts.
fn topology(accounts: &str) -> String {
    format!(
        "[[cluster]]\nname = \"lon\"\nservers = 1\n[[cluster]]\nname = \"ams\"\nservers = 1\n[auth]\nkind = \"password\"\n{accounts}"
    )
}

const BEFORE: &str = "[[account]]\nname = \"A\"\nuser = [{ name = \"old\", password = \"pw\" }]\n";
const AFTER: &str =
    "[[account]]\nname = \"A\"\nuser = [{ name = \"new\", password = \"pw\", publish = [\"orders.>\"] }]\n";
/// nats-server refuses imports in a circle, and loadgen does not look for them.
const CIRCLE: &str = "[[account]]\nname = \"A\"\nuser = [{ name = \"new\", password = \"pw\", publish = [\"orders.>\"] }]\n\
     export = [{ service = \"x\" }]\nimport = [{ from = \"B\", service = \"x\" }]\n\
     [[account]]\nname = \"B\"\nuser = [{ name = \"b\", password = \"pw\" }]\n\
     export = [{ service = \"x\" }]\nimport = [{ from = \"A\", service = \"x\" }]\n";

async fn connects(url: &str, user: &str) -> bool {
    let options = ConnectOptions::with_user_and_password(user.to_owned(), "pw".to_owned());
    timeout(LIMIT, options.connect(url)).await.expect("no answer").is_ok()
}

/// Reads what `up` prints until a line contains `word`; returns all of it.
async fn said(lines: &mut Lines<BufReader<ChildStderr>>, word: &str) -> String {
    let mut all = String::new();
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            all.push_str(&line);
            all.push('\n');
            if line.contains(word) {
                break;
            }
        }
    };
    timeout(LIMIT, reading).await.unwrap_or_else(|_| panic!("no line with {word:?}"));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_applied_everywhere_or_nowhere() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    let file = place.path("live.toml");
    std::fs::write(&file, topology(BEFORE)).unwrap();
    let mut running = place.command(&["up", "--topology=live.toml"]).spawn().unwrap();
    let mut addresses = BufReader::new(running.stdout.take().unwrap()).lines();
    let mut errors = BufReader::new(running.stderr.take().unwrap()).lines();
    let first = timeout(LIMIT, addresses.next_line()).await.expect("no address").unwrap().unwrap();
    let urls: Vec<_> =
        first.strip_prefix("lon tcp ").unwrap().split(',').map(|it| it.split_once('=').unwrap().1).collect();
    said(&mut errors, "Ctrl-C ends the deployment").await;
    assert!(connects(urls[0], "old").await && !connects(urls[0], "new").await);

    std::fs::write(&file, topology(AFTER)).unwrap();
    let said_now = said(&mut errors, "every server has applied the change").await;
    assert!(
        said_now.contains("- user old of account A") && said_now.contains("+ user new of account A"),
        "{said_now}"
    );
    for url in &urls {
        assert!(connects(url, "new").await && !connects(url, "old").await, "{url}");
    }

    // What a server refuses is nowhere.
    std::fs::write(&file, topology(CIRCLE)).unwrap();
    let said_now = said(&mut errors, "not applied").await;
    assert!(said_now.contains("+ account B") && said_now.contains("refused the configuration"), "{said_now}");
    for url in &urls {
        assert!(connects(url, "new").await && !connects(url, "b").await, "{url}");
    }

    // The first server takes this one and gives it back, because the second does not answer.
    let processes = place.processes().await;
    let stopped = processes.iter().find(|line| line.contains("lon-1.conf")).unwrap();
    let stopped = Pid::from_raw(stopped.split_whitespace().next().unwrap().parse().unwrap());
    kill(stopped, Signal::SIGSTOP).unwrap();
    std::fs::write(&file, topology(&AFTER.replace("name = \"new\"", "name = \"newest\""))).unwrap();
    let said_now = said(&mut errors, "not applied").await;
    kill(stopped, Signal::SIGCONT).unwrap();
    assert!(
        said_now.contains("lon-1 refused") && said_now.contains("have the old configuration"),
        "{said_now}"
    );
    for url in &urls {
        assert!(connects(url, "new").await && !connects(url, "newest").await, "{url}");
    }

    // Nor is what is wrong, or needs a restart.
    std::fs::write(&file, topology(AFTER).replace("servers = 1", "servers = 2")).unwrap();
    let said_now = said(&mut errors, "cannot change").await;
    assert!(said_now.contains("`cluster`"), "{said_now}");
    std::fs::write(&file, topology("[[account]]\nname = \"A\"\n")).unwrap();
    let said_now = said(&mut errors, "live.toml:").await;
    assert!(said_now.contains("has no user"), "{said_now}");

    kill(Pid::from_raw(running.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(timeout(LIMIT, running.wait()).await.expect("it does not end").unwrap().code(), Some(0));
    place.assert_nothing_is_left().await;
}
