//! One page: its connection to loadgen, the orders that it has not answered, and its subscriptions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::orders::{Numbered, Order, Report, payload};
use crate::clients::{Journal, Seat};
use crate::clock;

/// The page of a client. Dropping it ends the connection, and the page then closes its client and itself.
#[derive(Debug)]
pub(super) struct Page {
    orders: mpsc::Sender<String>,
    state: Arc<State>,
}

/// The part of a page that its connection knows too.
#[derive(Debug)]
struct State {
    journal: Journal,
    waiting: Mutex<Waiting>,
}

/// The end of an order: the revision of a value if it has one, or the reason why it failed.
type Answer = Result<Option<u64>, String>;

/// Everything that waits for a page.
#[derive(Debug, Default)]
struct Waiting {
    last_number: u64,
    answers: BTreeMap<u64, oneshot::Sender<Answer>>,
    messages: BTreeMap<u64, mpsc::Sender<Bytes>>,
    /// Nothing more is answered.
    is_gone: bool,
}

impl Page {
    /// Speaks with a page over its connection, until the page is closed.
    pub(super) fn new(number: u32, socket: WebSocket, journal: Journal) -> Self {
        let (orders, received) = mpsc::channel(ORDERS_AT_ONCE);
        let state = Arc::new(State { journal, waiting: Mutex::default() });
        tokio::spawn(run(socket, received, Arc::clone(&state), number));
        Self { orders, state }
    }

    pub(super) fn seat(&self) -> Option<Seat> {
        self.state.journal.last_seat()
    }

    /// Gives an order, and returns when the page has carried it out. A dropped future leaves the order to the page.
    pub(super) async fn order(&self, order: Order) -> Answer {
        let (number, answered) = self.state.lock().expect_answer();
        self.send(number, order, answered).await
    }

    /// Orders a subscription, and returns its messages.
    pub(super) async fn subscribe(&self, order: Order) -> Result<mpsc::Receiver<Bytes>, String> {
        let (sender, messages) = mpsc::channel(MESSAGES_AT_ONCE);
        let (number, answered) = {
            let mut waiting = self.state.lock();
            let (number, answered) = waiting.expect_answer();
            waiting.messages.insert(number, sender);
            (number, answered)
        };
        self.send(number, order, answered).await?;
        Ok(messages)
    }

    async fn send(&self, number: u64, order: Order, answered: oneshot::Receiver<Answer>) -> Answer {
        let gone = |_| GONE.to_owned();
        // An order has only texts and numbers, which have a JSON form.
        let text = serde_json::to_string(&Numbered { number, order }).unwrap_or_default();
        self.orders.send(text).await.map_err(|_| GONE.to_owned())?;
        answered.await.map_err(gone)?
    }
}

impl State {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, report: Report) {
        match report {
            Report::Done(number, revision) => self.lock().answer(number, Ok(revision)),
            Report::Failed(number, reason) => self.lock().answer(number, Err(reason)),
            Report::Message(subscription, text) => {
                let reader = self.lock().messages.get(&subscription).cloned();
                let Some((reader, content)) = reader.zip(payload(&text)) else { return };
                // A reader that has ended wants no more.
                let _ = reader.send(content.into()).await;
            }
            Report::Sign(sign) => self.journal.note(clock::now(), sign),
            Report::Seat(seat) => self.journal.sits(clock::now(), seat),
        }
    }
}

impl Waiting {
    fn expect_answer(&mut self) -> (u64, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        self.last_number += 1;
        if !self.is_gone {
            self.answers.insert(self.last_number, answer);
        }
        (self.last_number, answered)
    }

    fn answer(&mut self, number: u64, answer: Answer) {
        if let Some(waiting) = self.answers.remove(&number) {
            // The operation may have passed its deadline.
            let _ = waiting.send(answer);
        }
    }

    /// Ends everything that waits.
    fn end(&mut self) {
        *self = Self { is_gone: true, last_number: self.last_number, ..Self::default() };
    }
}

async fn run(mut socket: WebSocket, mut orders: mpsc::Receiver<String>, state: Arc<State>, number: u32) {
    loop {
        tokio::select! {
            order = orders.recv() => {
                // The client has ended.
                let Some(order) = order else { break };
                if socket.send(Message::Text(order.into())).await.is_err() {
                    break;
                }
            }
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(report) => state.take(report).await,
                    Err(error) => tracing::error!(number, %error, "a page sent no report"),
                },
                Some(Ok(_)) => {}
                Some(Err(_)) | None => {
                    tracing::error!(number, "a page of the browser has closed");
                    break;
                }
            },
        }
    }
    state.lock().end();
    state.journal.sits(clock::now(), None);
}

/// Reason why an order to a page that is no more fails.
const GONE: &str = "the page of the client has closed: look whether the browser still runs, and has memory";

/// Orders that wait for a page that does not read; more wait at their senders.
const ORDERS_AT_ONCE: usize = 1_024;

/// Messages that wait for a reader; more wait at the page.
const MESSAGES_AT_ONCE: usize = 4_096;
