//! Tests of a topology file that changes while `loadgen up` runs: loadgen shows the change, and applies it to all
//! servers or to none.

use async_nats::{ConnectOptions, jetstream};
use futures_util::StreamExt as _;
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

const BEFORE: &str =
    "[[account]]\nname = \"A\"\njetstream = true\nuser = [{ name = \"old\", password = \"pw\" }]\n";
const AFTER: &str = "[[account]]\nname = \"A\"\njetstream = true\n\
     user = [{ name = \"new\", password = \"pw\", publish = [\"orders.>\", \"$JS.API.>\"] }]\n";
/// nats-server refuses imports in a circle, and loadgen does not look for them.
const CIRCLE: &str = "export = [{ service = \"x\" }]\nimport = [{ from = \"B\", service = \"x\" }]\n\
     [[account]]\nname = \"B\"\nuser = [{ name = \"b\", password = \"pw\" }]\n\
     export = [{ service = \"x\" }]\nimport = [{ from = \"A\", service = \"x\" }]\n";

async fn as_new(url: &str) -> Result<async_nats::Client, async_nats::ConnectError> {
    ConnectOptions::with_user_and_password("new".to_owned(), "pw".to_owned()).connect(url).await
}

async fn create_stream(context: &jetstream::Context, name: &str) -> Result<(), String> {
    let config = jetstream::stream::Config { name: name.to_owned(), ..Default::default() };
    context.create_stream(config).await.map(drop).map_err(|error| error.to_string())
}

/// Messages of one client to one server come in order: the refused one would be the first.
async fn may_publish(url: &str, (refused, allowed): (&'static str, &'static str)) {
    let client = as_new(url).await.unwrap();
    let mut all = client.subscribe(">").await.unwrap();
    client.publish(refused, "".into()).await.unwrap();
    client.publish(allowed, "".into()).await.unwrap();
    let first = timeout(LIMIT, all.next()).await.expect("no message").unwrap();
    assert_eq!(first.subject.as_str(), allowed);
}

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
        may_publish(url, ("bills.1", "orders.1")).await;
    }
    // Other permissions of the same user.
    std::fs::write(&file, topology(&AFTER.replace("orders.>", "bills.>"))).unwrap();
    let said_now = said(&mut errors, "every server has applied the change").await;
    assert!(said_now.contains("user new of account A"), "{said_now}");
    for url in &urls {
        may_publish(url, ("orders.1", "bills.1")).await;
    }
    let context = jetstream::new(as_new(urls[0]).await.unwrap());
    create_stream(&context, "ONE").await.unwrap();
    create_stream(&context, "TWO").await.unwrap();
    context.delete_stream("TWO").await.unwrap();
    std::fs::write(&file, topology(&format!("{AFTER}limits = {{ max_streams = 1 }}\n"))).unwrap();
    let said_now = said(&mut errors, "every server has applied the change").await;
    assert!(said_now.contains("limits"), "{said_now}");
    let refused = create_stream(&context, "TWO").await.unwrap_err();
    assert!(refused.contains("maximum number of streams"), "{refused}");

    // What a server refuses is nowhere.
    std::fs::write(&file, topology(&format!("{AFTER}{CIRCLE}"))).unwrap();
    let said_now = said(&mut errors, "did not apply").await;
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
    let said_now = said(&mut errors, "did not apply").await;
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
