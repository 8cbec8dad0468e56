//! The command, a folder for its rendered files, and the programs that read them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use loadgen::cluster::NatsServer;
use loadgen::topology::PRESETS;
use serde_json::Value;

/// A folder that goes with the test.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder of the place.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Renders into the folder `name`; returns what was printed.
    pub(crate) fn render(&self, name: &str, args: &[&str]) -> String {
        let output = self.try_render(name, args, &[]);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    pub(crate) fn try_render(&self, name: &str, args: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = loadgen();
        command.args(["topology", "render"]).args(args).arg("-o").arg(self.folder(name));
        command.envs(environment.iter().copied()).output().unwrap()
    }
}

/// The command, without settings of whoever runs the tests.
pub(crate) fn loadgen() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    for name in ["DOMAIN", "IMAGE", "IMAGE_CONFIG", "CLUSTERS", "CLUSTER_MEMBERS", "PORT", "PASSWORD", "NATS"]
    {
        command.env_remove(name);
    }
    command.env_remove("TOXICLUSTER");
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn nats_server() -> PathBuf {
    let named = std::env::var_os("NATS_SERVER").map(PathBuf::from);
    NatsServer::find(named.as_deref()).unwrap().path
}

/// Has nats-server check a configuration whose certificates are at `tls` when it runs, and in the rendered folder now.
pub(crate) fn check(nats_server: &Path, folder: &Path, config: &str, tls: &str) {
    let config = config.replace(&format!("\"{tls}/"), "\"tls/");
    fs::write(folder.join("checked.conf"), &config).unwrap();
    check_file(nats_server, folder, "checked.conf");
}

/// Has nats-server check a file of a folder.
pub(crate) fn check_file(nats_server: &Path, folder: &Path, file: &str) {
    let mut command = Command::new(nats_server);
    let output = command.args(["-t", "-c", file]).current_dir(folder).output().unwrap();
    let config = read(folder, file);
    assert!(output.status.success(), "{}: {}\n{config}", folder.display(), text(&output.stderr));
}

pub(crate) fn presets() -> impl Iterator<Item = &'static str> {
    PRESETS.into_iter().map(|preset| preset.name)
}

/// All files below a folder, as paths in it.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Permission bits of a file.
pub(crate) fn mode(folder: &Path, file: &str) -> u32 {
    folder.join(file).metadata().unwrap().permissions().mode() & 0o777
}

/// Reads YAML with Python's reader, which docker-compose brings along.
pub(crate) fn yaml(folder: &Path, file: &str) -> Value {
    const SCRIPT: &str = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let python =
        Command::new("/usr/bin/python3").arg("-c").arg(SCRIPT).arg(folder.join(file)).output().unwrap();
    let hint = "it needs Python's YAML reader: .ci/compose installs it";
    assert!(python.status.success(), "{file}: {}{hint}", text(&python.stderr));
    serde_json::from_slice(&python.stdout).unwrap()
}
