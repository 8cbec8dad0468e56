//! Two super-clusters on one machine: each has its own name, ports and subjects.

use futures_util::StreamExt as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::time::timeout;

use crate::place::{LIMIT, Place, TURN};

struct Up {
    running: Child,
    _stdout: Lines<BufReader<ChildStdout>>,
    _stderr: Lines<BufReader<ChildStderr>>,
    deployment: String,
    /// Of a server in lon.
    url: String,
}

impl Up {
    async fn start(place: &Place, servers_per_region: &str) -> Self {
        let args = ["up", "--regions=lon,ams", servers_per_region];
        let mut running = place.command(&args).spawn().unwrap();
        let mut stdout = BufReader::new(running.stdout.take().unwrap()).lines();
        let mut stderr = BufReader::new(running.stderr.take().unwrap()).lines();
        let first = timeout(LIMIT, stdout.next_line()).await.expect("no address").unwrap().unwrap();
        let nearest = first.split(['=', ',']).nth(1).unwrap().to_owned();
        let deployment = async {
            loop {
                let line = stderr.next_line().await.unwrap().unwrap();
                if let Some((_, rest)) = line.split_once("The deployment `") {
                    return rest.split_once('`').unwrap().0.to_owned();
                }
            }
        };
        let deployment = timeout(LIMIT, deployment).await.expect("no name");
        Self { running, _stdout: stdout, _stderr: stderr, deployment, url: nearest }
    }

    async fn ctl(&self, place: &Place, order: &[&str]) -> String {
        let done = place.run(&[&["ctl", "--deployment", &self.deployment], order].concat()).await;
        assert_eq!(done.code, Some(0), "{order:?}: {}", done.stderr);
        done.stdout
    }

    async fn ends(mut self) {
        kill(Pid::from_raw(self.running.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
        let ended = timeout(LIMIT, self.running.wait()).await.expect("it does not end").unwrap();
        assert_eq!(ended.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_super_clusters_at_once_keep_apart() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    let one = Up::start(&place, "--servers-per-region=2").await;
    let two = Up::start(&place, "--servers-per-region=1").await;
    assert_eq!(two.deployment, format!("{}-2", one.deployment));
    let which = place.run(&["ctl", "status"]).await;
    assert_eq!(which.code, Some(1));
    for name in [&one.deployment, &two.deployment] {
        assert!(which.stderr.contains(name.as_str()), "{}", which.stderr);
    }

    // The same subject in both: the message of the other one would be the first.
    let (in_one, in_two) =
        (async_nats::connect(&one.url).await.unwrap(), async_nats::connect(&two.url).await.unwrap());
    let mut heard = in_one.subscribe("news").await.unwrap();
    in_one.flush().await.unwrap();
    in_two.publish("news", "of two".into()).await.unwrap();
    in_two.flush().await.unwrap();
    in_one.publish("news", "of one".into()).await.unwrap();
    let first = timeout(LIMIT, heard.next()).await.expect("no message").unwrap();
    assert_eq!(first.payload, "of one");

    // One region of one of them breaks, and all silences in it end with one order.
    let whole = "lon: lon-1 up, lon-2 up\nams: ams-1 up, ams-2 up\n";
    assert_eq!(two.ctl(&place, &["kill", "lon"]).await, "lon: lon-1 dead\nams: ams-1 up\n");
    assert_eq!(one.ctl(&place, &["status"]).await, whole);
    one.ctl(&place, &["silence", "lon-1"]).await;
    let silent = one.ctl(&place, &["silence", "lon-2"]).await;
    assert_eq!(silent, whole.replace("lon-1 up, lon-2 up", "lon-1 up (silent), lon-2 up (silent)"));
    assert_eq!(one.ctl(&place, &["heal", "lon"]).await, whole);
    let of_lon = |state: &str| whole.replace("lon-1 up, lon-2 up", &format!("lon-1 {state}, lon-2 {state}"));
    assert_eq!(one.ctl(&place, &["pause", "lon"]).await, of_lon("paused"));
    assert_eq!(one.ctl(&place, &["restart", "lon"]).await, whole);
    assert_eq!(one.ctl(&place, &["retire", "lon"]).await, of_lon("a lame duck"));

    one.ends().await;
    assert_eq!(two.ctl(&place, &["heal", "lon"]).await, "lon: lon-1 up\nams: ams-1 up\n");
    two.ends().await;
    place.assert_nothing_is_left().await;
}
