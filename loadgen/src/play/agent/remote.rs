//! An agent on another machine, and the messages that the controller and the agent exchange.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::local::Part;
use super::orders::{Answer, Counts, Order, Seen};
use super::timebase::Timebase;
use super::wire::Joined;
use crate::cluster::ClientFiles;
use crate::ops::{AgentLink, Pulse};
use crate::play::PlayError;
use crate::secret::Secret;

/// A question of a controller to an agent.
#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// Learns the controller's clock, and gets ready to play.
    Take(Box<Assignment>),
    /// An order to the clients.
    Play(Order),
}

/// The part that an agent plays, with the certificates that its clients need.
#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
pub(crate) struct Assignment {
    pub(crate) part: Part,
    pub(crate) tls: Option<Pem>,
}

/// Certificates and a key, as texts.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
pub(crate) struct Pem {
    pub(crate) ca: String,
    pub(crate) cert: String,
    #[serde(serialize_with = "crate::secret::for_its_owner")]
    pub(crate) key: Secret,
}

/// The answer of an agent.
#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// To [`Ask::Take`].
    Ready {
        /// Bound of the error of the agent's times.
        clock_error: Duration,
    },
    /// It is done.
    Done,
    /// To [`Order::Count`].
    Counts(Counts),
    /// To [`Order::Finish`]: the back channel has all that it saw.
    Sent {
        /// Bound of the error of the agent's times, with the drift during the play; `None`: nobody told it the time at the end.
        clock_error: Option<Duration>,
    },
    /// It cannot do that.
    Failed {
        /// The reason.
        reason: String,
    },
}

/// An agent of another machine, which has taken its part. It gets one order after the other.
#[derive(Debug)]
pub(crate) struct Remote {
    line: Arc<Line>,
    orders: mpsc::UnboundedSender<(Order, oneshot::Sender<Result<Answer, PlayError>>)>,
    giving: JoinHandle<()>,
    number: u32,
    time: Timebase,
}

/// The agent's end of the line.
#[derive(Debug)]
struct Line(AgentLink);

impl Remote {
    /// Gives the agent its part. Returns the bound of the error of its times, too.
    ///
    /// # Errors
    /// The agent is gone, or cannot play its part.
    pub(crate) async fn take(
        link: AgentLink,
        assignment: Assignment,
        time: Timebase,
    ) -> Result<(Self, Duration), PlayError> {
        let (line, number) = (Arc::new(Line(link)), assignment.part.agent);
        match line.send(&Ask::Take(Box::new(assignment))).await? {
            Reply::Ready { clock_error } => {
                let (orders, given) = mpsc::unbounded_channel();
                let giving = tokio::spawn(give(Arc::clone(&line), given));
                Ok((Self { line, orders, giving, number, time }, clock_error))
            }
            other => Err(line.unexpected(&other)),
        }
    }

    /// The agent's signs of life.
    pub(crate) fn pulse(&self) -> watch::Receiver<Pulse> {
        self.line.0.pulse()
    }

    /// Gives an order. Returns when it is done, or at once if nobody waits for it; an order that fails ends those after it.
    pub(crate) async fn ask(&self, order: Order) -> Result<Answer, PlayError> {
        let is_awaited = order.is_awaited();
        let (answer, answered) = oneshot::channel();
        self.orders.send((order, answer)).map_err(|_| PlayError::AgentEnded)?;
        if is_awaited { answered.await.map_err(|_| PlayError::AgentEnded)? } else { Ok(Answer::Done) }
    }

    /// Takes what the agent has seen: everything, or what it has sent until it was lost. Returns when its last part was made, too.
    ///
    /// # Errors
    /// The back channel fails, or the agent speaks another language.
    pub(crate) async fn seen(&self) -> Result<(Seen, Duration), PlayError> {
        let parts = self.line.0.take_parts(self.number).await.map_err(|error| self.line.failed(&error))?;
        let mut joined = Joined::default();
        for part in parts {
            joined.add(&part, &self.time).map_err(|error| self.line.failed(&error))?;
        }
        let until = joined.until;
        Ok((joined.seen(), until))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.giving.abort();
    }
}

/// Gives orders in turn. After one that failed, all others fail for the same reason.
async fn give(
    line: Arc<Line>,
    mut orders: mpsc::UnboundedReceiver<(Order, oneshot::Sender<Result<Answer, PlayError>>)>,
) {
    let mut reason: Option<String> = None;
    while let Some((order, answer)) = orders.recv().await {
        let result = match &reason {
            Some(reason) => Err(line.failed(reason)),
            None => line.play(order).await,
        };
        if let Err(PlayError::Agent { reason: failed, .. }) = &result {
            reason = Some(failed.clone());
        }
        // Nobody waits for some orders.
        let _ = answer.send(result);
    }
}

impl Line {
    async fn play(&self, order: Order) -> Result<Answer, PlayError> {
        match self.send(&Ask::Play(order)).await? {
            Reply::Done => Ok(Answer::Done),
            Reply::Sent { clock_error } => Ok(Answer::Sent { clock_error }),
            Reply::Counts(counts) => Ok(Answer::Counts(counts)),
            other => Err(self.unexpected(&other)),
        }
    }

    async fn send(&self, ask: &Ask) -> Result<Reply, PlayError> {
        let text = serde_json::to_vec(ask).map_err(|error| self.failed(&error))?;
        let bytes = self.0.ask(text).await.map_err(|error| self.failed(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| self.failed(&error))
    }

    fn unexpected(&self, reply: &Reply) -> PlayError {
        match reply {
            Reply::Failed { reason } => self.failed(reason),
            other => self.failed(&format!(
                "the agent answered {other:?}, which does not fit this order: report this defect of loadgen"
            )),
        }
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> PlayError {
        PlayError::Agent { agent: self.0.name().to_owned(), reason: reason.to_string() }
    }
}

impl Pem {
    /// Reads the files of a client.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn read(files: &ClientFiles) -> std::io::Result<Self> {
        let read = |path| std::fs::read_to_string(path);
        Ok(Self {
            ca: read(&files.ca)?,
            cert: read(&files.own.cert)?,
            key: Secret::new(read(&files.own.key)?),
        })
    }
}
