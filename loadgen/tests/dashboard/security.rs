//! Tests of readers without the token, of readers that attack the server, and of readers that try to change data.

use std::path::Path;

use tempfile::tempdir;

use crate::history::keep;
use crate::served::{Answer, Dashboard, loadgen};

const PATHS: [&str; 8] = [
    "/api/session",
    "/api/runs",
    "/api/runs/latest",
    "/api/runs/latest/files/report.json",
    "/api/live/nats",
    "/api/live/up",
    "/api/orders",
    "/api/other",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_answered_without_the_token() {
    let place = tempdir().unwrap();
    let run = keep(place.path(), 0).await.run;
    let dashboard = Dashboard::start(place.path(), &[], &[]).await;
    let (token, port) = (dashboard.token.clone(), dashboard.host.rsplit_once(':').unwrap().1.to_owned());
    assert_eq!(token.len(), 32);
    let lines = [
        String::new(),
        "authorization: Bearer ".to_owned(),
        format!("authorization: Bearer {}", &token[1..]),
        format!("authorization: Bearer {token}0"),
        format!("authorization: Basic {token}"),
        // The cookie holds another secret than the token.
        format!("cookie: loadgen-dashboard-{port}={token}"),
        format!("cookie: loadgen-dashboard-{port}="),
    ];
    for path in PATHS {
        for line in
            lines.iter().filter(|line| !line.is_empty()).map(|line| vec![line.clone()]).chain([vec![]])
        {
            let answer = dashboard.ask("GET", path, &line).await;
            assert_eq!(answer.status, 401, "{path} with {line:?}");
            assert!(answer.text().contains("`loadgen dashboard` printed") && !answer.text().contains(&token));
        }
        let in_query = dashboard.ask("GET", &format!("{path}?token={token}"), &[]).await;
        assert_eq!(in_query.status, 401, "a token in a query would get into logs");
    }
    for path in ["/", "/runs", "/runs/latest", "/compare/a/b", "/live", "/frame/nats", "/assets/dashboard.js"]
    {
        let page = dashboard.ask("GET", path, &[]).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.text().contains(run.as_str()), "the app holds no data");
    }
    assert_eq!(dashboard.ask("GET", "/other", &[]).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_a_cookie_that_no_script_and_no_other_site_can_use() {
    let place = tempdir().unwrap();
    keep(place.path(), 0).await;
    let dashboard = Dashboard::start(place.path(), &[], &[]).await;
    assert_eq!(dashboard.ask("POST", "/api/session", &[]).await.status, 401);
    let login = dashboard.ask("POST", "/api/session", &[dashboard.bearer()]).await;
    assert_eq!(login.status, 204);
    let cookie = login.header("set-cookie").unwrap();
    let mut attributes: Vec<_> = cookie.split("; ").skip(1).collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["HttpOnly", "Path=/", "SameSite=Strict"]);
    let value = cookie.split(';').next().unwrap();
    assert!(!value.contains(&dashboard.token), "browsers send a cookie to every port of its host");

    for sent in [format!("cookie: {value}"), format!("cookie: other=1; {value}; another=2")] {
        let session = dashboard.ask("GET", "/api/session", &[sent]).await.json();
        assert_eq!(session["role"], "view");
    }
    let renamed = format!("cookie: x{value}");
    assert_eq!(dashboard.ask("GET", "/api/session", &[renamed]).await.status, 401);
    let out = dashboard.ask("DELETE", "/api/session", &[]).await;
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"), "{:?}", out.header("set-cookie"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_changes_nothing() {
    let place = tempdir().unwrap();
    keep(place.path(), 0).await;
    let dashboard = Dashboard::start(place.path(), &[], &[]).await;
    for path in &PATHS[1..6] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let answer =
                dashboard.ask(method, path, &[dashboard.bearer(), "content-length: 0".to_owned()]).await;
            assert_eq!(answer.status, 405, "{method} {path}");
        }
    }
    assert_eq!(dashboard.get("/api/runs").await.json()["total"], 1);
    for order in [r#"{"do":"kill","target":"lon"}"#, r#"{"do":"access"}"#, "no order"] {
        let answer = dashboard.order(&dashboard.token, order).await;
        assert_eq!(answer.status, 403, "{order}");
        assert!(answer.text().contains("loadgen dashboard --operate"), "{}", answer.text());
        assert_eq!(dashboard.order("", order).await.status, 401, "{order}");
    }
    assert!(!dashboard.end().await.contains("ordered"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_a_run() {
    let place = tempdir().unwrap();
    let run = keep(place.path(), 0).await.run;
    let secret = "hunter2 stands beside the run";
    for beside in ["secret.txt", "loadgen-runs/secret.txt", "loadgen-runs/runs/secret.txt"] {
        std::fs::write(place.path().join(beside), secret).unwrap();
    }
    // A file in the run's own folder that the manifest does not name.
    std::fs::write(place.path().join(format!("loadgen-runs/runs/{run}/secret.txt")), secret).unwrap();
    let dashboard = Dashboard::start(place.path(), &[], &[]).await;
    let absolute = place.path().join("secret.txt").display().to_string();
    let mut paths = vec![
        format!("/api/runs/{run}/files/secret.txt"),
        format!("/api/runs/{run}/files/logs/../secret.txt"),
        format!("/api/runs/{run}/files/{absolute}"),
        format!("/api/runs/{run}/files/{}", absolute.replace('/', "%2f")),
        format!("/api/runs/{run}/files/secret.txt%00report.json"),
        "/api/runs/../files/secret.txt".to_owned(),
        "/api/runs/%2e%2e/files/secret.txt".to_owned(),
        "/api/runs/..%2f..%2f/files/secret.txt".to_owned(),
        "/api/runs//files/secret.txt".to_owned(),
        "/assets/../../secret.txt".to_owned(),
    ];
    for up in ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "%252e%252e%252f", "./../"] {
        for depth in 1..=3 {
            paths.push(format!("/api/runs/{run}/files/{}secret.txt", up.repeat(depth)));
        }
    }
    for path in paths {
        let answer = dashboard.get(&path).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert!(!answer.text().contains("hunter2"), "{path}");
    }
    // The same request finds a file that the manifest names, so this test can fail.
    assert_eq!(dashboard.get(&format!("/api/runs/{run}/files/report.json")).await.status, 200);
    assert_eq!(dashboard.get(&format!("/api/runs/{run}/files/logs%2f0%2flon-1.log")).await.status, 200);
}

fn policy(answer: &Answer) -> String {
    answer.header("content-security-policy").unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_keeps_scripts_referrers_and_frames_out() {
    let place = tempdir().unwrap();
    let run = keep(place.path(), 0).await.run;
    let embed = ["--embed-in", "https://grafana.example.net", "--embed-in", "http://127.0.0.1:3000"];
    let dashboard = Dashboard::start(place.path(), &embed, &[]).await;
    let file = format!("/api/runs/{run}/files/report.html");
    for path in ["/", "/frame/nats", "/assets/dashboard.js", "/other", "/api/runs", "/api/other", &file] {
        let answer = dashboard.get(path).await;
        let header = |name| answer.header(name).unwrap_or_default();
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    let page = policy(&dashboard.get("/runs").await);
    assert!(page.contains("default-src 'none'; script-src 'self'") && !page.contains("unsafe"), "{page}");
    assert!(page.ends_with("frame-ancestors 'none'"), "{page}");
    let frame = policy(&dashboard.get("/frame/nats").await);
    assert!(
        frame.ends_with("frame-ancestors 'self' https://grafana.example.net http://127.0.0.1:3000"),
        "{frame}"
    );
    let report = policy(&dashboard.get(&file).await);
    assert!(report.starts_with("sandbox allow-scripts; default-src 'none'"), "{report}");
    assert!(!report.contains("allow-same-origin") && !report.contains("connect-src"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_printed_once_in_a_fragment_or_not_at_all() {
    let place = tempdir().unwrap();
    let dashboard = Dashboard::start(place.path(), &[], &[]).await;
    assert!(dashboard.address.ends_with(&format!("/#token={}", dashboard.token)), "{}", dashboard.address);
    let (token, other) = (dashboard.token.clone(), Dashboard::start(place.path(), &[], &[]).await);
    assert_ne!(token, other.token);
    let printed = dashboard.end().await;
    assert!(printed.contains("Open that address") && !printed.contains(&token), "{printed}");

    let file = place.path().join("token");
    std::fs::write(&file, "0123456789abcdef\n").unwrap();
    let mut named = Dashboard::start(place.path(), &["--token-file", "token"], &[]).await;
    assert_eq!(named.token, "");
    named.token = "0123456789abcdef".to_owned();
    assert_eq!(named.get("/api/session").await.status, 200);
    let (address, printed) = (named.address.clone(), named.end().await);
    assert!(
        !address.contains("0123456789abcdef") && !printed.contains("0123456789abcdef"),
        "{address} {printed}"
    );
    assert!(printed.contains("log in with the token of --token-file"), "{printed}");
}

async fn refused(folder: &Path, code: i32, args: &[&str]) -> String {
    let output = loadgen(folder, &[&["dashboard"], args].concat(), &[]).output().await.unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_name_the_input_and_the_remedy() {
    let place = tempdir().unwrap();
    std::fs::write(place.path().join("short"), "hunter2").unwrap();
    let error = refused(place.path(), 2, &["--token-file", "short"]).await;
    assert!(
        error.contains("has 7 characters") && error.contains("openssl") && !error.contains("hunter2"),
        "{error}"
    );
    let error = refused(place.path(), 2, &["--token-file", "none"]).await;
    assert!(error.contains("cannot read --token-file none"), "{error}");
    let error = refused(place.path(), 2, &["--embed-in", "https://a.net; script-src *"]).await;
    assert!(error.contains("is not the origin of pages"), "{error}");
    let error = refused(place.path(), 2, &["--listen", "8090"]).await;
    assert!(error.contains("--listen"), "{error}");
    let error = refused(place.path(), 1, &["--store", "s3://my-runs"]).await;
    assert!(error.contains("set AWS_ACCESS_KEY_ID"), "{error}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = refused(place.path(), 1, &["--listen", &address]).await;
    assert!(
        error.contains(&format!("cannot serve at {address}")) && error.contains("127.0.0.1:0"),
        "{error}"
    );
}
