//! A server for the back channel, where nobody has one.

use crate::cluster::{StartError, StartOptions, SuperCluster};
use crate::ops::OpsUrl;
use crate::secret::Secret;
use crate::topology::{self, TopologyError};
use crate::wan::WanChoice;

/// A nats-server with JetStream and one user. Dropping it ends it.
#[derive(Debug)]
pub struct OpsServer {
    cluster: SuperCluster,
    url: OpsUrl,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpsServerError {
    /// There is no random password.
    #[error("cannot make a password for the back channel: {0}")]
    Password(#[from] std::io::Error),
    /// It cannot be described.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// It did not start.
    #[error("the server of the back channel did not start: {0}")]
    Start(#[from] StartError),
    /// It has no address.
    #[error("the server of the back channel has no address that can be used")]
    Url,
}

impl OpsServer {
    /// Starts it on the loopback address, with a password that nobody can guess; at `port`, or at a free one.
    ///
    /// # Errors
    /// See [`OpsServerError`].
    pub async fn start(
        nats_server: Option<&std::path::Path>,
        port: Option<u16>,
    ) -> Result<Self, OpsServerError> {
        let password = Secret::random()?;
        let topology = topology::from_toml(TOPOLOGY, "back channel", |_| Err(String::new()))?;
        let mut options = StartOptions::new(topology);
        options.nats_server = nats_server.map(ToOwned::to_owned);
        options.base_port = port;
        options.password = Some(password.clone());
        options.wan = WanChoice::None;
        let cluster = SuperCluster::start(options).await?;
        let address = cluster.server_urls().into_values().next();
        let with_login = |url: String| url.replacen("://", &format!("://{USER}:{}@", password.expose()), 1);
        let url = address.and_then(|url| with_login(url).parse().ok()).ok_or(OpsServerError::Url)?;
        Ok(Self { cluster, url })
    }

    /// Its address, with the credentials.
    pub const fn url(&self) -> &OpsUrl {
        &self.url
    }

    /// Ends it.
    pub async fn shutdown(self) {
        self.cluster.shutdown().await;
    }
}

const USER: &str = "loadgen";

/// One server, which takes only its user.
const TOPOLOGY: &str = r#"
[[cluster]]
name = "operations"
servers = 1

[auth]
kind = "password"

[[account]]
name = "operations"
jetstream = true
user = [{ name = "loadgen" }]
"#;
