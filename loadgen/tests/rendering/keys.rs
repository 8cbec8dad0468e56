//! Keys of a topology file that no preset has: nats-server and docker-compose read the rendered files.

use serde_json::Value;

use crate::place::{Place, check, check_file, files, nats_server, read, yaml};

/// The end of a topology file, and texts in the configuration of the first server of lon.
const CASES: [(&str, &str, &[&str]); 5] = [
    (
        "bcrypt",
        r#"
        [auth]
        kind = "password"
        bcrypt = true
        [[account]]
        name = "A"
        jetstream = true
        limits = { max_memory = "64MB", max_file = "1GB", max_streams = 5, max_consumers = 50 }
        user = [{ name = "a", publish = ["orders.>"], subscribe = ["_INBOX.>"] }]
        export = [{ stream = "orders.>" }, { service = "prices.*", accounts = ["B"] }]
        [[account.mapping]]
        from = "in.*"
        to = [{ subject = "blue.{{wildcard(1)}}", weight = 80 }, { subject = "green.{{wildcard(1)}}", weight = 20 }]
        [[account]]
        name = "B"
        user = [{ name = "b" }]
        import = [{ from = "A", stream = "orders.>", to = "theirs.>" }, { from = "A", service = "prices.*" }]
        "#,
        &[
            "password: \"$2a$11$",
            "max_streams: 5",
            "accounts: [\"B\"]",
            "service: \"prices.*\"",
            "to: \"theirs.>\"",
            "weight: 80%",
            "publish: [\"orders.>\"]",
        ],
    ),
    ("token", "[auth]\nkind = \"token\"\ntoken = \"t0ken\"\n", &["authorization { token: \"t0ken\" }"]),
    ("nkey", "[auth]\nkind = \"nkey\"\n[[account]]\nname = \"A\"\nuser = [{ name = \"a\" }]\n", &["nkey: U"]),
    (
        "operator",
        "[auth]\nkind = \"operator\"\nresolver = \"full\"\n[[account]]\nname = \"SYS\"\nsystem = true\nuser = [{ name = \"s\" }]\n\
         [[account]]\nname = \"A\"\nuser = [{ name = \"a\" }]\n",
        &["resolver { type: full", "system_account: A"],
    ),
    (
        "tls",
        "[tls]\nhandshake_first = true\n",
        &["handshake_first: true", "leafnodes { listen:", "no_advertise: true, tls {"],
    ),
];

/// A hub of two clusters that are joined, with a leaf node of the first; each server has keys of its own.
const CLUSTERS: &str = r#"
[[cluster]]
name = "lon"
domain = "hub"
tags = ["provider:x"]
gateways = ["ams"]
[[cluster.server]]
name = "alpha"
tags = ["ssd"]
image = "nats:2.14.6"
bind = "127.0.0.2"
announce = "alpha.example.com:4999"
[[cluster.server]]
[[cluster]]
name = "ams"
domain = "hub"
servers = 1
[[cluster]]
name = "dal"
domain = "hub"
servers = 1
gateways = ["ams"]
[[cluster]]
name = "edge"
servers = 1
leaf_of = "lon"
domain = "edge"
[distances]
rtt_ms = { "lon-ams" = 9, "lon-dal" = 113, "ams-dal" = 118, "lon-edge" = 20, "ams-edge" = 25, "dal-edge" = 130 }
"#;

/// Clusters with a token have no leaf nodes.
fn topology(name: &str, end: &str) -> String {
    let leaf = "[[cluster]]\nname = \"edge\"\nservers = 1\nleaf_of = \"lon\"\ndomain = \"edge\"\n";
    let distances = ", \"lon-edge\" = 20, \"ams-edge\" = 25, \"dal-edge\" = 130";
    let clusters =
        if name == "token" { CLUSTERS.replace(leaf, "").replace(distances, "") } else { CLUSTERS.to_owned() };
    clusters + end
}

#[test]
fn every_key_reaches_the_configurations_which_nats_server_reads() {
    let (place, nats_server) = (Place::new(), nats_server());
    for (name, end, expected) in CASES {
        let file = place.folder(&format!("{name}.toml"));
        std::fs::write(&file, topology(name, end)).unwrap();
        place.render(name, &["nats-server", file.to_str().unwrap()]);
        let folder = place.folder(name);
        let configs: Vec<_> = files(&folder).into_iter().filter(|file| file.ends_with(".conf")).collect();
        assert_eq!(configs.len(), if name == "token" { 4 } else { 5 }, "{configs:?}");
        configs.iter().for_each(|config| check_file(&nats_server, &folder, config));
        let config = read(&folder, "lon/alpha.conf");
        let common = [
            "server_tags: [\"region:lon\", \"provider:x\", \"ssd\"]",
            "alpha.example.com:4999",
            "listen: \"127.0.0.2:",
            "name: \"ams\"",
        ];
        for part in common.iter().chain(expected) {
            assert!(config.contains(part), "{name}: `{part}` is missing in {config}");
        }
        // Neither of the two names the other one.
        assert!(!config.contains("name: \"dal\""), "{config}");
    }
}

#[test]
fn images_and_addresses_reach_the_compose_file() {
    let (place, nats_server) = (Place::new(), nats_server());
    let file = place.folder("keys.toml");
    std::fs::write(&file, topology("tls", "")).unwrap();
    place.render("c", &["compose", file.to_str().unwrap()]);
    let folder = place.folder("c");
    let services = yaml(&folder, "docker-compose.yaml")["services"].clone();
    let image = |name: &str| {
        services.as_object().unwrap().iter().find(|(key, _)| key.contains(name)).unwrap().1["image"].clone()
    };
    assert_eq!(image("alpha"), "nats:2.14.6");
    assert_ne!(image("ams"), "nats:2.14.6");
    let configs: Vec<_> = files(&folder).into_iter().filter(|file| file.ends_with(".conf")).collect();
    assert_eq!(configs.len(), 5, "{configs:?}");
    configs.iter().for_each(|config| check(&nats_server, &folder, &read(&folder, config), "/tls"));
}

/// The largest topology that the model takes cannot run on a usual machine. Its files can be read.
#[test]
fn sixteen_clusters_of_nine_servers_are_rendered() {
    let (place, nats_server) = (Place::new(), nats_server());
    let clusters: String =
        (1..=16).map(|number| format!("[[cluster]]\nname = \"c{number}\"\nservers = 9\n")).collect();
    let file = place.folder("large.toml");
    std::fs::write(&file, clusters + "[distances]\nother_ms = 40\n").unwrap();
    place.render("large", &["nats-server", file.to_str().unwrap()]);
    let folder = place.folder("large");
    let configs: Vec<_> = files(&folder).into_iter().filter(|file| file.ends_with(".conf")).collect();
    assert_eq!(configs.len(), 144);
    for config in ["c1/c1-1.conf", "c16/c16-9.conf"] {
        check_file(&nats_server, &folder, config);
        let text = read(&folder, config);
        assert!((1..=16).all(|number| text.contains(&format!("name: \"c{number}\""))), "{text}");
    }
    place.render("composed", &["compose", file.to_str().unwrap()]);
    let services: Value = yaml(&place.folder("composed"), "docker-compose.yaml")["services"].clone();
    assert_eq!(services.as_object().unwrap().len(), 144);
}
