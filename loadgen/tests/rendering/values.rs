//! Helm values, Fly.io apps, user data and contexts: their formats, by the documentation of their tools.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::place::{Place, check, files, nats_server, presets, read, text, yaml};

/// Keys of the chart's values.yaml (nats-io/k8s, chart 2.14.2) that the renderer uses.
const HELM: [&str; 8] =
    ["fullnameOverride", "tlsCA", "config", "container", "service", "podTemplate", "configMap", "natsBox"];
const HELM_CONFIG: [&str; 7] = ["cluster", "jetstream", "nats", "leafnodes", "websocket", "gateway", "merge"];

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn helm_values_have_the_keys_of_the_chart() {
    let place = Place::new();
    for preset in presets() {
        place.render(preset, &["helm", preset]);
        let folder = place.folder(preset);
        for file in files(&folder).into_iter().filter(|file| file.ends_with(".values.yaml")) {
            let values = yaml(&folder, &file);
            assert!(keys(&values).iter().all(|key| HELM.contains(key)), "{file}: {values}");
            let config = &values["config"];
            assert!(keys(config).iter().all(|key| HELM_CONFIG.contains(key)), "{file}: {config}");
            assert_eq!(config["merge"]["zz$include"], "./loadgen.conf");
            assert!(values["configMap"]["merge"]["data"]["loadgen.conf"].is_string(), "{file}");
            if preset == "hub-spoke" {
                let is_hub = file.starts_with("headquarter");
                assert_eq!(config["leafnodes"]["enabled"] == true, is_hub, "{file}");
                let own = values["configMap"]["merge"]["data"]["loadgen.conf"].as_str().unwrap();
                assert_eq!(own.contains("@headquarter.example.net:7422"), !is_hub, "{own}");
                assert!(config["jetstream"]["merge"]["domain"].is_string());
            }
            if preset == "super-cluster" {
                // Else no pod is ever ready: JetStream needs the gateways first.
                assert_eq!(values["service"]["merge"]["spec"]["publishNotReadyAddresses"], true, "{file}");
                let gateways = &config["gateway"]["merge"];
                assert_eq!(gateways["gateways"].as_array().unwrap().len(), 2, "{gateways}");
                assert_eq!(
                    gateways["advertise"],
                    format!("{}.example.net:7222", gateways["name"].as_str().unwrap())
                );
            }
        }
    }
}

/// Servers that differ, a server without any other, and clients that begin with the TLS handshake.
#[test]
fn helm_values_of_unusual_clusters() {
    let place = Place::new();
    let file = place.folder("odd.toml");
    let odd = r#"
name = "odd"
[tls]
handshake_first = true
[distances]
other_ms = 10
[[cluster]]
name = "lon"
servers = 1
tags = ["all"]
domain = "hub"
[[cluster]]
name = "edge"
leaf_of = "lon"
domain = "edge"
[[cluster.server]]
tags = ["ssd", "all"]
[[cluster.server]]
tags = ["all"]
version = "2.14.6"
[[cluster.server]]
tags = ["all"]
"#;
    std::fs::write(&file, odd).unwrap();
    let file = file.to_str().unwrap();
    place.render("helm", &["helm", file]);
    let folder = place.folder("helm");
    let (lon, edge) = (yaml(&folder, "lon.values.yaml"), yaml(&folder, "edge.values.yaml"));
    assert_eq!(
        (&lon["config"]["cluster"], &lon["config"]["merge"]["cluster"]["name"]),
        (&Value::Null, &"lon".into())
    );
    assert_eq!(edge["config"]["cluster"]["replicas"], 3);
    assert_eq!(edge["config"]["merge"]["server_tags"], serde_json::json!(["region:edge", "all"]));
    assert_eq!(lon["natsBox"]["contexts"]["default"]["merge"]["tls_first"], true);
    let readme = read(&folder, "README.md");
    assert!(
        readme.contains("The servers of `edge` differ") && !readme.contains("The servers of `lon`"),
        "{readme}"
    );
    let names = read(&folder, "tls/names");
    assert!(
        names.lines().any(|name| name == "lon") && names.lines().any(|name| name == "edge.example.net"),
        "{names}"
    );

    place.render("servers", &["nats-server", file]);
    assert!(read(&place.folder("servers"), "README.md").contains(":10000 --tlsfirst rtt"));
    place.render("fly", &["fly", file, "--region", "edge=ams"]);
    assert!(read(&place.folder("fly"), "edge/fly.toml").contains("image = \"nats:alpine\""));
    std::fs::write(place.folder("old.toml"), "[[cluster]]\nname = \"lon\"\nversion = \"2.14.6\"\n").unwrap();
    place.render("old", &["fly", place.folder("old.toml").to_str().unwrap()]);
    assert!(read(&place.folder("old"), "lon/fly.toml").contains("image = \"nats:2.14.6-alpine\""));
}

/// What <https://fly.io/docs/reference/configuration/> documents, as far as it is rendered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlyToml {
    app: String,
    primary_region: String,
    kill_signal: String,
    kill_timeout: u16,
    build: Value,
    processes: serde_json::Map<String, Value>,
    files: Vec<FlyFile>,
    #[serde(default)]
    mounts: Vec<Mount>,
    checks: Value,
    #[serde(default)]
    services: Vec<Service>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlyFile {
    guest_path: String,
    local_path: String,
    processes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mount {
    source: String,
    destination: String,
    initial_size: String,
    processes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    internal_port: u16,
    protocol: String,
    auto_stop_machines: String,
    processes: Vec<String>,
    ports: Vec<Value>,
}

#[test]
fn fly_apps_have_the_documented_keys() {
    let (place, nats_server) = (Place::new(), nats_server());
    for (preset, dial) in presets().flat_map(|preset| [(preset, "direct"), (preset, "anycast")]) {
        let name = format!("{preset}-{dial}");
        place.render(&name, &["fly", preset, "--dial", dial]);
        let folder = place.folder(&name);
        for file in files(&folder).into_iter().filter(|file| file.ends_with("fly.toml")) {
            let app: FlyToml = toml::from_str(&read(&folder, &file)).unwrap();
            assert!(app.app.starts_with(preset) && app.primary_region.len() == 3, "{file}");
            assert_eq!((app.kill_signal.as_str(), app.kill_timeout), ("SIGUSR2", 60));
            assert!(
                app.build["image"].is_string()
                    && app.checks["healthz"]["path"] == "/healthz?js-server-only=true"
            );
            let own = folder.join(&file);
            for file in &app.files {
                assert!(own.parent().unwrap().join(&file.local_path).exists(), "{}", file.local_path);
                assert!(file.guest_path.starts_with("/nats/"));
                let is_known = |group: &String| app.processes.contains_key(group);
                assert!(file.processes.iter().flatten().all(is_known));
            }
            for config in files(own.parent().unwrap()).into_iter().filter(|file| file.ends_with(".conf")) {
                check(&nats_server, &folder, &read(own.parent().unwrap(), &config), "/nats/tls");
            }
            for mount in &app.mounts {
                assert!(mount.source.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_'));
                assert_eq!((mount.destination.as_str(), mount.processes.len()), ("/data", 1));
                assert!(mount.initial_size.ends_with("gb"));
            }
            assert_eq!(app.services.is_empty(), dial == "direct", "{file}");
            for service in &app.services {
                assert_eq!(service.processes.len(), app.processes.len());
                assert!(
                    service.protocol == "tcp"
                        && service.auto_stop_machines == "off"
                        && service.internal_port > 0
                );
                assert_eq!(service.ports.len(), 1);
            }
        }
    }
    let lon = read(&place.folder("super-cluster-direct"), "lon/fly.toml");
    assert!(lon.contains("primary_region = \"lhr\""), "{lon}");
    let lon = read(&place.folder("super-cluster-anycast"), "lon/lon-1.conf");
    assert!(
        lon.contains("nats://super-cluster-ams.fly.dev:7222")
            && lon.contains("advertise: \"super-cluster-lon.fly.dev:7222\""),
        "{lon}"
    );
}

#[test]
fn a_cluster_without_a_region_of_fly_needs_the_flag() {
    let place = Place::new();
    let text_of = |args: &[&str]| text(&place.try_render("r", args, &[]).stderr);
    std::fs::write(place.folder("mars.toml"), "[[cluster]]\nname = \"mars\"\n").unwrap();
    let file = place.folder("mars.toml");
    let file = file.to_str().unwrap();
    let error = text_of(&["fly", file]);
    assert!(error.contains("`mars`") && error.contains("--region mars=REGION"), "{error}");
    let error = text_of(&["fly", file, "--region", "venus=iad"]);
    assert!(error.contains("cluster `venus`, which does not exist"), "{error}");
    place.render("r", &["fly", file, "--region", "mars=iad"]);
}

/// The schema by which cloud-init itself checks user data.
fn cloud_init_schema() -> jsonschema::Validator {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    let package = cache.join("nats-geo/cloud-init/usr/lib/python3/dist-packages/cloudinit");
    let file = package.join("config/schemas/schema-cloud-config-v1.json");
    let schema = std::fs::read_to_string(&file);
    let schema =
        schema.unwrap_or_else(|error| panic!("{}: {error}; .ci/cloud-init fetches it", file.display()));
    jsonschema::draft4::new(&serde_json::from_str(&schema).unwrap()).unwrap()
}

#[test]
fn user_data_is_cloud_config() {
    let (place, nats_server, schema) = (Place::new(), nats_server(), cloud_init_schema());
    let wrong = serde_json::json!({ "write_files": [{ "path": "/etc/x", "text": "not `content`" }] });
    assert!(!schema.is_valid(&wrong), "the schema refuses nothing");
    for (preset, dial) in presets().zip(["direct", "anycast"].into_iter().cycle()) {
        place.render(preset, &["cloud-init", preset, "--dial", dial]);
        let folder = place.folder(preset);
        let all: Vec<_> = files(&folder).into_iter().filter(|file| file.ends_with(".yaml")).collect();
        assert!(all.len() >= 3, "{all:?}");
        for file in all {
            assert!(read(&folder, &file).starts_with("#cloud-config\n"), "{file}");
            let data = yaml(&folder, &file);
            assert_eq!(
                keys(&data),
                ["fqdn", "hostname", "packages", "runcmd", "users", "write_files"],
                "{file}"
            );
            let errors: Vec<_> = schema.iter_errors(&data).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "{file}");
            let written = data["write_files"].as_array().unwrap();
            let config = written.iter().find(|file| file["path"] == "/etc/nats/nats-server.conf").unwrap();
            assert_eq!((&config["owner"], &config["permissions"]), (&"nats:nats".into(), &"0600".into()));
            let own = config["content"].as_str().unwrap();
            for named in own.split('"').filter(|text| text.starts_with("/etc/nats/")) {
                assert!(written.iter().any(|file| file["path"] == named), "{named} is not written");
            }
            check(&nats_server, &folder, own, "/etc/nats/tls");
            let cluster = file.split('/').next().unwrap();
            let advertised = own.contains(&format!("advertise: \"{cluster}.example.net:7222\""));
            assert_eq!(advertised, dial == "anycast" && own.contains("gateway {"), "{file}: {own}");
        }
    }
}

/// `natscontext` of nats-io/jsm.go, as far as it is rendered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    description: String,
    url: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    creds: String,
    #[serde(default)]
    ca: String,
    #[serde(default)]
    cert: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    jetstream_domain: String,
}

#[test]
fn contexts_have_the_fields_of_the_nats_cli() {
    let place = Place::new();
    for preset in presets() {
        let printed = place.render(preset, &["contexts", preset]);
        let folder = place.folder(preset);
        assert!(
            printed.contains(&format!("{}/*.json ~/.config/nats/context/", folder.display())),
            "{printed}"
        );
        let all: Vec<_> = files(&folder).into_iter().filter(|file| file.ends_with(".json")).collect();
        for file in &all {
            let context: Context = serde_json::from_str(&read(&folder, file)).unwrap();
            assert!(context.description.contains(preset) && context.url.contains("127.0.0.1:10"), "{file}");
            assert_eq!(context.user.is_empty(), context.password.is_empty(), "{file}");
            assert_ne!(context.user.is_empty(), context.creds.is_empty(), "{file}");
            for path in [&context.creds, &context.ca, &context.cert, &context.key] {
                assert!(path.is_empty() || std::path::Path::new(path).exists(), "{path}");
            }
            assert_eq!(!context.jetstream_domain.is_empty(), preset == "hub-spoke");
        }
        let users = all.iter().filter(|file| !file.ends_with("-system.json")).count();
        assert!(users >= all.len() - users && all.len() >= 2, "{all:?}");
    }
    assert!(place.folder("super-cluster").join("super-cluster-lon.json").exists());
    assert!(place.folder("super-cluster").join("super-cluster-lon-system.json").exists());
}
