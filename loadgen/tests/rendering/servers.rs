//! Configurations that nats-server reads, and the protection of their secrets.

use crate::place::{Place, check_file, files, mode, nats_server, presets, read, text};

#[test]
fn nats_server_reads_every_configuration() {
    let (place, nats_server) = (Place::new(), nats_server());
    for preset in presets() {
        place.render(preset, &["nats-server", preset]);
        let folder = place.folder(preset);
        let configs: Vec<_> = files(&folder).into_iter().filter(|file| file.ends_with(".conf")).collect();
        let readme = read(&folder, "README.md");
        assert_eq!(configs.len(), readme.matches("nats-server -c ").count(), "{preset}");
        for config in configs {
            check_file(&nats_server, &folder, &config);
            assert!(readme.contains(&format!("nats-server -c {config}")), "{config}: {readme}");
        }
    }
}

#[test]
fn hosts_are_named_by_a_template() {
    let place = Place::new();
    place.render("r", &["nats-server", "hub-spoke", "--hosts", "{server}.{cluster}.internal"]);
    let config = read(&place.folder("r"), "spoke-1/spoke-1-1.conf");
    assert!(config.contains("@headquarter-2.headquarter.internal:7422"), "{config}");
    assert!(config.contains("client_advertise: \"spoke-1-1.spoke-1.internal:4222\""), "{config}");
    assert!(config.contains("listen: \"0.0.0.0:4222\""), "{config}");
    let hub = read(&place.folder("r"), "headquarter/headquarter-1.conf");
    assert!(hub.contains("no_advertise: true"), "{hub}");
    // Configurations and commands name a domain alike.
    assert!(config.contains("domain: \"spoke-1\""), "{config}");
    let readme = read(&place.folder("r"), "README.md");
    assert!(readme.contains("--js-domain spoke-1 stream add tickets-1"), "{readme}");
}

#[test]
fn only_the_owner_reads_secrets_and_nothing_prints_them() {
    let place = Place::new();
    for (kind, preset) in [("nats-server", "hub-spoke"), ("compose", "operator"), ("contexts", "tls")] {
        let printed = place.render(preset, &[kind, preset, "--password", "swordfish"]);
        assert!(!printed.contains("swordfish"), "{printed}");
        let folder = place.folder(preset);
        for file in files(&folder) {
            let content = read(&folder, &file);
            let secrets = ["swordfish", "SEED-----", "PRIVATE KEY"];
            let is_secret = file == ".seed" || secrets.iter().any(|secret| content.contains(secret));
            if is_secret {
                assert_eq!(mode(&folder, &file), 0o600, "{preset}/{file}");
                assert!(printed.contains(&file), "{preset}/{file} is missing: {printed}");
            }
        }
    }
}

#[test]
fn rendering_again_needs_force_and_keeps_passwords() {
    let place = Place::new();
    place.render("r", &["nats-server", "tls"]);
    let folder = place.folder("r");
    let files_before = files(&folder);
    let before: Vec<_> = files_before.iter().map(|file| read(&folder, file)).collect();
    std::fs::remove_file(folder.join("README.md")).unwrap();
    let refused = place.try_render("r", &["nats-server", "tls"], &[]);
    let error = text(&refused.stderr);
    assert!(
        !refused.status.success() && error.contains("lon-1.conf") && error.contains("--force"),
        "{error}"
    );
    assert!(!folder.join("README.md").exists(), "written before the refusal");
    place.render("r", &["nats-server", "tls", "--force"]);
    let after: Vec<_> = files(&folder).iter().map(|file| read(&folder, file)).collect();
    assert!(before == after, "passwords or certificates changed");
    // Contexts of the same servers, into the same folder: nothing is overwritten, and the files of users are the same.
    place.render("r", &["contexts", "tls"]);
    let authority = files_before.iter().position(|file| file == "tls/ca.pem").unwrap();
    assert!(read(&folder, "tls/ca.pem") == before[authority]);
    // Other names of servers need other certificates.
    place.render("r", &["nats-server", "tls", "--force", "--hosts", "{server}.internal"]);
    assert!(read(&folder, "tls/names").contains("lon-1.internal"));
    assert!(read(&folder, "tls/ca.pem") != before[authority]);
}
