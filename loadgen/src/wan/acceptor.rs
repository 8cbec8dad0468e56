//! The task that owns a path's listener.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::Shared;
use super::effect::Dials;
use super::link::{self, Link};
use super::path::{Gate, PathState};
use super::port::ReservedPort;
use crate::clock;

/// Opens and closes the listener of a path, and decides about each connection that it accepts.
pub(super) struct Acceptor {
    state: Arc<PathState>,
    shared: Arc<Shared>,
    port: ReservedPort,
    listener: Option<TcpListener>,
}

/// How often an upstream that refused is asked again: often enough that a restarted server is back within the time
/// of its own start, rarely enough that asking costs nothing.
const ASK_AGAIN: Duration = Duration::from_millis(50);

impl Acceptor {
    pub(super) fn new(
        state: Arc<PathState>,
        shared: Arc<Shared>,
        port: ReservedPort,
        listener: TcpListener,
    ) -> Self {
        Self { state, shared, port, listener: Some(listener) }
    }

    pub(super) async fn run(mut self) {
        let mut gate = self.state.gate();
        loop {
            let now = *gate.borrow_and_update();
            tokio::select! {
                changed = gate.changed() => if changed.is_err() { return },
                () = self.serve(now), if !now.closed => {}
            }
            if now.closed {
                return;
            }
        }
    }

    /// Does what `gate` asks for; cancelled when the gate changes.
    async fn serve(&mut self, gate: Gate) {
        match gate.dials() {
            Dials::Unanswered => {
                // The listener stays (or comes back) without anybody accepting: dials hang in its queue.
                self.listen().await;
                std::future::pending().await
            }
            Dials::Refused => {
                self.listener = None;
                std::future::pending().await
            }
            Dials::Carried if gate.upstream_down => self.wait_for_upstream().await,
            dials => {
                if let Some(dialler) = self.accept().await {
                    self.spawn(dialler, gate, dials);
                }
            }
        }
    }

    async fn wait_for_upstream(&mut self) {
        self.listener = None;
        while !link::answers(&self.state).await {
            tokio::time::sleep(ASK_AGAIN).await;
        }
        self.state.upstream_answers();
    }

    async fn accept(&mut self) -> Option<TcpStream> {
        self.listen().await;
        match self.listener.as_ref()?.accept().await {
            Ok((dialler, _)) => Some(dialler),
            Err(error) => {
                // Out of file descriptors, most likely: links that end free some.
                tracing::warn!(path = %self.state.label(), %error, "cannot accept");
                tokio::time::sleep(ASK_AGAIN).await;
                None
            }
        }
    }

    async fn listen(&mut self) {
        while self.listener.is_none() {
            match self.port.listen().and_then(TcpListener::from_std) {
                Ok(listener) => self.listener = Some(listener),
                Err(error) => {
                    tracing::warn!(path = %self.state.label(), %error, "cannot listen again");
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        }
    }

    fn spawn(&self, dialler: TcpStream, gate: Gate, dials: Dials) {
        let link = Link {
            path: Arc::clone(&self.state),
            shared: Arc::clone(&self.shared),
            dialler,
            accepted_at: clock::now(),
            born: gate.epoch,
        };
        match dials {
            Dials::Held => drop(tokio::spawn(link.hold())),
            Dials::Ended(end) => drop(tokio::spawn(link.turn_away(end))),
            Dials::Carried | Dials::Unanswered | Dials::Refused => drop(tokio::spawn(link.run())),
        }
    }
}
