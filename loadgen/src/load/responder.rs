//! The responders: one for each server, in a queue group, so that every region answers its own requests.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::ConnectOptions;
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use super::requests::ECHO;
use crate::clients::prove_subscribed;
use crate::cluster::OWN_NAME;

/// The responders of a super-cluster, by server.
#[derive(Debug, Default)]
pub struct Responders {
    running: BTreeMap<String, Responder>,
}

#[derive(Debug)]
struct Responder {
    client: async_nats::Client,
    task: JoinHandle<()>,
}

/// A responder that could not start.
#[derive(Debug, thiserror::Error)]
#[error("the responder at {server} cannot start: {reason}")]
pub struct ResponderError {
    server: String,
    reason: String,
}

impl Responders {
    /// Starts those that are missing; `urls` names every server and its address.
    ///
    /// # Errors
    /// A server does not let it in.
    pub async fn complete(&mut self, urls: &BTreeMap<String, String>) -> Result<(), ResponderError> {
        for (server, url) in urls {
            if self.running.get(server).is_some_and(Responder::is_connected) {
                continue;
            }
            self.withdraw(server).await;
            let failed = |reason: String| ResponderError { server: server.clone(), reason };
            let responder = Responder::start(url).await.map_err(failed)?;
            self.running.insert(server.clone(), responder);
        }
        Ok(())
    }

    /// Ends the responder at a server that is about to be hit, so that no request of a client elsewhere is
    /// in its hands: the far side is not what is measured. To be called before there is load: async-nats'
    /// drain drops what is on its way.
    pub async fn withdraw(&mut self, server: &str) {
        let Some(responder) = self.running.remove(server) else { return };
        if responder.is_connected() {
            // The connection may have just ended; then there is nothing to drain.
            let _ = responder.client.drain().await;
            let _ = tokio::time::timeout(DRAIN_LIMIT, responder.task).await;
        } else {
            responder.task.abort();
        }
    }
}

impl Responder {
    async fn start(url: &str) -> Result<Self, String> {
        let options = ConnectOptions::new().name(OWN_NAME).ping_interval(PING_INTERVAL);
        let options = options.connection_timeout(CONNECT_TIMEOUT);
        let client = options.connect(url).await.map_err(|error| error.to_string())?;
        let subscribed = client.queue_subscribe(ECHO, "loadgen".to_owned()).await;
        let mut requests = subscribed.map_err(|error| error.to_string())?;
        prove_subscribed(&client).await?;
        let replies = client.clone();
        let task = tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                let Some(reply) = request.reply else { continue };
                // Without a connection there is nobody to answer.
                let _ = replies.publish(reply, request.payload).await;
            }
        });
        Ok(Self { client, task })
    }

    fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected && !self.task.is_finished()
    }
}

/// Its own failure detection must not be what clients wait for.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// On this machine, a server that takes longer is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

const DRAIN_LIMIT: Duration = Duration::from_secs(2);
