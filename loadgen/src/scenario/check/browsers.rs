//! Checks of clients that run in a browser.

use super::Found;
use crate::scenario::Population;
use crate::scenario::problem::ProblemKind;
use crate::scenario::spec::{ClientKind, ClientsSpec, Transport, WorkloadKind, WorkloadSpec};
use crate::topology::Topology;

/// Each client is a page and a service worker: two processes, and together about 100 MB.
pub(super) const CLIENTS_MAX: u32 = 16;

/// Returns the transport of browsers.
pub(super) fn transport(
    key: &impl Fn(&str) -> String,
    spec: &ClientsSpec,
    topology: &Topology,
    found: &mut Found,
) -> Transport {
    let servers = topology.spec();
    if spec.transport == Some(Transport::Tcp) {
        found.push(&key("transport"), ProblemKind::OnlyWebSocket);
    } else if spec.transport.is_none() && !servers.websocket.enabled {
        found.push(&key("kind"), ProblemKind::BrowserNeedsWebSocket);
    }
    if servers.tls.is_some() {
        found.push(&key("kind"), ProblemKind::BrowserTrustsOthers);
    }
    Transport::Ws
}

/// Refuses workloads that pages cannot do.
pub(super) fn workload<'a>(
    key: &impl Fn(&str) -> String,
    spec: &WorkloadSpec,
    mut populations: impl Iterator<Item = &'a Population>,
    found: &mut Found,
) {
    // The npm package reads objects and streams of its own, and writes no objects.
    let is_impossible = matches!(spec.kind, WorkloadKind::Consume | WorkloadKind::Object);
    if is_impossible && populations.any(|population| population.kind == ClientKind::Browser) {
        let name = if spec.clients.is_some() { "clients" } else { "kind" };
        found.push(&key(name), ProblemKind::NotInBrowsers { kind: spec.kind });
    }
}
