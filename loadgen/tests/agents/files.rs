//! `loadgen push`: a file reaches the agents that are named, whole, and only into folders that their operators named.

use std::os::unix::fs::PermissionsExt as _;

use async_nats::HeaderMap;
use async_nats::service::Info;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::place::{Ops, PASSWORD};

/// More than several messages can carry.
const SIZE: usize = 3_000_000;

fn content() -> Vec<u8> {
    (0..SIZE).map(|number| (number * 31 % 251) as u8).collect()
}

async fn pushed(ops: &Ops, args: &[&str]) -> (i32, String) {
    let mut push = ops.loadgen(&[&["push"], args].concat());
    let code = push.end().await;
    assert!(!push.printed().contains(PASSWORD), "{}", push.printed());
    (code, push.printed())
}

#[tokio::test]
async fn a_file_reaches_the_agents_that_are_named() {
    let ops = Ops::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("program"), content()).unwrap();
    std::fs::set_permissions(path("program"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let nobody = pushed(&ops, &[&path("program")]).await;
    assert!(nobody.0 == 1 && nobody.1.contains("no agents are connected"), "{nobody:?}");

    let mut lon = ops.loadgen(&["agent", "--region=lon", "--name=a-lon", "--files", &path("lon")]);
    lon.wait_for("takes orders").await;
    let _ams = ops.agent("ams", "a-ams").await;
    let done = pushed(&ops, &[&path("program"), "--to=lon", "--as=tool"]).await;
    assert_eq!(done.0, 0, "{}", done.1);
    assert!(
        done.1.contains("agent a-lon stored ") && done.1.contains("3000000 bytes, SHA-256 "),
        "{}",
        done.1
    );
    assert!(std::fs::read(path("lon/tool")).unwrap() == content(), "the content differs");
    assert_eq!(std::fs::metadata(path("lon/tool")).unwrap().permissions().mode() & 0o777, 0o700);

    // A file of the same name is replaced.
    std::fs::write(path("data"), "text").unwrap();
    assert_eq!(pushed(&ops, &[&path("data"), "--to=a-lon", "--as=tool"]).await.0, 0);
    assert_eq!(std::fs::read_to_string(path("lon/tool")).unwrap(), "text");
    assert_eq!(std::fs::metadata(path("lon/tool")).unwrap().permissions().mode() & 0o777, 0o600);

    let (code, printed) = pushed(&ops, &[&path("data")]).await;
    assert_eq!(code, 1);
    for part in
        ["1 of 2 agents did not store", "agent a-ams: the agent takes no files: start it with --files DIR"]
    {
        assert!(printed.contains(part), "{printed}");
    }
    for (args, part) in [
        (
            vec!["--to=mars"],
            "--to mars: no region and no agent has this name; choose one of a-ams, a-lon, ams, lon",
        ),
        (vec!["--as=../data"], "`../data` is no name of a file for agents"),
    ] {
        let (code, printed) = pushed(&ops, &[&[path("data").as_str()], &args[..]].concat()).await;
        assert!(code == 1 && printed.contains(part), "{printed}");
    }
    let (code, printed) = pushed(&ops, &[&path("none")]).await;
    assert!(code == 1 && printed.contains("cannot read ") && printed.contains("none"), "{printed}");
}

/// The subject on which the only agent takes orders about files, and a client that may give them.
async fn subject_of_files(ops: &Ops) -> (async_nats::Client, String) {
    let address = ops.url.replace(&format!("loadgen:{PASSWORD}@"), "");
    let options = async_nats::ConnectOptions::new().user_and_password("loadgen".into(), PASSWORD.into());
    let client = options.connect(&address).await.unwrap();
    let info = client.request("$SRV.INFO.loadgen-agent", "".into()).await.unwrap();
    let info: Info = serde_json::from_slice(&info.payload).unwrap();
    let files = info.endpoints.iter().find(|endpoint| endpoint.name == "files").unwrap();
    (client, files.subject.clone())
}

#[tokio::test]
async fn orders_for_other_places_and_other_contents_are_refused() {
    let ops = Ops::start().await;
    let folder: TempDir = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    let mut agent = ops.loadgen(&["agent", "--region=lon", "--files", files.to_str().unwrap()]);
    agent.wait_for("takes orders").await;
    let (client, subject) = subject_of_files(&ops).await;
    let context = async_nats::jetstream::new(client.clone());
    let config = async_nats::jetstream::object_store::Config {
        bucket: "LOADGEN_FILES".to_owned(),
        ..Default::default()
    };
    let store = context.create_object_store(config).await.unwrap();
    store.put("some", &mut &b"other content"[..]).await.unwrap();

    let order = json!({ "name": "x", "size": 13, "sha256": "some", "executable": false });
    let with = |key: &str, value: Value| {
        let mut order = order.clone();
        order[key] = value;
        order.to_string()
    };
    let refusal = async |content: String, version: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("Loadgen-Version", version);
        let answer = client.request_with_headers(subject.clone(), headers, content.into()).await.unwrap();
        answer.headers.unwrap().get("Nats-Service-Error").unwrap().to_string()
    };
    let version = concat!("1/", env!("CARGO_PKG_VERSION"));
    for (content, part) in [
        (with("name", json!("../x")), "no name of a file for agents"),
        (with("name", json!(".bashrc")), "no name of a file for agents"),
        (with("size", json!(1_u64 << 40)), "agents take at most"),
        (with("size", json!(5)), "but the order names another size or SHA-256"),
        (with("sha256", json!("absent")), "cannot fetch a file"),
        (order.to_string(), "but the order names another size or SHA-256"),
        (with("more", json!(1)), "the agent cannot read the order: unknown field `more`"),
        ("{".to_owned(), "the agent cannot read the order"),
    ] {
        let reason = refusal(content.clone(), version).await;
        assert!(reason.contains(part), "{content}: {reason}");
    }
    assert!(refusal(order.to_string(), "0/0").await.contains("start both with the same version of loadgen"));
    // Nothing of it stays, not even half a file.
    let left: Vec<_> = std::fs::read_dir(&files).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}
