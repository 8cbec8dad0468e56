//! Actions that end early, dry runs and secrets.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::command::{LIMIT, Place, TURN, login, start, wait_until};

/// Receives one POST. Returns its head and body.
async fn post(listener: &TcpListener) -> (String, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    loop {
        stream.read_buf(&mut request).await.unwrap();
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
            return (head.to_owned(), body.to_owned());
        }
    }
}

/// Whether a process runs. One that has ended, and that nobody has waited for yet, does not.
fn is_alive(pid: i32) -> bool {
    let listed =
        std::process::Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    let state = String::from_utf8(listed.stdout).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
}

async fn wait_for_the_end_of(pid: i32) {
    wait_until(async || if is_alive(pid) { Err(format!("process {pid} still runs")) } else { Ok(()) }).await;
}

/// Waits until a hook has written the number of its child into this file.
async fn child_of_hook(place: &Place, file: &str) -> i32 {
    let mut pid = 0;
    wait_until(async || {
        let text = std::fs::read_to_string(place.path(file)).unwrap_or_default();
        pid = text.trim().parse().map_err(|_| format!("no number in {file}: {text}"))?;
        Ok(())
    })
    .await;
    pid
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_end_by_their_limit_or_the_operator_and_secrets_stay_secret() {
    let _turn = TURN.lock().await;
    let mut cluster = start(&["lon", "ams"], 1).await;
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pager = listener.local_addr().unwrap();
    // The child ignores SIGTERM, as programs do that are stuck.
    let stuck = |file: &str| {
        format!("(trap '' TERM; sh -c 'echo $PPID' > {file}; while true; do sleep 1; done) & wait")
    };
    let (slow, long) = (place.script("slow", &stuck("slow.pid")), place.script("long", &stuck("long.pid")));
    let silent = "when = \"region-silent\"\nfor = \"1s\"";
    let rules = format!(
        "every = \"1s\"\n\
         [[rule]]\nname = \"page\"\n{silent}\ndo = \"notify\"\nurl_from = \"PAGER_URL\"\nheaders = {{ Authorization = \"PAGER_TOKEN\" }}\n\
         [[rule]]\nname = \"slow\"\n{silent}\ndo = \"run\"\nprogram = \"{slow}\"\ntime_limit = \"1s\"\n\
         [[rule]]\nname = \"long\"\n{silent}\ndo = \"run\"\nprogram = \"{long}\"\n"
    );
    let url = format!("http://{pager}/services/hunter3");
    let env = [("PAGER_URL", url.as_str()), ("PAGER_TOKEN", "Bearer hunter2")];
    let login = [login(&cluster), vec!["--act".to_owned()]].concat();
    let guard = place.guard(&rules, &login, &env).await;
    cluster.kill_region("ams").unwrap();

    let (head, body) = tokio::time::timeout(LIMIT, post(&listener)).await.expect("no POST");
    assert!(head.starts_with("POST /services/hunter3 HTTP/1.1"), "{head}");
    assert!(head.contains("authorization: Bearer hunter2") && head.contains("application/json"), "{head}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["rule"], &body["region"]), (&"page".into(), &"ams".into()), "{body}");
    assert_eq!(body["evidence"]["condition"], "region-silent", "{body}");
    let paged = guard.wait_for("ended", |line| line["rule"] == "page").await;
    assert_eq!(paged["outcome"], "done", "{paged}");

    let children = [child_of_hook(&place, "slow.pid").await, child_of_hook(&place, "long.pid").await];
    let limited = guard.wait_for("ended", |line| line["rule"] == "slow").await;
    assert_eq!(limited["outcome"], "timed-out", "{limited}");
    // The child of a hook ends with it.
    wait_for_the_end_of(children[0]).await;
    assert!(is_alive(children[1]), "the other hook still runs");

    let output = place.path("output");
    let said = guard.stop().await;
    assert_eq!(said, "guard `guard` has stopped; it ended 1 action that still ran\n");
    wait_for_the_end_of(children[1]).await;
    let audit = std::fs::read_to_string(place.path("audit.jsonl")).unwrap();
    let stopped = audit.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let last: Vec<_> = stopped.filter(|line| line["event"] == "stopped" || line["rule"] == "long").collect();
    let [.., ended, stopped] = &last[..] else { panic!("{audit}") };
    assert_eq!((&ended["outcome"], &stopped["event"]), (&"stopped".into(), &"stopped".into()), "{audit}");
    for text in [audit, std::fs::read_to_string(output).unwrap()] {
        assert!(!text.contains("hunter"), "a secret: {text}");
    }
    let nobody = place.command(&["stop".to_owned()]).output().await.unwrap();
    let error = String::from_utf8(nobody.stderr).unwrap();
    assert!(nobody.status.code() == Some(1) && error.contains("no guard of this user runs"), "{error}");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_it_would_do() {
    let _turn = TURN.lock().await;
    let mut cluster = start(&["lon", "ams"], 1).await;
    let place = Place::new();
    let hook = place.script("hook", "echo run > runs");
    let silent = "when = \"region-silent\"\nfor = \"1s\"";
    let rules = format!(
        "every = \"1s\"\n[[rule]]\nname = \"hook\"\n{silent}\ndo = \"run\"\nprogram = \"{hook}\"\n\
         [[rule]]\nname = \"page\"\n{silent}\ndo = \"notify\"\nurl_from = \"PAGER_URL\"\n"
    );
    let guard = place.guard(&rules, &login(&cluster), &[]).await;
    cluster.kill_region("ams").unwrap();
    for rule in ["hook", "page"] {
        guard.wait_for("would-act", |line| line["rule"] == rule).await;
    }
    let output = guard.output();
    assert!(output.contains("dry run: guard prints actions and carries out none (add --act)"), "{output}");
    assert!(
        output.contains(
            "with --act, this would be an error: rule `page`: the environment variable `PAGER_URL`"
        ),
        "{output}"
    );
    assert!(!place.path("runs").exists(), "the hook ran: {output}");

    // With --act, a missing variable is an error before anything is watched.
    let args = ["--rules", "rules.toml", "--act"].map(str::to_owned);
    let refused = place.command(&[&args[..], &login(&cluster)[..]].concat()).output().await.unwrap();
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(2) && error.contains("`PAGER_URL` is not set"), "{error}");
    // Two guards with one name would act twice.
    let args = ["--rules", "rules.toml"].map(str::to_owned);
    let second = place.command(&[&args[..], &login(&cluster)[..]].concat()).output().await.unwrap();
    let error = String::from_utf8(second.stderr).unwrap();
    assert!(second.status.code() == Some(1) && error.contains("`guard` runs already"), "{error}");
    guard.stop().await;
    cluster.shutdown().await;
}
