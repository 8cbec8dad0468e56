//! Folders whose servers really run, started by the README's own commands.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::monitor::monitor;
use crate::place::{Place, loadgen, nats_server, read, text};

/// Long enough for nine servers on two cores, an unlucky election included.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at a server.
const LOOK: Duration = Duration::from_millis(50);

/// Servers that end with the test, each by its own id.
struct Servers(Vec<Child>);

impl Servers {
    /// Starts what the README says, in its folder.
    fn start(place: &Place, folder: &Path) -> Self {
        let bin = place.folder("bin");
        std::fs::create_dir_all(&bin).unwrap();
        let program = bin.join("nats-server");
        if !program.exists() {
            std::os::unix::fs::symlink(nats_server(), program).unwrap();
        }
        let readme = read(folder, "README.md");
        let commands = readme.lines().filter(|line| line.starts_with("nats-server -c "));
        let start = |line: &str| {
            let line = line.strip_suffix(" &").unwrap();
            let mut command = Command::new("sh");
            command.arg("-c").arg(format!("exec {line}")).current_dir(folder);
            command.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        Self(commands.map(start).collect())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for server in &mut self.0 {
            // One that has ended already is what is wanted.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// A base from which all ports are free. Tests that run at the same time begin to look at different ones.
fn free_base(servers: u16, from: u16) -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let all =
        |base: u16| (0..6).flat_map(move |kind| (0..servers).map(move |server| base + 200 * kind + server));
    (from..from + 8000).step_by(1300).find(|base| all(*base).all(is_free)).expect("no free ports")
}

/// Waits until a server's answer is as wanted.
async fn wait(port: u16, path: &str, is_wanted: impl Fn(&Value) -> bool) {
    let mut looks = tokio::time::interval(LOOK);
    let mut answer = None;
    let wanted = timeout(LIMIT, async {
        while !answer.as_ref().is_some_and(&is_wanted) {
            looks.tick().await;
            answer = monitor(port, path);
        }
    });
    let in_time = wanted.await.is_ok();
    assert!(in_time, "port {port}, {path}: {answer:?}");
}

fn count(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

#[tokio::test]
async fn the_accounts_folder_runs() {
    let (place, base) = (Place::new(), free_base(6, 12_000));
    place.render("r", &["nats-server", "accounts", "--base-port", &base.to_string()]);
    let servers = Servers::start(&place, &place.folder("r"));
    assert_eq!(servers.0.len(), 6);
    for server in 0..6 {
        let port = base + 400 + server;
        wait(port, "/gatewayz", |gateways| count(&gateways["outbound_gateways"]) == 1).await;
        wait(port, "/healthz", |health| health["status"] == "ok").await;
        // One connection per account that the cluster shares, and one for the pool: at least one to each of two others.
        wait(port, "/routez", |routes| routes["num_routes"].as_u64() >= Some(2)).await;
    }

    let mut env = loadgen();
    env.args(["topology", "env", "accounts", "c2", "2", "--base-port", &base.to_string(), "--folder"]);
    let env = text(&env.arg(place.folder("r")).output().unwrap().stdout);
    let value = |name: &str| {
        let line = env.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
        line.unwrap_or_else(|| panic!("no {name}: {env}")).to_owned()
    };
    let options =
        async_nats::ConnectOptions::with_user_and_password(value("NATS_USER"), value("NATS_PASSWORD"));
    let client = options.connect(value("NATS_URL")).await.unwrap();
    assert_eq!(client.server_info().server_name, "nc2-c2");
    let refused = async_nats::ConnectOptions::with_user_and_password("one".to_owned(), "other".to_owned());
    assert!(refused.connect(value("NATS_URL")).await.is_err());
}

#[tokio::test]
async fn the_hub_spoke_folder_runs() {
    let (place, base) = (Place::new(), free_base(9, 20_000));
    place.render("r", &["nats-server", "hub-spoke", "--base-port", &base.to_string()]);
    let servers = Servers::start(&place, &place.folder("r"));
    assert_eq!(servers.0.len(), 9);
    for server in 0..9 {
        let port = base + 400 + server;
        if server >= 3 {
            // One for each of the accounts ACC and SYS.
            wait(port, "/leafz", |leaves| leaves["leafnodes"].as_u64() == Some(2)).await;
        }
        wait(port, "/healthz", |health| health["status"] == "ok").await;
        let domain = ["hub", "spoke-1", "spoke-2"][usize::from(server / 3)];
        wait(port, "/jsz", |jetstream| jetstream["config"]["domain"] == domain).await;
    }
}

/// Kinds of login, each with the end of a topology file.
const LOGINS: [(&str, &str); 5] = [
    ("password", "[auth]\nkind = \"password\"\nbcrypt = true\n"),
    ("token", "[auth]\nkind = \"token\"\n"),
    ("nkey", "[auth]\nkind = \"nkey\"\n"),
    ("operator", "[auth]\nkind = \"operator\"\n[tls]\nmutual = true\n"),
    ("tls-first", "[tls]\nhandshake_first = true\n"),
];

/// The folder of contexts that the `nats` CLI reads. loadgen reads it, too.
#[tokio::test]
async fn rendered_contexts_log_in() {
    let place = Place::new();
    for (number, (name, end)) in (0..).zip(LOGINS) {
        let base = free_base(1, 30_000 + 10 * number).to_string();
        let file = place.folder(&format!("{name}.toml"));
        std::fs::write(&file, format!("name = \"x\"\n[[cluster]]\nname = \"lon\"\nservers = 1\n{end}"))
            .unwrap();
        let folder = place.folder(name);
        for kind in ["contexts", "nats-server"] {
            // The second rendering keeps the seed of all credentials.
            place.render(name, &[kind, file.to_str().unwrap(), "--base-port", &base, "--force"]);
        }
        let servers = Servers::start(&place, &folder);
        assert_eq!(servers.0.len(), 1);
        wait(base.parse::<u16>().unwrap() + 400, "/healthz", |health| health["status"] == "ok").await;

        let contexts = place.folder(&format!("{name}-config")).join("nats/context");
        std::fs::create_dir_all(&contexts).unwrap();
        for file in ["x-lon.json", "x-lon-system.json"] {
            if name != "token" || file == "x-lon.json" {
                std::fs::copy(folder.join(file), contexts.join(file)).unwrap();
            }
        }
        let asked = |command: &str, context: &str| {
            let mut loadgen = loadgen();
            loadgen.args([command, "--context", context, "--json"]);
            loadgen.env("XDG_CONFIG_HOME", place.folder(&format!("{name}-config")));
            let output = loadgen.output().unwrap();
            assert!(output.status.success(), "{name} {command}: {}", text(&output.stderr));
            serde_json::from_slice::<Value>(&output.stdout).unwrap()
        };
        assert_eq!(asked("streams", "x-lon")["streams"], serde_json::json!([]), "{name}");
        if name != "token" {
            assert_eq!(asked("servers", "x-lon-system")["servers"][0]["name"], "lon-1", "{name}");
        }
    }
}
