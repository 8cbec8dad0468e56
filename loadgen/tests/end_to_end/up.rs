//! Tests of `loadgen up`: it keeps running, serves the demo, breaks and repairs regions on request, and ends on Ctrl-C.

use futures_util::StreamExt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::timeout;

use crate::place::{LIMIT, Place, TURN};

/// A served super-cluster.
struct Up {
    running: Child,
    /// `127.0.0.1:PORT`.
    host: String,
    token: String,
}

impl Up {
    async fn start(place: &Place) -> Self {
        for folder in ["web/nats/pages", "web/nats/objects"] {
            std::fs::create_dir_all(place.path(folder)).unwrap();
        }
        std::fs::write(place.path("web/nats/pages/hello.html"), "<p>Hello</p>").unwrap();
        std::fs::write(place.path("web/nats/objects/film"), vec![7; 300_000]).unwrap();
        std::fs::write(place.path("web/index.html"), "<h1>The demo</h1>").unwrap();
        let args = ["up", "--regions=lon,ams", "--servers-per-region=1", "--serve", "--web=web"];
        let mut running = place.command(&args).spawn().unwrap();
        let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
        let url = timeout(LIMIT, lines.next_line()).await.expect("no address").unwrap();
        let Some(url) = url else {
            let ended = running.wait_with_output().await.unwrap();
            panic!("it ended without an address: {}", String::from_utf8_lossy(&ended.stderr));
        };
        let (host, token) = url.strip_prefix("http://").unwrap().split_once("/#token=").unwrap();
        Self { running, host: host.to_owned(), token: token.to_owned() }
    }

    /// Status and body of the answer.
    async fn request(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.host).await.unwrap();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n", self.host);
        let rest = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        let request = format!("{head}{rest}connection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(LIMIT, stream.read_to_string(&mut answer)).await.expect("no answer").unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn order(&self, command: Value) -> (u16, String) {
        self.request("POST", "/api/control", &self.token, &command.to_string()).await
    }

    async fn world(&self) -> Value {
        let (status, body) = self.request("GET", "/api/world", &self.token, "").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn interrupted(mut self) -> Option<i32> {
        kill(Pid::from_raw(self.running.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
        timeout(LIMIT, self.running.wait()).await.expect("it does not end").unwrap().code()
    }
}

#[tokio::test]
async fn it_breaks_and_mends_on_request_and_ends_on_an_interrupt() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    let up = Up::start(&place).await;
    let (status, page) = up.request("GET", "/", "", "").await;
    assert_eq!((status, page.as_str()), (200, "<h1>The demo</h1>"));

    let world = up.world().await;
    let lon = &world["regions"][0];
    assert_eq!((&lon["name"], &lon["servers"][0]["state"]), (&json!("lon"), &json!("up")));
    let url = lon["websocket_urls"][0].as_str().unwrap();
    assert!(url.starts_with("lon=ws://127.0.0.1:"), "the nearest is first: {url}");

    assert_eq!(up.order(json!({ "do": "kill", "target": "lon" })).await.0, 204);
    assert_eq!(up.world().await["regions"][0]["servers"][0]["state"], "dead");
    let (status, why) = up.order(json!({ "do": "kill", "target": "lon" })).await;
    assert_eq!(status, 409, "{why}");
    assert_eq!(up.order(json!({ "do": "heal", "target": "lon" })).await.0, 204);
    assert_eq!(up.world().await["regions"][0]["servers"][0]["state"], "up");

    assert_eq!(up.order(json!({ "do": "silence", "target": "ams" })).await.0, 204);
    assert_eq!(up.world().await["regions"][1]["is_silent"], true);
    let command = json!({ "do": "set-rtt", "between": ["lon", "ams"], "rtt_ms": 200 });
    assert_eq!(up.order(command).await.0, 204);
    assert_eq!(up.world().await["rtt_ms"]["lon-ams"], 200.0);

    assert_eq!(up.interrupted().await, Some(0));
    place.assert_nothing_is_left().await;
}

#[tokio::test]
async fn its_content_outlives_the_region_where_it_was_stored() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    let up = Up::start(&place).await;
    let world = up.world().await;
    let urls: Vec<_> =
        world["regions"][1]["tcp_urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap()).collect();
    assert_eq!(up.order(json!({ "do": "kill", "target": "lon" })).await.0, 204);
    let client = nats_geo::connect(urls).await.unwrap();

    let mut ticks = client.subscribe("demo.tick.*").await.unwrap();
    let tick: Value =
        serde_json::from_slice(&timeout(LIMIT, ticks.next()).await.unwrap().unwrap().payload).unwrap();
    assert!(tick["number"].is_u64(), "{tick}");
    assert_eq!(ask(&client, "web.site.hello.html", "").await, "<p>Hello</p>");
    let status: Value = serde_json::from_slice(&ask(&client, "web.site.status", "").await).unwrap();
    assert_eq!(status["connected_to"], "ams");
    assert_eq!(ask(&client, "web.site.absent", "").await, "there is no page `absent`");
    // The first chunk: put into lon, served by the mirror in ams.
    assert_eq!(ask(&client, "$JS.API.DIRECT.GET.OBJ_site", r#"{"seq": 1}"#).await, vec![7; 128 << 10]);

    assert_eq!(up.interrupted().await, Some(0));
    place.assert_nothing_is_left().await;
}

/// What answers is on its way from a dead region for a moment, so it asks until there is an answer.
async fn ask(client: &nats_geo::GeoClient, subject: &'static str, payload: &'static str) -> bytes::Bytes {
    let asking = async {
        loop {
            match client.request(subject, payload.into()).await {
                Ok(answer) if !answer.payload.is_empty() => return answer.payload.clone(),
                _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    };
    timeout(LIMIT, asking).await.expect(subject)
}

#[tokio::test]
async fn what_it_cannot_do_is_named_and_nobody_else_may_ask() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    let up = Up::start(&place).await;
    for (token, path) in [("", "/api/world"), ("guess", "/api/world"), ("guess", "/api/world/next?after=0")] {
        let (status, why) = up.request("GET", path, token, "").await;
        assert_eq!(status, 401);
        assert!(why.contains("loadgen up"), "{why}");
    }
    let refused = [
        (json!({ "do": "heal", "target": "mars" }), 409, "`mars`"),
        (json!({ "do": "kill", "target": "lon-9" }), 409, "`lon-9`"),
        (json!({ "do": "set-rtt", "between": ["lon", "ams"], "rtt_ms": -1 }), 409, "-1"),
        (json!({ "do": "meteor", "region": "lon" }), 400, "meteor"),
        (json!("kill"), 400, "kill"),
    ];
    for (command, expected, part) in refused {
        let (status, why) = up.order(command.clone()).await;
        assert_eq!(status, expected, "{command}: {why}");
        assert!(why.contains(part), "{command}: {why}");
    }
    let done = place
        .run(&[
            "up",
            "--regions=lon,ams",
            "--serve",
            "--port",
            up.host.rsplit(':').next().unwrap(),
            "--web=web",
        ])
        .await;
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    assert!(done.stderr.contains("--port"), "{}", done.stderr);
    assert_eq!(up.interrupted().await, Some(0));

    let done = place.run(&["up", "--regions=lon,ams", "--serve", "--web=tmp"]).await;
    assert_eq!(done.code, Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("make web"), "{}", done.stderr);

    // Nine servers elect a leader; that takes longer.
    let done = place.run(&["up", "--regions=lon,ams,dal", "--stabilise-timeout=1"]).await;
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    assert!(done.stderr.contains("the super-cluster was not ready after 1.0 s: "), "{}", done.stderr);
    place.assert_nothing_is_left().await;
}

#[tokio::test]
async fn another_terminal_breaks_and_heals() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    let nothing = place.run(&["ctl", "status"]).await;
    assert_eq!(nothing.code, Some(1));
    assert!(nothing.stderr.contains("no super-cluster is up"), "{}", nothing.stderr);

    let args = ["up", "--regions=lon,ams", "--servers-per-region=1", "--deployment=staging"];
    let mut running = place.command(&args).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let mut addresses = Vec::new();
    for _ in 0..4 {
        addresses.push(timeout(LIMIT, lines.next_line()).await.expect("no address").unwrap().unwrap());
    }
    let starts =
        ["lon tcp lon=nats://127.0.0.1:", "lon ws lon=ws://", "ams tcp ams=nats://", "ams ws ams=ws://"];
    for (line, start) in addresses.iter().zip(starts) {
        assert!(line.starts_with(start) && line.contains(','), "{line}");
    }
    let list = addresses[0].strip_prefix("lon tcp ").unwrap();
    let client = nats_geo::connect(list).await.unwrap();
    assert_eq!(client.snapshot().active.unwrap().region.as_str(), "lon");

    // Other commands find what is up by themselves.
    for (command, shown) in [
        (vec!["servers"], "lon-1"),
        (vec!["clusters", "--deployment=staging"], "ams"),
        (vec!["graph"], "<svg"),
        (vec!["streams", "--all-domains"], "This account has no streams"),
    ] {
        let done = place.run(&command).await;
        assert_eq!(done.code, Some(0), "{command:?} {}", done.stderr);
        assert!(done.stdout.contains(shown), "{command:?} {}", done.stdout);
    }
    let unknown = place.run(&["servers", "--deployment=prod"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("`prod` is not up: choose one of staging"), "{}", unknown.stderr);

    // Each order is there when the command ends; the state that it prints is the one afterwards.
    for (order, shown) in [
        (vec!["ctl", "kill", "lon"], "lon: lon-1 dead\nams: ams-1 up\n"),
        (vec!["ctl", "heal", "lon-1"], "lon: lon-1 up\nams: ams-1 up\n"),
        (vec!["ctl", "silence", "lon"], "lon (silent): lon-1 up\nams: ams-1 up\n"),
        (vec!["ctl", "heal", "lon"], "lon: lon-1 up\nams: ams-1 up\n"),
        (vec!["ctl", "silence", "ams-1"], "lon: lon-1 up\nams: ams-1 up (silent)\n"),
        (vec!["ctl", "heal", "ams"], "lon: lon-1 up\nams: ams-1 up\n"),
        (vec!["ctl", "pause", "ams"], "lon: lon-1 up\nams: ams-1 paused\n"),
        (vec!["ctl", "heal", "ams"], "lon: lon-1 up\nams: ams-1 up\n"),
        (vec!["ctl", "restart", "ams"], "lon: lon-1 up\nams: ams-1 up\n"),
        (vec!["ctl", "pause", "ams-1"], "lon: lon-1 up\nams: ams-1 paused\n"),
        (vec!["ctl", "restart", "ams-1"], "lon: lon-1 up\nams: ams-1 up\n"),
        (vec!["ctl", "--deployment=staging", "retire", "ams-1"], "lon: lon-1 up\nams: ams-1 a lame duck\n"),
    ] {
        let done = place.run(&order).await;
        assert_eq!((done.code, done.stdout.as_str()), (Some(0), shown), "{order:?} {}", done.stderr);
    }
    let json = place.run(&["ctl", "status", "--json"]).await;
    let world: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(world["regions"][0]["servers"][0]["name"], "lon-1");

    let wrong = place.run(&["ctl", "kill", "mars"]).await;
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("`mars`") && wrong.stderr.contains("lon-1"), "{}", wrong.stderr);
    let other = place.run(&["ctl", "status", "--deployment=prod"]).await;
    assert!(other.stderr.contains("`prod` is not up: choose one of staging"), "{}", other.stderr);
    let twice = place.run(&args).await;
    assert_eq!(twice.code, Some(1));
    assert!(twice.stderr.contains("`staging` is up already"), "{}", twice.stderr);

    kill(Pid::from_raw(running.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
    let ended = timeout(LIMIT, running.wait_with_output()).await.expect("it does not end").unwrap();
    assert_eq!(ended.status.code(), Some(0));
    // The terminal of `up` shows the orders, too.
    let printed = String::from_utf8(ended.stderr).unwrap();
    for order in ["kill lon: done", "silence ams-1: done", "retire ams-1: done"] {
        assert!(printed.contains(order), "`{order}` is missing in {printed}");
    }
    place.assert_nothing_is_left().await;
}
