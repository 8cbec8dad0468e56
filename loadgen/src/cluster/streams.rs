//! Streams and buckets of a topology, created once its servers are linked.

use std::time::Duration;

use async_nats::jetstream;
use serde_json::Value;

use super::{LoginError, SuperCluster, login};
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
    /// JetStream said no until the limit passed.
    #[error("cannot create stream `{name}`: {reason}")]
    Refused {
        /// The stream.
        name: String,
        /// The last answer.
        reason: String,
    },
}

/// Creates what the topology asks for; what exists stays.
pub(super) async fn create(cluster: &SuperCluster) -> Result<(), CreateStreamsError> {
    for stream in created(&cluster.topology) {
        let client = connect(cluster, &stream).await?;
        let context = match &stream.domain {
            Some(domain) => jetstream::with_domain(client, domain),
            None => jetstream::new(client),
        };
        create_one(&context, &stream, cluster.ready_limit).await?;
    }
    Ok(())
}

async fn connect(cluster: &SuperCluster, stream: &Created) -> Result<async_nats::Client, CreateStreamsError> {
    let spec = cluster.topology.spec();
    let account = spec.accounts.iter().find(|account| account.name == stream.account);
    let login = match account.and_then(|account| Some((account, account.users.first()?))) {
        Some((account, user)) => cluster.credentials.login(&cluster.topology, account, user)?,
        None => cluster.credentials.application_login(&cluster.topology)?,
    };
    let is_asked = |region: &str| stream.cluster.as_ref().is_none_or(|cluster| cluster == region);
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
    limit: Duration,
) -> Result<(), CreateStreamsError> {
    let deadline = clock::now() + limit;
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
