//! NATS Surveyor, Prometheus and Grafana beside a compose rendering.

use std::fmt::Write as _;

use super::super::credentials::{KeyError, Login};
use super::super::spec::UserSpec;
use super::accounts;
use super::addresses::STANDARD;
use super::compose::{ComposeError, ComposeOptions, string};
use super::files::{Inputs, RenderedFile};
use super::names::Names;

/// The services of a compose file.
///
/// # Errors
/// There is no system account.
pub(super) fn services(inputs: &Inputs<'_>, options: &ComposeOptions) -> Result<String, ComposeError> {
    system_user(inputs)?;
    let ComposeOptions { domain, bind, .. } = options;
    let mut volumes = String::new();
    if inputs.certificates.is_some() {
        volumes.push_str("      - \"./tls:/tls:ro\"\n");
    }
    if !inputs.user_files()?.is_empty() {
        volumes.push_str("      - \"./users:/users:ro\"\n");
    }
    if !volumes.is_empty() {
        volumes.insert_str(0, "    volumes:\n");
    }
    let name = |name: &str| string(&format!("{name}.{domain}"));
    let port = |port: u16| string(&format!("{bind}:{port}:{port}"));
    Ok(format!(
        "  # NATS Surveyor queries the state of all servers in the system account, and serves the state to Prometheus.\n  \
         {}:\n    image: \"natsio/nats-surveyor:latest\"\n    env_file: [\"./configs/surveyor.env\"]\n    \
         restart: unless-stopped\n    ports:\n      - {}\n{volumes}    networks: [\"shared\"]\n\n  \
         {}:\n    image: \"prom/prometheus:latest\"\n    restart: unless-stopped\n    ports:\n      - {}\n    volumes:\n      \
         - \"./configs/prometheus.yml:/etc/prometheus/prometheus.yml:ro\"\n    networks: [\"shared\"]\n\n  \
         # Its user is `admin`; configs/grafana.env has the password.\n  \
         {}:\n    image: \"grafana/grafana:latest\"\n    env_file: [\"./configs/grafana.env\"]\n    \
         restart: unless-stopped\n    ports:\n      - {}\n    volumes:\n      \
         - \"./configs/grafana-datasource.yml:/etc/grafana/provisioning/datasources/nats.yml:ro\"\n    \
         networks: [\"shared\"]\n\n",
        name("surveyor"),
        port(7777),
        name("prometheus"),
        port(9090),
        name("grafana"),
        port(3000),
    ))
}

/// The files that the services mount.
///
/// # Errors
/// There is no system account.
pub(super) fn files(inputs: &Inputs<'_>, domain: &str) -> Result<Vec<RenderedFile>, ComposeError> {
    let grafana = UserSpec { name: "Grafana's admin".to_owned(), ..UserSpec::default() };
    let password = inputs.credentials.password(&grafana);
    let prometheus = format!(
        "# Prometheus reads the metrics of all servers from Surveyor.\nglobal:\n  scrape_interval: 5s\n\nscrape_configs:\n  \
         - job_name: surveyor\n    static_configs:\n      - targets: [\"surveyor.{domain}:7777\"]\n"
    );
    let datasource = format!(
        "# Grafana reads this file at its start, and uses Prometheus as its data source.\n\
         apiVersion: 1\n\ndatasources:\n  - name: Prometheus\n    type: prometheus\n    \
         access: proxy\n    url: \"http://prometheus.{domain}:9090\"\n    isDefault: true\n"
    );
    Ok(vec![
        RenderedFile::secret("configs/surveyor.env", surveyor(inputs, domain)?),
        RenderedFile::secret(
            "configs/grafana.env",
            format!("GF_SECURITY_ADMIN_PASSWORD={}\n", env_value(password.expose())),
        ),
        RenderedFile::plain("configs/prometheus.yml", prometheus),
        RenderedFile::plain("configs/grafana-datasource.yml", datasource),
    ])
}

/// Surveyor's options, by the names of its environment.
fn surveyor(inputs: &Inputs<'_>, domain: &str) -> Result<String, ComposeError> {
    let (names, topology) = (Names::of(inputs.topology), inputs.topology);
    let template = format!("{{server}}.{{cluster}}.{domain}");
    let scheme = if topology.spec().tls.is_some() { "tls" } else { "nats" };
    let servers = topology.all_servers().iter().map(|server| {
        format!("{scheme}://{}:{}", names.host(&template, server), STANDARD.client.unwrap_or_default())
    });
    let servers: Vec<_> = servers.collect();
    let mut text = format!(
        "NATS_SURVEYOR_SERVERS={}\nNATS_SURVEYOR_COUNT={}\nNATS_SURVEYOR_ACCOUNTS=true\n",
        servers.join(","),
        servers.len()
    );
    let mut set = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "NATS_SURVEYOR_{name}={}", env_value(value));
    };
    let user = system_user(inputs)?;
    match login(inputs)? {
        Login::Password { user, password } => {
            set("USER", &user);
            set("PASSWORD", password.expose());
        }
        Login::Nkey(_) => set("NKEY", &format!("/users/{}", accounts::seed_file(user))),
        Login::Creds(_) => set("CREDS", &format!("/users/{}", accounts::creds_file(user))),
        Login::Anonymous | Login::Token(_) => return Err(ComposeError::NoSystemUser),
    }
    if let Some(tls) = &topology.spec().tls {
        set("TLSCACERT", "/tls/ca.pem");
        if tls.handshake_first {
            set("TLSFIRST", "true");
        }
        if tls.mutual {
            set("TLSCERT", "/tls/client.pem");
            set("TLSKEY", "/tls/client.key");
        }
    }
    Ok(text)
}

/// A value in a file of variables, as Docker Compose reads it: letter by letter between single quotes, which cannot hold a quote or a
/// backslash; between double quotes with a backslash before each special letter.
fn env_value(text: &str) -> String {
    if !text.contains(['\'', '\\']) {
        return format!("'{text}'");
    }
    let mut value = String::from('"');
    for letter in text.chars() {
        if matches!(letter, '\\' | '"' | '$') {
            value.push('\\');
        }
        value.push(letter);
    }
    value + "\""
}

fn system_user<'a>(inputs: &Inputs<'a>) -> Result<&'a UserSpec, ComposeError> {
    let account = inputs.topology.system_account();
    account.and_then(|account| account.users.first()).ok_or(ComposeError::NoSystemUser)
}

fn login(inputs: &Inputs<'_>) -> Result<Login, KeyError> {
    inputs.credentials.system_login(inputs.topology)
}
