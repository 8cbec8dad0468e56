//! Streams and buckets of a topology, created once its servers are linked.

use std::time::{Duration, Instant};

use async_nats::jetstream;
use serde_json::{Value, json};

use super::links::CutPairs;
use super::{LoginError, SuperCluster, login, ready};
use crate::clock;
use crate::topology::credentials::KeyError;
use crate::topology::render::{Created, created};

/// A stream was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateStreamsError {
    /// loadgen is no user.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// Its account cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Streams that copy others have not heard of them.
    #[error("the streams are not in sync: {}", waiting.join("; "))]
    OutOfSync {
        /// Each stream that has not heard of all streams that it copies, with those.
        waiting: Vec<String>,
    },
    /// JetStream said no until the limit passed.
    #[error("cannot create stream `{name}`: {reason}")]
    Refused {
        /// The stream.
        name: String,
        /// The last answer.
        reason: String,
    },
}

/// Creates the streams and buckets of the topology until `deadline`; what exists stays.
pub(super) async fn create(cluster: &SuperCluster, deadline: Instant) -> Result<(), CreateStreamsError> {
    for stream in created(&cluster.topology) {
        let context = context(cluster, &Owner::of(&stream)).await?;
        create_one(&context, &stream, deadline).await?;
    }
    wait_in_sync(cluster, deadline).await
}

/// Waits until every stream that copies others hears those of them that it can hear. Before that, an origin without other
/// readers may drop what is published, and a region that is cut off would not even copy its own streams: only the meta
/// leader makes the consumers that do it. So nothing is expected of servers that cannot elect one.
pub(super) async fn wait_in_sync(
    cluster: &SuperCluster,
    deadline: Instant,
) -> Result<(), CreateStreamsError> {
    let copies = copies(cluster).await?;
    loop {
        let waiting = waiting(cluster, &copies).await;
        if waiting.is_empty() {
            return Ok(());
        }
        if clock::now() >= deadline {
            return Err(CreateStreamsError::OutOfSync { waiting: sentences(waiting) });
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// The streams that do not hear their origins, as sentences.
pub(super) async fn silent_now(cluster: &SuperCluster) -> Vec<String> {
    match copies(cluster).await {
        Ok(copies) => sentences(waiting(cluster, &copies).await),
        Err(error) => vec![error.to_string()],
    }
}

fn sentences(waiting: Vec<(String, Vec<String>)>) -> Vec<String> {
    let each = waiting.into_iter();
    each.map(|(name, origins)| format!("stream {name} receives nothing from {}", origins.join(", ")))
        .collect()
}

/// Streams that copy others and whose servers are up, each with a connection to ask it.
async fn copies(cluster: &SuperCluster) -> Result<Vec<(Created, jetstream::Context)>, CreateStreamsError> {
    let mut copies = Vec::new();
    for stream in created(&cluster.topology).into_iter().filter(Created::copies) {
        if is_reachable(cluster, &stream) && has_meta_leader(cluster, &stream) {
            let context = context(cluster, &Owner::of(&stream)).await?;
            copies.push((stream, context));
        }
    }
    Ok(copies)
}

/// Those of `copies` that do not hear origins whose servers are up, with these origins.
async fn waiting(
    cluster: &SuperCluster,
    copies: &[(Created, jetstream::Context)],
) -> Vec<(String, Vec<String>)> {
    let all = created(&cluster.topology);
    let cut = cluster.cut_pairs();
    let is_origin = |name: &str, other: &Created| other.name == name && is_reachable(cluster, other);
    let heard = |name: &str, by: &Created| all.iter().any(|it| is_origin(name, it) && !is_cut(&cut, it, by));
    let mut waiting = Vec::new();
    for (stream, context) in copies {
        let info = context.request::<_, _, Value>(format!("STREAM.INFO.{}", stream.name), &json!({})).await;
        let origins: Vec<_> = match info {
            Ok(info) => silent(&info).into_iter().filter(|name| heard(name, stream)).collect(),
            Err(error) => vec![error.to_string()],
        };
        if !origins.is_empty() {
            waiting.push((stream.name.clone(), origins));
        }
    }
    waiting
}

/// Returns whether a server of the stream's cluster is up and heard.
fn is_reachable(cluster: &SuperCluster, stream: &Created) -> bool {
    let mut regions = cluster.reachable().into_keys();
    regions.any(|name| stream.cluster.as_ref().is_none_or(|cluster| cluster == name.region()))
}

/// Returns whether the servers around the stream can elect the meta leader that makes its consumers.
fn has_meta_leader(cluster: &SuperCluster, stream: &Created) -> bool {
    let Some(region) = stream.cluster.as_deref() else { return true };
    let (up, cut) = (cluster.reachable(), cluster.cut_pairs());
    let groups = cluster.topology.meta_groups().into_iter();
    let mut with_stream = groups.filter(|group| group.contains(&region));
    with_stream.all(|group| {
        let electors = ready::electors(&cluster.topology, &group, &cut, up.keys());
        electors.regions.contains(region)
    })
}

/// Returns whether faults of links are between the servers of two streams.
fn is_cut(cut: &CutPairs, a: &Created, b: &Created) -> bool {
    let Some((a, b)) = a.cluster.as_ref().zip(b.cluster.as_ref()) else { return false };
    cut.contains(&(a.clone(), b.clone())) || cut.contains(&(b.clone(), a.clone()))
}

/// The origins of which a stream has not heard lately.
fn silent(info: &Value) -> Vec<String> {
    let sources = info["sources"].as_array().into_iter().flatten();
    let origins = sources.chain(info.get("mirror"));
    let silent = origins.filter(|origin| {
        // JetStream says -1 before the first message or heartbeat.
        let active = origin["active"].as_i64().and_then(|nanos| u64::try_from(nanos).ok());
        active.is_none_or(|nanos| Duration::from_nanos(nanos) > HEARD_LATELY)
    });
    silent.map(|origin| origin["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Origins send a heartbeat every second.
const HEARD_LATELY: Duration = Duration::from_secs(3);

/// Where a stream is: what decides about the connection that manages it.
#[derive(Default)]
pub(super) struct Owner<'a> {
    /// Account; `None`: the first one of applications.
    account: Option<&'a str>,
    /// JetStream domain, if it is not the only one.
    domain: Option<&'a str>,
    /// Cluster whose servers are asked; `None`: any.
    cluster: Option<&'a str>,
}

impl<'a> Owner<'a> {
    pub(super) fn of(stream: &'a Created) -> Self {
        Self {
            account: Some(&stream.account),
            domain: stream.domain.as_deref(),
            cluster: stream.cluster.as_deref(),
        }
    }
}

/// JetStream of the owner's domain, in its account.
pub(super) async fn context(
    cluster: &SuperCluster,
    owner: &Owner<'_>,
) -> Result<jetstream::Context, CreateStreamsError> {
    let client = connect(cluster, owner).await?;
    Ok(match owner.domain {
        Some(domain) => jetstream::with_domain(client, domain),
        None => jetstream::new(client),
    })
}

async fn connect(
    cluster: &SuperCluster,
    owner: &Owner<'_>,
) -> Result<async_nats::Client, CreateStreamsError> {
    let spec = cluster.topology.spec();
    let account = spec.accounts.iter().find(|account| owner.account == Some(&account.name));
    let login = match account.and_then(|account| Some((account, account.users.first()?))) {
        Some((account, user)) => cluster.credentials.login(&cluster.topology, account, user)?,
        None => cluster.credentials.application_login(&cluster.topology)?,
    };
    let is_asked = |region: &str| owner.cluster.is_none_or(|cluster| cluster == region);
    let reachable = cluster.reachable().into_keys();
    let urls = reachable
        .filter(|name| is_asked(name.region()))
        .map(|name| format!("nats://{}", cluster.servers[&name].client_addr()));
    Ok(login::connect(&urls.collect::<Vec<_>>(), &login, cluster.tls.as_ref()).await?)
}

/// A server of a new super-cluster may not know yet that others have room for replicas: it is asked again.
async fn create_one(
    context: &jetstream::Context,
    stream: &Created,
    deadline: Instant,
) -> Result<(), CreateStreamsError> {
    loop {
        let subject = format!("STREAM.CREATE.{}", stream.name);
        let answer = context.request::<_, _, Value>(subject, &stream.config).await;
        let reason = match answer {
            Ok(answer) => match answer.get("error") {
                None => return Ok(()),
                Some(error) => error["description"].as_str().unwrap_or("no description").to_owned(),
            },
            Err(error) => error.to_string(),
        };
        if clock::now() >= deadline {
            return Err(CreateStreamsError::Refused { name: stream.name.clone(), reason });
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// JetStream learns of its peers within a few heartbeats.
const ASK_AGAIN: Duration = Duration::from_millis(200);
