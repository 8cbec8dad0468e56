//! Toxiproxy in front of the gateways of a compose rendering.

use serde_json::{Value, json};

use super::super::model::Topology;
use super::addresses::STANDARD;
use super::compose::{list, string};
use super::files::RenderedFile;
use super::names::Names;

/// Port of the first proxy.
const FIRST_PORT: usize = 17222;
/// Port of Toxiproxy's API.
const API_PORT: u16 = 8474;
/// The newest release that was tried.
const IMAGE: &str = "ghcr.io/shopify/toxiproxy:2.12.0";

/// The address through which others reach the gateway of the server with this number.
pub(super) fn address(domain: &str, number: usize) -> String {
    format!("{}:{}", host(domain), FIRST_PORT + number)
}

/// The file with the proxies.
pub(super) fn config(topology: &Topology, domain: &str) -> RenderedFile {
    let names = Names::of(topology);
    let template = format!("{{server}}.{{cluster}}.{domain}");
    let proxies = topology.all_servers().iter().enumerate().map(|(number, server)| {
        json!({
            "name": server.name.as_str(),
            "listen": format!("[::]:{}", FIRST_PORT + number),
            "upstream": format!("{}:{}", names.host(&template, server), STANDARD.gateway.unwrap_or_default()),
            "enabled": true,
        })
    });
    RenderedFile::plain("configs/toxiproxy.json", format!("{:#}\n", Value::from_iter(proxies)))
}

/// The service.
pub(super) fn service(topology: &Topology, domain: &str, bind: &str) -> String {
    let server = topology.all_servers().first().map(|server| server.name.as_str()).unwrap_or_default();
    let host = host(domain);
    format!(
        "  # Toxiproxy, which all gateway connections traverse: one proxy per server, in front of its gateway port. Example:\n  \
         # docker compose exec {host} /toxiproxy-cli toxic add -t latency -a latency=50 -a jitter=5 {server}\n  \
         {}:\n    image: {}\n    hostname: {}\n    command: {}\n    restart: unless-stopped\n    ports:\n      - {} # API\n    \
         volumes:\n      - \"./configs/toxiproxy.json:/toxiproxy.json:ro\"\n    networks: [\"shared\"]\n\n",
        string(&host),
        string(IMAGE),
        string(&host),
        list(&["-host=0.0.0.0", "-config=/toxiproxy.json"].map(str::to_owned)),
        string(&format!("{bind}:{API_PORT}:{API_PORT}")),
    )
}

fn host(domain: &str) -> String {
    format!("toxiproxy.{domain}")
}
