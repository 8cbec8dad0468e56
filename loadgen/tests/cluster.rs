//! A real super-cluster: tests start it, break it in every way, repair it, and check that it leaves nothing behind.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use loadgen::clients::{Access, Client, Outcome, Population, Spec};
use loadgen::clock;
use loadgen::cluster::{Endpoint, StartOptions, SuperCluster};
use loadgen::topology::Topology;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything that is expected to happen takes, an unlucky election included.
const LIMIT: Duration = Duration::from_secs(30);
/// How long silence must last to count as silence: more than the longest round trip of the table.
const SILENCE: Duration = Duration::from_millis(600);
/// One super-cluster at a time: two would compete for the machine.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn options(regions: &[&str], servers_per_region: u16) -> StartOptions {
    StartOptions::new(Topology::new(regions.to_vec(), servers_per_region).unwrap())
}

fn endpoint(cluster: &SuperCluster, from: &str, server: &str) -> Endpoint {
    let endpoints = cluster.endpoints(from).unwrap();
    endpoints.into_iter().find(|endpoint| endpoint.server.to_string() == server).unwrap()
}

/// A NATS client that shows what happens on its connection, without a reconnect that would hide it.
struct RawClient {
    stream: tokio::io::BufReader<TcpStream>,
    info: String,
}

impl RawClient {
    async fn connect(cluster: &SuperCluster, from: &str, server: &str) -> Self {
        let url = endpoint(cluster, from, server).tcp_url;
        let addr = url.strip_prefix("nats://").unwrap();
        let mut stream = tokio::io::BufReader::new(TcpStream::connect(addr).await.unwrap());
        let mut info = String::new();
        timeout(LIMIT, stream.read_line(&mut info)).await.expect("no INFO").unwrap();
        stream.write_all(b"CONNECT {\"verbose\":false,\"protocol\":1}\r\n").await.unwrap();
        Self { stream, info }
    }

    async fn pong(&mut self) -> bool {
        self.stream.write_all(b"PING\r\n").await.is_ok() && self.hears("PONG", SILENCE).await
    }

    /// Whether a line that contains `word` comes within `limit`. The server's own PINGs are answered.
    async fn hears(&mut self, word: &str, limit: Duration) -> bool {
        let listen = async {
            let mut line = String::new();
            while self.stream.read_line(&mut line).await.is_ok_and(|count| count > 0) {
                if line.contains(word) {
                    return true;
                }
                if line.starts_with("PING") {
                    self.stream.write_all(b"PONG\r\n").await.unwrap();
                }
                line.clear();
            }
            false
        };
        timeout(limit, listen).await.unwrap_or(false)
    }

    async fn closes(mut self) -> bool {
        let mut rest = Vec::new();
        timeout(LIMIT, self.stream.read_to_end(&mut rest)).await.is_ok()
    }
}

async fn dial(cluster: &SuperCluster, from: &str, server: &str) -> std::io::Result<TcpStream> {
    let url = endpoint(cluster, from, server).tcp_url;
    TcpStream::connect(url.strip_prefix("nats://").unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_servers_in_three_regions() {
    let _turn = TURN.lock().await;
    let start = clock::now();
    let mut cluster = SuperCluster::start(options(&["lon", "ams", "dal"], 3)).await.unwrap();
    println!("{}; ready after {:?}", cluster.nats_server(), start.elapsed());

    the_delay_depends_on_the_pair(&cluster).await;
    a_message_crosses_the_gateways(&cluster).await;
    nothing_bypasses_the_wan(&cluster).await;
    let leader = cluster.move_meta_leader(&BTreeSet::from(["lon", "dal"])).await.unwrap();
    assert_eq!(leader.region(), "ams");
    a_killed_region_comes_back(&mut cluster).await;
    nothing_bypasses_the_wan(&cluster).await;
    a_silent_region_hears_and_says_nothing(&mut cluster).await;
    nothing_bypasses_the_wan(&cluster).await;

    let folder = cluster.folder().to_owned();
    let pids = pids(&cluster);
    cluster.shutdown().await;
    wait_until_gone(&pids);
    assert!(!folder.exists());
}

async fn the_delay_depends_on_the_pair(cluster: &SuperCluster) {
    for (from, server, rtt_ms) in [("lon", "dal-1", 113), ("dal", "lon-2", 113), ("lon", "ams-3", 9)] {
        let rtt = Duration::from_millis(rtt_ms);
        let start = clock::now();
        let mut client = RawClient::connect(cluster, from, server).await;
        assert!(start.elapsed() >= rtt * 2, "INFO from {server} in {:?}", start.elapsed());
        assert!(client.info.contains(&format!("\"server_name\":\"{server}\"")), "{}", client.info);
        assert!(!client.info.contains("\"connect_urls\""), "addresses past the WAN: {}", client.info);
        let start = clock::now();
        assert!(client.pong().await);
        assert!(start.elapsed() >= rtt && start.elapsed() < rtt + Duration::from_millis(100));
    }
    let mut home = RawClient::connect(cluster, "lon", "lon-1").await;
    let start = clock::now();
    assert!(home.pong().await);
    assert!(start.elapsed() < Duration::from_millis(50), "at home in {:?}", start.elapsed());
}

async fn a_message_crosses_the_gateways(cluster: &SuperCluster) {
    let far = async_nats::connect(endpoint(cluster, "dal", "dal-1").tcp_url).await.unwrap();
    let mut replies = far.subscribe("question").await.unwrap();
    far.flush().await.unwrap();
    let near = async_nats::connect(endpoint(cluster, "lon", "lon-1").tcp_url).await.unwrap();
    tokio::spawn(async move {
        use futures_util::StreamExt;
        while let Some(question) = replies.next().await {
            far.publish(question.reply.unwrap(), "answer".into()).await.unwrap();
        }
    });
    let start = clock::now();
    // Interest crosses the gateways a little after the subscription.
    while near.request("question", "".into()).await.is_err() {
        assert!(start.elapsed() < LIMIT, "no answer from dal");
    }
    let start = clock::now();
    near.request("question", "".into()).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(113), "{:?} from lon to dal", start.elapsed());
}

async fn nothing_bypasses_the_wan(cluster: &SuperCluster) {
    let _client = RawClient::connect(cluster, "lon", "lon-1").await;
    assert_eq!(cluster.leaks().await.unwrap(), Vec::<String>::new());

    let log = std::fs::read_to_string(cluster.folder().join("lon/lon-1.conf")).unwrap();
    let listen = log.lines().find_map(|line| line.strip_prefix("listen: \"")).unwrap();
    let mut direct = TcpStream::connect(listen.trim_end_matches('"')).await.unwrap();
    direct.read_exact(&mut [0; 4]).await.unwrap();
    let leaks = cluster.leaks().await.unwrap();
    assert!(leaks.len() == 1 && leaks[0].contains("lon-1: client"), "{leaks:?}");
}

async fn a_killed_region_comes_back(cluster: &mut SuperCluster) {
    let client = RawClient::connect(cluster, "ams", "lon-1").await;
    cluster.kill_region("lon").unwrap();
    assert!(client.closes().await);
    wait_until_refused(cluster, "ams", "lon-1").await;
    assert!(cluster.kill_region("lon").is_err());
    assert!(cluster.kill_server("lon-1").unwrap_err().to_string().contains("lon-1: the server is dead"));
    cluster.wait_ready().await.unwrap();

    let start = clock::now();
    let recovery = cluster.restart_region("lon").await.unwrap();
    println!(
        "a killed region listened after {:?}, ready after {:?}",
        recovery.undone_at - start,
        start.elapsed()
    );
    assert!(RawClient::connect(cluster, "ams", "lon-1").await.pong().await);
}

async fn a_silent_region_hears_and_says_nothing(cluster: &mut SuperCluster) {
    let mut foreign = RawClient::connect(cluster, "ams", "lon-1").await;
    let mut local = RawClient::connect(cluster, "lon", "lon-1").await;
    let mut leaving = RawClient::connect(cluster, "lon", "ams-1").await;
    cluster.blackhole_region("lon").unwrap();
    assert!(!foreign.pong().await && !local.pong().await);
    assert!(leaving.pong().await, "a client in the silent region still reaches others");
    let mut late = dial(cluster, "lon", "lon-2").await.unwrap();
    assert!(timeout(SILENCE, late.read(&mut [0])).await.is_err(), "a new connection hears nothing");
    // The others notice by their pings and go on without it.
    cluster.wait_ready().await.unwrap();

    let start = clock::now();
    cluster.heal_region("lon").await.unwrap();
    println!("a silent region was ready {:?} after the heal", start.elapsed());
    assert!(foreign.closes().await && local.closes().await);
    assert!(RawClient::connect(cluster, "ams", "lon-1").await.pong().await);
}

async fn wait_until_refused(cluster: &SuperCluster, from: &str, server: &str) {
    let start = clock::now();
    while dial(cluster, from, server).await.is_ok() {
        assert!(start.elapsed() < LIMIT, "{server} never refused");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_retires_pauses_and_dies() {
    let _turn = TURN.lock().await;
    let mut options = options(&["lon", "ams"], 2);
    options.settings.lame_duck_grace = Duration::from_secs(1);
    let mut cluster = SuperCluster::start(options).await.unwrap();

    let mut paused = RawClient::connect(&cluster, "ams", "lon-2").await;
    cluster.pause_server("lon-2").unwrap();
    assert!(!paused.pong().await);
    cluster.resume_server("lon-2").await.unwrap();

    let mut client = RawClient::connect(&cluster, "ams", "lon-1").await;
    assert!(client.pong().await);
    cluster.lame_duck_server("lon-1").unwrap();
    wait_until_refused(&cluster, "ams", "lon-1").await;
    assert!(client.hears("\"ldm\":true", LIMIT).await, "clients are told");
    assert!(client.closes().await, "and closed");
    assert!(cluster.wait_exit("lon-1", LIMIT).await.unwrap());
    cluster.restart_server("lon-1").await.unwrap();
    assert!(RawClient::connect(&cluster, "ams", "lon-1").await.pong().await);

    let client = RawClient::connect(&cluster, "lon", "lon-1").await;
    cluster.kill_server("lon-1").unwrap();
    assert!(client.closes().await);
    cluster.restart_server("lon-1").await.unwrap();
    assert_eq!(cluster.leaks().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn single_servers_make_regions_too() {
    let _turn = TURN.lock().await;
    let cluster = SuperCluster::start(options(&["lon", "ams", "dal"], 1)).await.unwrap();
    let url = endpoint(&cluster, "ams", "lon-1").tcp_url;
    let client = async_nats::connect(url).await.unwrap();
    let created = client.request("$JS.API.STREAM.CREATE.S", "{\"name\":\"S\"}".into()).await.unwrap();
    let created = String::from_utf8_lossy(&created.payload);
    assert!(!created.contains("\"error\""), "{created}");
}

/// A client of async-nats that stayed would connect to whatever takes the ports of its servers.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_ends_with_its_last_copy() {
    let _turn = TURN.lock().await;
    let cluster = SuperCluster::start(options(&["lon"], 1)).await.unwrap();
    let connections = async || cluster.monitor("lon-1").unwrap().connz().await.unwrap().connections.len();
    for population in [Population::NatsGeo, Population::Stock] {
        let spec = Spec {
            population,
            region: "lon".to_owned(),
            number: 0,
            urls: cluster.endpoints("lon").unwrap().into_iter().map(|it| it.tcp_url).collect(),
            name: None,
            runtime: None,
            policy: nats_geo::core::Config::interactive(),
            seed: 1,
            access: Access::default(),
            browsers: loadgen::clients::Browsers::default(),
        };
        let client = Client::connect(spec).await.unwrap();
        let copy = client.clone();
        drop(client);
        assert_eq!(copy.request("nobody.answers", "".into()).await, Outcome::Failed);
        assert_eq!(connections().await, 1, "{population:?}");
        drop(copy);
        let ends = async {
            while connections().await > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LIMIT, ends).await.unwrap_or_else(|_| panic!("{population:?} stays"));
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why() {
    let _turn = TURN.lock().await;
    let mut wrong_path = options(&["lon", "ams"], 1);
    wrong_path.nats_server = Some("/no/such/nats-server".into());
    let error = SuperCluster::start(wrong_path).await.unwrap_err().to_string();
    assert!(error.contains("`/no/such/nats-server`"), "{error}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut taken_port = options(&["lon", "ams"], 1);
    taken_port.base_port = Some(taken.local_addr().unwrap().port());
    let error = SuperCluster::start(taken_port).await.unwrap_err().to_string();
    assert!(
        error.contains(&format!("port {} on 127.0.0.1 is taken", taken.local_addr().unwrap().port())),
        "{error}"
    );

    let error = SuperCluster::start(options(&["lon", "moon"], 1)).await.unwrap_err().to_string();
    assert!(error.contains("--rtt"), "{error}");
}

/// How the process that starts the servers ends in [`no_server_and_no_port_outlives_loadgen`].
const END: &str = "LOADGEN_TEST_END";

#[tokio::test(flavor = "multi_thread")]
async fn no_server_and_no_port_outlives_loadgen() {
    let _turn = TURN.lock().await;
    for end in ["panic", "SIGKILL", "SIGINT"] {
        let mut helper = Command::new(std::env::current_exe().unwrap());
        helper.args(["--exact", "helper_that_ends", "--ignored", "--nocapture"]);
        helper.env(END, end).stdin(Stdio::piped());
        let mut helper = helper.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let may_end = helper.stdin.take().unwrap();
        let lines = BufReader::new(helper.stdout.take().unwrap()).lines();
        let said =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("started ").map(str::to_owned));
        let said = said.expect("the helper did not start");
        let said: Vec<_> = said.split(' ').collect();
        let ([folder], [addrs @ .., lon, ams]) = said.split_at(1) else { panic!("{said:?}") };
        let pids = [lon, ams].map(|pid| pid.parse().unwrap());
        let start = clock::now();
        while !process_state(pids[0]).starts_with('T') {
            assert!(start.elapsed() < LIMIT, "lon-1 is not stopped");
        }
        assert!(addrs.len() == 10 && addrs.iter().all(|addr| std::net::TcpStream::connect(addr).is_ok()));
        let pid = nix::unistd::Pid::from_raw(i32::try_from(helper.id()).unwrap());
        match end {
            "SIGKILL" => nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap(),
            "SIGINT" => nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap(),
            _ => drop(may_end),
        }
        assert!(!helper.wait().unwrap().success());
        wait_until_gone(&pids);
        let start = clock::now();
        while Path::new(folder).exists() {
            assert!(start.elapsed() < LIMIT, "{end}: {folder} is left behind");
        }
        let open = addrs.iter().filter(|addr| std::net::TcpStream::connect(addr).is_ok());
        assert_eq!(open.collect::<Vec<_>>(), Vec::<&&str>::new(), "{end}: ports are left open");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "not a test: the process that ends in no_server_and_no_port_outlives_loadgen"]
async fn helper_that_ends() {
    let end = std::env::var(END).expect("started by no_server_and_no_port_outlives_loadgen only");
    let mut cluster = SuperCluster::start(options(&["lon", "ams"], 1)).await.unwrap();
    // Faults are active: links are silent, and a process is stopped, which no signal but SIGKILL ends.
    cluster.blackhole_region("ams").unwrap();
    cluster.pause_server("lon-1").unwrap();
    let urls = ["lon", "ams"].into_iter().flat_map(|from| cluster.endpoints(from).unwrap());
    let urls = urls.flat_map(|endpoint| [endpoint.tcp_url, endpoint.websocket_url]);
    let urls = urls.chain(cluster.server_urls().into_values());
    let addrs: Vec<_> = urls.map(|url| url.split_once("//").unwrap().1.to_owned()).collect();
    let pids: Vec<_> = pids(&cluster).iter().map(ToString::to_string).collect();
    println!("\nstarted {} {} {}", cluster.folder().display(), addrs.join(" "), pids.join(" "));
    if end == "panic" {
        std::io::stdin().read_line(&mut String::new()).unwrap();
        panic!("as asked for");
    }
    std::future::pending::<()>().await;
}

fn pids(cluster: &SuperCluster) -> Vec<u32> {
    let servers = cluster.topology().servers();
    servers.map(|server| cluster.pid(&server.to_string()).unwrap().unwrap()).collect()
}

fn wait_until_gone(pids: &[u32]) {
    let start = clock::now();
    for pid in pids {
        while is_alive(*pid) {
            assert!(start.elapsed() < LIMIT, "process {pid} lives on");
        }
    }
}

/// A process that nobody reaps counts as gone: an orphan's new parent may take its time.
fn is_alive(pid: u32) -> bool {
    let state = process_state(pid);
    !state.is_empty() && !state.starts_with('Z')
}

/// The state that `ps` shows, such as `S`, or `T` of a stopped process; empty if there is none.
fn process_state(pid: u32) -> String {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    String::from_utf8_lossy(&state.stdout).trim().to_owned()
}

/// The folder of a run is left behind when the user asks for it, and only then.
#[tokio::test(flavor = "multi_thread")]
async fn a_kept_folder_stays() {
    let _turn = TURN.lock().await;
    let mut kept = options(&["lon", "ams"], 1);
    kept.keep = true;
    let cluster = SuperCluster::start(kept).await.unwrap();
    let folder = cluster.folder().to_owned();
    cluster.shutdown().await;
    assert!(Path::new(&folder).join("lon/lon-1.log").exists());
    std::fs::remove_dir_all(folder).unwrap();
}
