//! Discovery of services (ADR-32). This module answers requests to all services, to all instances of one service, and
//! to one instance.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::try_join_all;
use futures_util::stream::{SelectAll, Stream, StreamExt as _};

use super::registry::Registry;
use super::rules::PREFIX;
use crate::native::observe::events::event;
use crate::native::subscription::{Copies, Stopper};
use crate::native::{GeoClient, Message, SubscribeError, Subscription};

/// All questions to one service.
#[derive(Debug)]
pub(super) struct Discovery {
    questions: SelectAll<Questions>,
    stoppers: Vec<Stopper>,
}

/// What can be asked.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Ping,
    Info,
    Stats,
}

impl Discovery {
    /// Subscribes to the questions; they are in the links' command channels when this returns.
    pub(super) async fn subscribe(client: &GeoClient, registry: &Registry) -> Result<Self, SubscribeError> {
        let subjects = [Verb::Ping, Verb::Info, Verb::Stats].into_iter().flat_map(|verb| {
            subjects(verb, &registry.name, &registry.id).map(|subject| async move {
                // Also where others are to come at most once: copies are dropped here, and nothing is lost.
                let subscription = client.subscribe_everywhere(subject).await?;
                Ok::<_, SubscribeError>(Questions { verb, subscription, copies: Copies::default() })
            })
        });
        let questions = try_join_all(subjects).await?;
        let stoppers = questions.iter().map(|questions| questions.subscription.stopper()).collect();
        Ok(Self { questions: questions.into_iter().collect(), stoppers })
    }

    /// Ends the questions from elsewhere.
    pub(super) fn stoppers(&self) -> Vec<Stopper> {
        self.stoppers.clone()
    }

    /// Answers until no question can come any more. Keeps no client alive.
    pub(super) async fn answer(mut self, registry: Arc<Registry>) {
        while let Some((verb, question)) = self.questions.next().await {
            if let Err(why) = answer(verb, &question, &registry).await {
                event!(
                    SERVICE_NOT_ANSWERED, subject = %question.subject, why,
                    "the service could not answer a discovery request"
                );
            }
        }
    }
}

async fn answer(verb: Verb, question: &Message, registry: &Registry) -> Result<(), String> {
    let json = match verb {
        Verb::Ping => serde_json::to_vec(&registry.ping()),
        Verb::Info => serde_json::to_vec(&registry.info()),
        Verb::Stats => serde_json::to_vec(&registry.stats_response()),
    };
    let json = json.map_err(|error| error.to_string())?;
    question.respond(json.into()).await.map_err(|error| error.to_string())
}

fn subjects(verb: Verb, name: &str, id: &str) -> [String; 3] {
    [format!("{PREFIX}.{verb}"), format!("{PREFIX}.{verb}.{name}"), format!("{PREFIX}.{verb}.{name}.{id}")]
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ping => "PING",
            Self::Info => "INFO",
            Self::Stats => "STATS",
        })
    }
}

/// The questions on one subject, each once. They are told apart by their reply subjects, which tools make anew for each:
/// one that asks twice with the same, within seconds of a move, is answered once.
#[derive(Debug)]
struct Questions {
    verb: Verb,
    subscription: Subscription,
    copies: Copies,
}

impl Stream for Questions {
    type Item = (Verb, Message);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let polled = self.subscription.poll_next_unpin(cx);
            let changes = self.subscription.changes();
            match polled {
                Poll::Ready(Some(question)) => match &question.reply {
                    Some(reply) if !self.copies.is_one(reply, changes) => {
                        return Poll::Ready(Some((self.verb, question)));
                    }
                    // It was answered already, or nobody waits for an answer.
                    _ => {}
                },
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    self.copies.drained(changes);
                    return Poll::Pending;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_services_those_of_a_name_and_one_are_asked_by_subject() {
        let asked = subjects(Verb::Stats, "orders", "7f");
        assert_eq!(asked, ["$SRV.STATS", "$SRV.STATS.orders", "$SRV.STATS.orders.7f"]);
        assert_eq!(subjects(Verb::Ping, "a", "b")[0], "$SRV.PING");
        assert_eq!(subjects(Verb::Info, "a", "b")[0], "$SRV.INFO");
    }
}
