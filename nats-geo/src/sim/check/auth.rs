//! Refused credentials are no reason to move: the account is the same everywhere.

use super::{Checker, per_client};
use crate::core::{Action, Call, Cause, Event, Notice, NoticeKind, OpenError};
use crate::sim::{Seen, World};

#[derive(Debug)]
pub(crate) struct Auth(Vec<Client>);

#[derive(Debug, Default)]
struct Client {
    active: Option<crate::core::ConnId>,
    /// The active link was ended because of its credentials, and nothing has been live since.
    refused: bool,
}

impl Auth {
    pub(crate) fn new(world: &World) -> Self {
        Self(per_client(world))
    }
}

impl Checker for Auth {
    fn rule(&self) -> &'static str {
        "refused credentials never cause a move to another region"
    }

    fn see(&mut self, seen: &Seen, _: &World) -> Result<(), String> {
        match seen {
            Seen::Called { client, call: Call::Event(Event::Closed { conn, cause: Cause::Auth(_) }) } => {
                let client = &mut self.0[*client];
                client.refused |= client.active == Some(*conn);
            }
            // It fails for another reason as well, which may cause a move.
            Seen::Called { client, call: Call::Event(Event::OpenFailed { error, .. }) } => {
                self.0[*client].refused &= matches!(error, OpenError::Auth(_));
            }
            Seen::Decided { client, action: Action::Notify(Notice { kind, .. }), .. } => {
                let state = &mut self.0[*client];
                let was_refused = state.refused;
                match kind {
                    NoticeKind::Connected(to) => *state = Client { active: Some(to.conn), refused: false },
                    NoticeKind::Moved { from, to, cause, .. } => {
                        *state = Client { active: Some(to.conn), refused: false };
                        if was_refused && !cause.is_planned() && from.region != to.region {
                            return Err(format!("client {client} moved from {from} to {to}"));
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
}
