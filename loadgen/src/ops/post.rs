//! The agent's side of the back channel: the agent reports its presence, and takes questions.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::service::{self, ServiceExt as _};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};

use super::addresses::{
    NUMBER_HEADER, RUN_HEADER, SERVICE, VERSION, VERSION_HEADER, files_of, orders_of, pulse_of,
};
use super::channel::{Channel, ChannelError};
use super::files::FileOrders;

/// The facts that an agent tells about itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AgentCard {
    /// Its name in reports and errors.
    pub name: String,
    /// The region whose clients it plays.
    pub region: String,
    /// Name of its machine.
    pub host: String,
    /// Number of its process.
    pub pid: u32,
    /// Processors of its machine.
    pub cores: usize,
    /// Version of its loadgen.
    pub version: String,
}

/// The agent's end of the back channel.
pub(crate) struct Post {
    channel: Channel,
    id: String,
    // It answers `$SRV` as long as it lives.
    _service: service::Service,
    questions: service::endpoint::Endpoint,
}

/// A question of a controller.
#[derive(Debug)]
pub(crate) struct Question {
    /// The run that it belongs to.
    pub(crate) run: String,
    /// Its number in the run. A question that comes again has the same one.
    pub(crate) number: u64,
    /// Its content.
    pub(crate) content: Bytes,
    request: service::Request,
}

impl std::fmt::Debug for Post {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Post").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Post {
    /// Registers the agent. The second part takes orders to fetch files.
    ///
    /// # Errors
    /// The back channel fails.
    pub(crate) async fn open(
        channel: &Channel,
        card: &AgentCard,
    ) -> Result<(Self, FileOrders), ChannelError> {
        let failed = |error: &dyn std::fmt::Display| ChannelError::failed("register the agent", error);
        let metadata = [
            ("name".to_owned(), card.name.clone()),
            ("region".to_owned(), card.region.clone()),
            ("host".to_owned(), card.host.clone()),
            ("pid".to_owned(), card.pid.to_string()),
            ("cores".to_owned(), card.cores.to_string()),
        ];
        let service = channel.client.service_builder().metadata(metadata.into_iter().collect());
        let service = service.description("Plays clients of a scenario by orders of a loadgen controller");
        let service = service.start(SERVICE, &card.version).await.map_err(|error| failed(&error))?;
        let id = service.info().await.id;
        let questions = service.endpoint_builder().name("orders").add(orders_of(&id)).await;
        let questions = questions.map_err(|error| failed(&error))?;
        let files = service.endpoint_builder().name("files").add(files_of(&id)).await;
        let files = FileOrders(files.map_err(|error| failed(&error))?);
        Ok((Self { channel: channel.clone(), id, _service: service, questions }, files))
    }

    /// The next question; `None`: the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<Question> {
        loop {
            let request = self.questions.next().await?;
            match read(&request) {
                Ok((run, number)) => {
                    let content = request.message.payload.clone();
                    return Some(Question { run, number, content, request });
                }
                Err(reason) => {
                    let refused = service::error::Error { code: 400, status: reason };
                    if let Err(error) = request.respond(Err(refused)).await {
                        tracing::debug!(%error, "nobody hears that a question is wrong");
                    }
                }
            }
        }
    }

    /// Returns what sends its signs of life.
    pub(crate) fn pulse_sender(&self) -> PulseSender {
        PulseSender { channel: self.channel.clone(), subject: pulse_of(&self.id) }
    }
}

/// Sends an agent's signs of life.
#[derive(Clone, Debug)]
pub(crate) struct PulseSender {
    channel: Channel,
    subject: String,
}

impl PulseSender {
    /// Says that the agent is alive, and what it does.
    pub(crate) async fn send(&self, status: Bytes) {
        if let Err(error) = self.channel.client.publish(self.subject.clone(), status).await {
            tracing::debug!(%error, "a sign of life was not sent");
        }
    }
}

impl Question {
    /// Answers it.
    pub(crate) async fn answer(self, content: Bytes) {
        // The controller asks again if nothing comes.
        if let Err(error) = self.request.respond(Ok(content)).await {
            tracing::debug!(%error, "an answer was not sent");
        }
    }
}

/// The headers of a question.
fn read(request: &service::Request) -> Result<(String, u64), String> {
    let none = HeaderMap::new();
    let headers = request.message.headers.as_ref().unwrap_or(&none);
    let get = |name: &str| headers.get(name).map(ToString::to_string);
    let version = get(VERSION_HEADER).unwrap_or_default();
    if version != VERSION {
        return Err(other_version(&version));
    }
    let run = get(RUN_HEADER).filter(|run| !run.is_empty() && run.chars().all(|c| c.is_ascii_alphanumeric()));
    let number = get(NUMBER_HEADER).and_then(|number| number.parse().ok());
    run.zip(number).ok_or_else(|| format!("the order lacks {RUN_HEADER} or {NUMBER_HEADER}"))
}

pub(super) fn other_version(version: &str) -> String {
    format!(
        "the controller sends orders of version `{version}`, but the agent reads version `{VERSION}`: start both \
         with the same version of loadgen"
    )
}

/// How often an agent says that it is alive.
pub(crate) const PULSE_EVERY: Duration = Duration::from_secs(1);
