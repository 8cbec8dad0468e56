//! Values of the official NATS chart for Kubernetes, <https://github.com/nats-io/k8s>, chart versions 1 and 2.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::credentials::{KeyError, Login};
use super::super::model::{Server, Topology};
use super::super::spec::{AuthKind, ClusterSpec};
use super::addresses::{Addresses, Folders, Placed, STANDARD, listen};
use super::files::{Inputs, RenderedFile};
use super::names::Names;
use super::server::Wiring;
use super::{accounts, folder, server, users, yaml};

/// Where the values mount the secret with the files of users.
const USERS: &str = "/etc/nats-users";
/// Where the chart mounts the authority's certificate.
const CA: &str = "/etc/nats-ca-cert";

/// Each cluster is one release, reached at one name: that of its load balancer.
pub fn addresses(topology: &Topology, template: &str) -> Addresses {
    let names = Names::of(topology);
    let placed = topology.all_servers().iter().map(|server| {
        let reach = listen(&names.cluster_host(template, server.name.region()), STANDARD);
        let mut placed = Placed::new(server, listen("0.0.0.0", STANDARD), reach);
        // Other clusters cannot reach the addresses of pods.
        placed.gateway_advertise = Some(placed.reach.gateway.clone());
        placed
    });
    Addresses(placed.collect())
}

/// Names for which the certificate of all servers must be valid: inside of Kubernetes, clients dial the service of the release.
pub fn hosts(topology: &Topology, addresses: &Addresses) -> Vec<String> {
    let names = Names::of(topology);
    let services = topology.regions().iter().map(|cluster| names.cluster(cluster).to_owned());
    addresses.hosts_of_all().into_iter().chain(services).collect()
}

/// Renders one values file per cluster.
///
/// # Errors
/// See [`KeyError`].
pub fn files(inputs: &Inputs<'_>, addresses: &Addresses) -> Result<Vec<RenderedFile>, KeyError> {
    let topology = inputs.topology;
    let names = Names::of(topology);
    let mut files = vec![RenderedFile::plain("README.md", readme(inputs, addresses, &names)?)];
    for cluster in &topology.spec().clusters {
        let Some(placed) = addresses.of(&cluster.name).next() else { continue };
        let text = values(inputs, addresses, &names, cluster, placed)?;
        files.push(RenderedFile::secret(path(&names, &cluster.name), text));
    }
    files.extend(users::env_files(inputs)?);
    files.extend(inputs.user_files()?);
    files.extend(inputs.tls_files());
    files.extend(folder::stream_files(topology));
    Ok(files)
}

fn path(names: &Names, cluster: &str) -> String {
    format!("{}.values.yaml", names.cluster(cluster))
}

fn values(
    inputs: &Inputs<'_>,
    addresses: &Addresses,
    names: &Names,
    cluster: &ClusterSpec,
    placed: &Placed,
) -> Result<String, KeyError> {
    let topology = inputs.topology;
    let folders = Folders { store: "/data".to_owned(), users: USERS.to_owned(), tls: CA.to_owned() };
    let wiring = addresses.wiring(topology, placed, &folders);
    let is_leaf = cluster.leaf_of.is_some();
    let mut text = format!(
        "# Cluster {} of the super-cluster {}, written by loadgen: values of the official NATS chart.\n\
         fullnameOverride: {}\n\n{}config:\n{}",
        cluster.name,
        topology.name(),
        yaml::text(names.cluster(&cluster.name)),
        tls_ca(inputs),
        routes(cluster, &wiring)
    );
    text.push_str(&jetstream(topology, cluster));
    text.push_str(&clients(topology));
    text.push_str(&gateway(cluster, &wiring));
    if topology.leaves_of(&cluster.name).next().is_some() {
        let tls = tls(topology, "leafnodes", false);
        let _ = write!(text, "  # Leaf nodes connect here.\n  leafnodes:\n    enabled: true\n{tls}");
    }
    let servers: Vec<_> = addresses.of(&cluster.name).map(|placed| &placed.server).collect();
    text.push_str(&merge(topology, &servers, &wiring));
    text.push_str(&container(&placed.server, is_leaf && has_user_files(inputs)?));
    text.push_str(&service());
    text.push_str(&included(inputs, &cluster.name, &wiring)?);
    text.push_str(&nats_box(inputs)?);
    Ok(text)
}

/// A server without routes and gateways elects no leader of JetStream if it has a cluster.
fn stands_alone(wiring: &Wiring) -> bool {
    wiring.is_alone && wiring.gateways.is_empty()
}

fn routes(cluster: &ClusterSpec, wiring: &Wiring) -> String {
    if stands_alone(wiring) {
        return String::new();
    }
    format!(
        "  cluster:\n    enabled: true\n    replicas: {}\n    merge: {}\n",
        cluster.size(),
        json!({ "name": cluster.name })
    )
}

fn jetstream(topology: &Topology, cluster: &ClusterSpec) -> String {
    if !topology.has_jetstream(&cluster.name) {
        return "  jetstream:\n    enabled: false\n".to_owned();
    }
    let spec = &topology.spec().jetstream;
    // The file system itself needs room, too.
    let volume = spec.max_file.bytes() / 4 * 5;
    let domain =
        cluster.domain.as_ref().map(|domain| format!("    merge: {}\n", json!({ "domain": domain })));
    format!(
        "  jetstream:\n    enabled: true\n    fileStore:\n      maxSize: {}\n      pvc:\n        size: {} # bytes\n    \
         memoryStore:\n      enabled: true\n      maxSize: {}\n{}",
        yaml::text(&spec.max_file.to_string()),
        yaml::text(&volume.to_string()),
        yaml::text(&spec.max_memory.to_string()),
        domain.unwrap_or_default()
    )
}

fn clients(topology: &Topology) -> String {
    let mut text = String::new();
    if topology.spec().tls.is_some() {
        let _ = write!(text, "  nats:\n{}", tls(topology, "nats", true));
    }
    if topology.spec().websocket.enabled {
        let _ = write!(text, "  websocket:\n    enabled: true\n{}", tls(topology, "websocket", true));
    }
    text
}

/// TLS of one listener; the secret is mounted once for each.
fn tls(topology: &Topology, listener: &str, for_clients: bool) -> String {
    let Some(tls) = &topology.spec().tls else { return String::new() };
    let mut merge = json!({});
    if tls.mutual && for_clients {
        merge["verify"] = true.into();
    }
    if tls.handshake_first && listener == "nats" {
        merge["handshake_first"] = true.into();
    }
    format!(
        "    tls:\n      enabled: true\n      secretName: \"nats-tls\"\n      cert: \"server.pem\"\n      \
         key: \"server.key\"\n      merge: {merge}\n"
    )
}

fn tls_ca(inputs: &Inputs<'_>) -> String {
    match inputs.certificates {
        Some(_) => "tlsCA:\n  enabled: true\n  secretName: \"nats-tls\"\n  key: \"ca.pem\"\n\n".to_owned(),
        None => String::new(),
    }
}

fn gateway(cluster: &ClusterSpec, wiring: &Wiring) -> String {
    if wiring.gateways.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "  # The other clusters, at their load balancers.\n  gateway:\n    enabled: true\n    merge:\n      name: {}\n      \
         advertise: {}\n      gateways:\n",
        yaml::text(&cluster.name),
        yaml::text(wiring.gateway_advertise.as_deref().unwrap_or_default())
    );
    for (name, addresses) in &wiring.gateways {
        let urls = yaml::list(addresses.iter().map(|address| format!("nats://{address}")));
        let _ = writeln!(text, "        - {{ name: {}, urls: {urls} }}", yaml::text(name));
    }
    text
}

/// Settings that the chart has no value for.
fn merge(topology: &Topology, servers: &[&Server], wiring: &Wiring) -> String {
    let name = servers.first().map(|server| server.name.region()).filter(|_| stands_alone(wiring));
    let name = name.map(|name| format!("    cluster: {}\n", json!({ "name": name }))).unwrap_or_default();
    let timing = topology.spec().timing;
    let millis = |given: Option<super::super::units::Span>, default: std::time::Duration| {
        yaml::text(&format!("{}ms", given.map_or(default, |span| span.duration()).as_millis()))
    };
    format!(
        "  # Settings for which the chart has no value.\n  merge:\n{name}    server_tags: {}\n    ping_interval: {}\n    ping_max: 2\n    \
         lame_duck_grace_period: {}\n    # Accounts, users and leaf nodes: see configMap below.\n    \
         zz$include: \"./loadgen.conf\"\n\n",
        yaml::list(common_tags(servers)),
        millis(timing.ping_interval, wiring.ping_interval),
        millis(timing.lame_duck_grace, wiring.lame_duck_grace),
    )
}

/// The chart gives all servers of a release the same tags: those that all of them have.
fn common_tags<'a>(servers: &[&'a Server]) -> Vec<&'a str> {
    let Some((first, others)) = servers.split_first() else { return Vec::new() };
    let is_common = |tag: &&str| others.iter().all(|server| server.tags.iter().any(|other| other == tag));
    first.tags.iter().map(String::as_str).filter(is_common).collect()
}

/// Whether the topology gives the servers of a cluster different settings, which one release cannot.
fn differ(servers: &[&Server]) -> bool {
    let own = |server: &Server| {
        (server.tags.clone(), server.version.clone(), server.image.clone(), server.announce.clone())
    };
    servers.windows(2).any(|pair| own(pair[0]) != own(pair[1]))
}

/// The chart runs one image in all servers of a release: that of the first server. Leaf nodes prove who they are by files, which
/// the chart mounts nowhere by itself.
fn container(server: &Server, mounts_users: bool) -> String {
    let version = server.release();
    let image = match (&server.image, version) {
        (Some(image), _) => format!("  image:\n    fullImageName: {}\n", yaml::text(image)),
        (None, Some(version)) => {
            format!("  image:\n    tag: {}\n", yaml::text(&format!("{version}-alpine")))
        }
        (None, None) => String::new(),
    };
    let add = |path: &str, value: Value| json!([{ "op": "add", "path": path, "value": value }]);
    let mount = add("/volumeMounts/-", json!({ "name": "nats-users", "mountPath": USERS }));
    let volume = json!({ "name": "nats-users", "secret": { "secretName": "nats-users" } });
    let volume = add("/spec/volumes/-", volume);
    match (image.is_empty(), mounts_users) {
        (true, false) => String::new(),
        (false, false) => format!("container:\n{image}\n"),
        (_, true) => format!(
            "# Leaf nodes read creds files or seeds from the secret `nats-users`.\ncontainer:\n{image}  patch: {mount}\n\
             podTemplate:\n  patch: {volume}\n\n"
        ),
    }
}

fn service() -> String {
    "# Other clusters and clients outside of Kubernetes dial the load balancer. Gateways must reach pods that are not ready:\n\
     # JetStream elects its leader, and so makes the pods ready, only when the clusters are connected.\nservice:\n  merge:\n    \
     spec:\n      type: LoadBalancer\n      publishNotReadyAddresses: true\n  ports:\n    gateway:\n      enabled: true\n\n"
        .to_owned()
}

fn has_user_files(inputs: &Inputs<'_>) -> Result<bool, KeyError> {
    Ok(!inputs.user_files()?.is_empty())
}

/// Accounts, users and leaf-node remotes in nats-server's own syntax, as a file beside the chart's `nats.conf`.
fn included(inputs: &Inputs<'_>, cluster: &str, wiring: &Wiring) -> Result<String, KeyError> {
    let topology = inputs.topology;
    let mut config = accounts::config(topology, wiring, inputs.credentials)?;
    if topology.cluster(cluster).is_some_and(|cluster| cluster.leaf_of.is_some()) {
        config.push_str(&server::leaf_nodes(topology, cluster, wiring, inputs.credentials)?);
    }
    Ok(format!(
        "configMap:\n  merge:\n    data:\n      loadgen.conf: {}\n",
        yaml::block(config.trim_start_matches('\n'), 8)
    ))
}

/// The box from which `nats` commands run inside Kubernetes: the first user of the first account of applications.
fn nats_box(inputs: &Inputs<'_>) -> Result<String, KeyError> {
    let topology = inputs.topology;
    let first = topology.accounts().find_map(|account| Some((account, account.users.first()?)));
    let login = match first {
        Some((account, user)) => inputs.credentials.login(topology, account, user)?,
        None => inputs.credentials.application_login(topology)?,
    };
    let mut text = "natsBox:\n  contexts:\n    default:\n".to_owned();
    let contents =
        |kind: &str, secret: &str| format!("      {kind}:\n        contents: {}", yaml::block(secret, 10));
    let mut merge = json!({});
    if topology.is_tls_first() {
        merge["tls_first"] = true.into();
    }
    match login {
        Login::Anonymous => {}
        Login::Password { user, password } => {
            merge["user"] = user.into();
            merge["password"] = password.expose().into();
        }
        Login::Token(token) => merge["token"] = token.expose().into(),
        Login::Nkey(seed) => text.push_str(&contents("nkey", seed.expose())),
        Login::Creds(creds) => text.push_str(&contents("creds", creds.expose())),
    }
    let _ = writeln!(text, "      merge: {merge}");
    if topology.spec().tls.as_ref().is_some_and(|tls| tls.mutual) {
        text.push_str(
            "      tls:\n        secretName: \"nats-tls\"\n        cert: \"client.pem\"\n        key: \"client.key\"\n",
        );
    }
    Ok(text)
}

fn readme(inputs: &Inputs<'_>, addresses: &Addresses, names: &Names) -> Result<String, KeyError> {
    let topology = inputs.topology;
    let mut text = format!(
        "# Super-cluster `{}` on Kubernetes\n\nEach cluster is one release of the official NATS chart, in a Kubernetes cluster of \
         its own. Choose the Kubernetes cluster\nwith `--kube-context`.\n\n```sh\n\
         helm repo add nats https://nats-io.github.io/k8s/helm/charts/\n",
        topology.name()
    );
    let has_users = has_user_files(inputs)? && topology.spec().auth.kind != AuthKind::Token;
    for cluster in &topology.spec().clusters {
        let _ = writeln!(text, "\n# {}", cluster.name);
        if inputs.certificates.is_some() {
            text.push_str("kubectl create secret generic nats-tls --from-file=tls\n");
        }
        if has_users && cluster.leaf_of.is_some() {
            text.push_str("kubectl create secret generic nats-users --from-file=users\n");
        }
        let release = names.cluster(&cluster.name);
        let _ = writeln!(
            text,
            "helm upgrade --install {release} nats/nats --values {}",
            path(names, &cluster.name)
        );
    }
    text.push_str("```\n\nThen create DNS records, so that these names lead to the load balancers:\n\n");
    for cluster in topology.regions() {
        let address = addresses.of(cluster).next().map(|placed| placed.reach.client.as_str());
        let host = address.and_then(|address| address.rsplit_once(':')).map_or("", |(host, _)| host);
        let _ = writeln!(text, "* `{host}`: the service `{}`", names.cluster(cluster));
    }
    text.push_str(
        "\nThe chart names servers after their pods: the first server of a cluster `lon` is `lon-0`.\n",
    );
    for cluster in topology.regions() {
        let servers: Vec<_> = addresses.of(cluster).map(|placed| &placed.server).collect();
        if differ(&servers) {
            let _ = writeln!(
                text,
                "\nThe servers of `{cluster}` differ in tags, version, image or announced address. The chart runs all servers of a release \
                 alike: with\nthe version and image of the first server, the tags that all servers have, and no announced address of \
                 their own."
            );
        }
    }
    text.push_str(&folder::streams(topology, addresses));
    Ok(text)
}
