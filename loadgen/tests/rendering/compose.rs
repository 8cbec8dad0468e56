//! Compose files that docker-compose reads.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::place::{Place, check, nats_server, presets, read, text, yaml};

/// What docker-compose makes of a folder.
fn config(folder: &Path) -> Value {
    let mut command = Command::new("docker-compose");
    let output = command.arg("config").current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("docker-compose: {error}; .ci/compose installs it"));
    assert!(output.status.success(), "{}: {}", folder.display(), text(&output.stderr));
    std::fs::write(folder.join("config.yaml"), &output.stdout).unwrap();
    yaml(folder, "config.yaml")
}

#[test]
fn docker_compose_reads_every_preset() {
    let (place, nats_server) = (Place::new(), nats_server());
    for preset in presets() {
        place.render(preset, &["compose", preset, "--surveyor", "--toxicluster"]);
        let folder = place.folder(preset);
        let config = config(&folder);
        let services = config["services"].as_object().unwrap();
        let mut servers = 0;
        for (name, service) in services {
            let mut volumes = service["volumes"].as_array().into_iter().flatten();
            let Some(mount) = volumes.find_map(configuration) else { continue };
            servers += 1;
            assert!(service["healthcheck"]["test"].to_string().contains("/healthz"), "{name}: {service}");
            let own = read(&folder, &mount);
            assert!(own.contains("nats://toxiproxy.example.net:172") || !own.contains("gateway {"), "{own}");
            assert_eq!(own.matches(":7222\"").count(), usize::from(own.contains("gateway {")), "{own}");
            check(&nats_server, &folder, &own, "/tls");
        }
        assert_eq!(services.len(), servers + 4, "toxiproxy, surveyor, prometheus, grafana");
        let proxies: Value = serde_json::from_str(&read(&folder, "configs/toxiproxy.json")).unwrap();
        assert_eq!(proxies.as_array().unwrap().len(), servers);
        let source = yaml(&folder, "configs/grafana-datasource.yml");
        assert_eq!(source["datasources"][0]["url"], "http://prometheus.example.net:9090");
        let scraped = yaml(&folder, "configs/prometheus.yml");
        assert_eq!(
            scraped["scrape_configs"][0]["static_configs"][0]["targets"][0],
            "surveyor.example.net:7777"
        );
    }
}

/// The configuration that a volume mounts, if it does.
fn configuration(volume: &Value) -> Option<String> {
    let volume = volume.as_str()?;
    let (source, target) = (volume.split(':').next()?, volume.split(':').nth(1)?);
    let file = source.rsplit('/').next()?;
    (target == "/nats-server.conf").then(|| format!("configs/{file}"))
}

/// The example of R.I. Pienaar's supercluster, by its environment variables.
#[test]
fn the_settings_of_supercluster_work_by_their_names() {
    const MAP: &str = "\
Cluster: 1
  Node: nc1.c1.example.net
    Port: 10000

  Node: nc2.c1.example.net
    Port: 10001

  Node: nc3.c1.example.net
    Port: 10002


Cluster: 2
  Node: nc1.c2.example.net
    Port: 10003

  Node: nc2.c2.example.net
    Port: 10004

  Node: nc3.c2.example.net
    Port: 10005


...wrote docker-compose.yaml
";
    let place = Place::new();
    let output = place.try_render("seed", &["compose"], &[("PASSWORD", "password")]);
    let printed = text(&output.stdout);
    assert!(printed.starts_with(MAP), "{printed}{}", text(&output.stderr));
    assert_eq!(
        place.render("preset", &["compose", "accounts"]).split("...wrote").next(),
        printed.split("...wrote").next()
    );
    let own = read(&place.folder("seed"), "configs/nc3-c2.conf");
    for user in ["one", "two", "system"] {
        assert!(own.contains(&format!("user: \"{user}\", password: \"password\"")), "{own}");
    }

    let settings = [
        ("DOMAIN", "test.example"),
        ("IMAGE", "nats:2.10-alpine"),
        ("IMAGE_CONFIG", "/etc/own.conf"),
        ("CLUSTERS", "3"),
        ("CLUSTER_MEMBERS", "1"),
        ("PORT", "20000"),
        ("TOXICLUSTER", "1"),
    ];
    let output = place.try_render("set", &["compose"], &settings);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("Cluster: 3\n  Node: nc1.c3.test.example\n    Port: 20002\n"));
    let service = &config(&place.folder("set"))["services"]["nc1.c3.test.example"];
    assert_eq!(service["image"], "nats:2.10-alpine");
    assert_eq!(service["command"][1], "/etc/own.conf");
    assert!(service["ports"].to_string().contains("127.0.0.1:20002:4222"), "{service}");
    let own = read(&place.folder("set"), "configs/nc1-c3.conf");
    assert!(own.contains("toxiproxy.test.example:17224") && own.contains("no_auth_user"), "{own}");
}

#[test]
fn an_image_without_a_shell_has_no_health_check() {
    let place = Place::new();
    place.render("r", &["compose", "--image", "nats:2.10.20"]);
    let compose = read(&place.folder("r"), "docker-compose.yaml");
    assert!(!compose.contains("healthcheck:") && compose.contains("No health check: "), "{compose}");
}

#[test]
fn passwords_reach_surveyor_and_grafana_letter_by_letter() {
    let place = Place::new();
    for (name, password) in [("dollar", "it$x #1 \"q\""), ("quote", "it's \\ #1")] {
        place.render(name, &["compose", "accounts", "--surveyor", "--password", password]);
        let folder = place.folder(name);
        let services = &config(&folder)["services"];
        // docker-compose prints a dollar sign twice.
        let of = |service: &str, variable: &str| {
            let value = services[service]["environment"][variable].as_str().unwrap();
            value.replace("$$", "$")
        };
        assert_eq!(of("surveyor.example.net", "NATS_SURVEYOR_PASSWORD"), password);
        assert_eq!(of("grafana.example.net", "GF_SECURITY_ADMIN_PASSWORD"), password);
    }
}
