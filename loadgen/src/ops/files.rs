//! Files for agents: they wait in an object store of the back channel until the agents have them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::jetstream::object_store::{self, ObjectMetadata, ObjectStore};
use async_nats::service;
use async_nats::{HeaderMap, Request};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::addresses::{FILES, VERSION, VERSION_HEADER, files_of};
use super::channel::{Channel, ChannelError};
use super::link;
use super::roster::AgentInfo;
use crate::digest::{self, Hasher};

/// An order to an agent: fetch a file from the object store of the back channel, and store it in the agent's folder.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileOrder {
    /// Name of the file in the agent's folder: at most 100 letters, digits, `.`, `-` and `_`, and no `.` in front.
    pub(crate) name: String,
    /// Size, in bytes.
    pub(crate) size: u64,
    /// SHA-256 of the content, as lower-case hex digits. It is also the name of the object.
    pub(crate) sha256: String,
    /// Whether the owner of the file may execute it.
    pub(crate) executable: bool,
}

/// The answer of an agent that has the file.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
pub(crate) struct FileStored {
    /// Path of the file on the agent's machine.
    pub(crate) path: PathBuf,
}

/// A file of this machine is not in the back channel.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// It cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// The back channel does not take it.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

/// A file of the back channel did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// It cannot be read from the back channel.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// It cannot be written.
    #[error("cannot write the file: {0}")]
    Write(std::io::Error),
    /// It is another file.
    #[error(
        "the file in the back channel has {size} bytes and SHA-256 {sha256}, but the order names another size or SHA-256"
    )]
    Differs {
        /// Bytes that came.
        size: u64,
        /// Their digest.
        sha256: String,
    },
}

impl Channel {
    /// Puts a file where agents can fetch it. Returns its size and digest.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub(crate) async fn offer_file(&self, path: &Path) -> Result<(u64, String), OfferError> {
        let read = |error| OfferError::Read { path: path.to_owned(), error };
        let (size, sha256) = digest::of_file(path).map_err(read)?;
        let mut file = File::open(path).await.map_err(read)?;
        let config = object_store::Config {
            bucket: FILES.to_owned(),
            description: Some("Files for agents of loadgen".to_owned()),
            max_age: KEEP,
            ..object_store::Config::default()
        };
        let failed = |error: &dyn std::fmt::Display| ChannelError::failed("store a file", error);
        let store = self.jetstream.create_object_store(config).await.map_err(|error| failed(&error))?;
        let object = ObjectMetadata { name: sha256.clone(), ..ObjectMetadata::default() };
        store.put(object, &mut file).await.map_err(|error| failed(&error))?;
        Ok((size, sha256))
    }

    /// Removes a file that all agents have.
    pub(crate) async fn withdraw_file(&self, sha256: &str) {
        let Ok(store) = self.files().await else { return };
        if let Err(error) = store.delete(sha256).await {
            // It vanishes after a day.
            tracing::debug!(%error, "a file stays in the back channel");
        }
    }

    /// Writes the file of an order into `file`, and checks that it is the one of the order.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub(crate) async fn fetch_file(&self, order: &FileOrder, file: &mut File) -> Result<(), FetchError> {
        let failed = |error: &dyn std::fmt::Display| ChannelError::failed("fetch a file", error);
        let store = self.files().await?;
        let mut object = store.get(&order.sha256).await.map_err(|error| failed(&error))?;
        let (mut hasher, mut buffer, mut size) = (Hasher::default(), vec![0; BUFFER], 0);
        // One byte more shows that there is more than was ordered: a wrong size does not fill the disk.
        while size <= order.size {
            let length = object.read(&mut buffer).await.map_err(|error| failed(&error))?;
            if length == 0 {
                break;
            }
            size += length as u64;
            hasher.add(&buffer[..length]);
            file.write_all(&buffer[..length]).await.map_err(FetchError::Write)?;
        }
        file.sync_all().await.map_err(FetchError::Write)?;
        let (size, sha256) = hasher.finish();
        if (size, &sha256) == (order.size, &order.sha256) {
            Ok(())
        } else {
            Err(FetchError::Differs { size, sha256 })
        }
    }

    async fn files(&self) -> Result<ObjectStore, ChannelError> {
        let store = self.jetstream.get_object_store(FILES).await;
        store.map_err(|error| ChannelError::failed("open the files of the back channel", error))
    }

    /// Orders an agent to fetch a file, and waits until the agent has it.
    ///
    /// # Errors
    /// The reason why it has not.
    pub(crate) async fn order_file(
        &self,
        agent: &AgentInfo,
        order: &FileOrder,
        limit: Duration,
    ) -> Result<FileStored, String> {
        let mut headers = HeaderMap::new();
        headers.insert(VERSION_HEADER, VERSION);
        let content = serde_json::to_vec(order).map_err(|error| error.to_string())?;
        let request = Request::new().headers(headers).payload(Bytes::from(content)).timeout(Some(limit));
        let answer = self.client.send_request(files_of(&agent.id), request).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let content = link::read(&answer).map_err(|error| error.to_string())?;
        serde_json::from_slice(&content).map_err(|error| error.to_string())
    }
}

/// The agent's end of [`Channel::order_file`].
pub(crate) struct FileOrders(pub(super) service::endpoint::Endpoint);

/// An order that waits for its answer.
pub(crate) struct FileQuestion {
    /// The order; else the reason why it cannot be read.
    pub(crate) order: Result<FileOrder, String>,
    request: service::Request,
}

impl FileOrders {
    /// The next order; `None`: the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<FileQuestion> {
        let request = self.0.next().await?;
        Some(FileQuestion { order: read(&request), request })
    }
}

impl FileQuestion {
    /// Answers the order.
    pub(crate) async fn answer(self, stored: Result<FileStored, String>) {
        let answer = match stored {
            // A path is text.
            Ok(stored) => Ok(Bytes::from(serde_json::to_vec(&stored).unwrap_or_default())),
            Err(status) => Err(service::error::Error { code: 400, status }),
        };
        if let Err(error) = self.request.respond(answer).await {
            tracing::debug!(%error, "nobody hears what became of a file");
        }
    }
}

fn read(request: &service::Request) -> Result<FileOrder, String> {
    let headers = request.message.headers.as_ref();
    let version = headers.and_then(|headers| headers.get(VERSION_HEADER)).map(ToString::to_string);
    if version.as_deref() != Some(VERSION) {
        return Err(super::post::other_version(&version.unwrap_or_default()));
    }
    serde_json::from_slice(&request.message.payload)
        .map_err(|error| format!("the agent cannot read the order: {error}"))
}

/// Agents fetch a file at once. A file whose sender was killed vanishes after a day.
const KEEP: Duration = Duration::from_secs(86_400);

/// Large enough that system calls cost nothing beside the network.
const BUFFER: usize = 128 * 1024;
