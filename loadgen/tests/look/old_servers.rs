//! Servers of several versions in one super-cluster: the tables show all of them.

use loadgen::cluster::NatsServer;

use crate::command::{Servers, TURN, free_ports, json, shown, wait_until};

pub(crate) const OLD: &str = "2.10.26";
/// The oldest that is asked: 2.9 of Debian's package, where there is Debian's package.
pub(crate) const OLDEST: &str = if cfg!(target_os = "linux") { "debian" } else { OLD };

/// A cluster of 2.10.26, one of the newest, and a leaf node of 2.9.
#[tokio::test(flavor = "multi_thread")]
async fn old_and_new_servers_stand_in_one_table() {
    let _turn = TURN.lock().await;
    let [oldest, old, new] = tokio::task::spawn_blocking(|| {
        let of_version = |version: &str| NatsServer::of_version(version).unwrap();
        [of_version(OLDEST), of_version(OLD), NatsServer::find(None).unwrap()]
    })
    .await
    .unwrap();
    assert_eq!(old.version.to_string(), OLD);
    assert!(cfg!(not(target_os = "linux")) || oldest.version.to_string().starts_with("2.9."), "{oldest}");
    let [old_port, new_port, leaf_port, old_gateway, new_gateway, leafs] = free_ports();
    let gateway = |name: &str, port: u16| {
        format!(
            "gateway {{ name: \"{name}\", listen: \"127.0.0.1:{port}\", gateways: [\n\
             {{ name: \"old.eu\", url: \"nats://127.0.0.1:{old_gateway}\" }}\n\
             {{ name: \"new_us\", url: \"nats://127.0.0.1:{new_gateway}\" }} ] }}\n"
        )
    };
    let remote = |user: &str, account: &str| {
        format!("{{ url: \"nats://{user}@127.0.0.1:{leafs}\", account: {account} }}")
    };
    let remotes = format!(
        "leafnodes {{ remotes: [\n{}\n{} ] }}",
        remote("system:hunter2", "SYS"),
        remote("acc:hunter3", "ACC")
    );
    let mut servers = Servers::new();
    let hub = gateway("old.eu", old_gateway) + &format!("leafnodes {{ listen: \"127.0.0.1:{leafs}\" }}");
    servers.start(&old, "eu-1", old_port, &hub).await;
    servers.start(&new, "us-1", new_port, &gateway("new_us", new_gateway)).await;
    servers.start(&oldest, "cinema", leaf_port, &remotes).await;

    for port in [old_port, new_port] {
        let url = format!("nats://system:hunter2@127.0.0.1:{port}");
        wait_until(async || {
            let report = json(&["servers", "--server", &url], &[]);
            let rows = report["servers"].as_array().unwrap();
            let row = |row: &serde_json::Value| {
                let text = |field: &str| row[field].as_str().unwrap().to_owned();
                let links = ["gateways_out", "gateways_in", "leaf_nodes"].map(|field| row[field].as_u64());
                (text("name"), text("version"), links)
            };
            let found: Vec<_> = rows.iter().map(row).collect();
            let expected = |name: &str, server: &NatsServer, links: [u64; 3]| {
                (name.to_owned(), server.version.to_string(), links.map(Some))
            };
            let expected = [
                expected("cinema", &oldest, [0, 0, 2]),
                expected("us-1", &new, [1, 1, 0]),
                expected("eu-1", &old, [1, 1, 2]),
            ];
            let clusters: Vec<_> = rows.iter().map(|row| row["cluster"].as_str().unwrap()).collect();
            let is_same = found == expected && clusters == ["cinema", "new_us", "old.eu"];
            if is_same { Ok(()) } else { Err(format!("{found:?} in {clusters:?}")) }
        })
        .await;
        let clusters = json(&["clusters", "--server", &url], &[]);
        let names: Vec<_> = clusters["clusters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["cluster"].as_str().unwrap())
            .collect();
        assert!(["cinema", "new_us", "old.eu"].iter().all(|name| names.contains(name)), "{clusters}");
        let graph = json(&["graph", "--server", &url], &[]);
        assert_eq!(graph["leafs"][0]["hub"], "old.eu", "{graph}");
        assert_eq!(graph["leafs"][0]["accounts"], serde_json::json!(["ACC", "SYS"]), "{graph}");
        assert_eq!(graph["gateways"].as_array().unwrap().len(), 1, "{graph}");
        assert!(shown(&["graph", "--server", &url], &[]).contains("Leaf node cinema of old.eu"));
    }
}
