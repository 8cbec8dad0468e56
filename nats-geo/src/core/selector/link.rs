//! The state of one connection in the selector.

use super::super::name::Name;
use super::super::watch::Watch;
use super::super::{EndpointId, Region, Time};

/// A connection, from dial to end.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) endpoint: EndpointId,
    /// Who its own INFO said that it leads to, once it is open: at its address, others may answer as well.
    pub(super) peer: Option<Peer>,
    pub(super) state: LinkState,
    pub(super) watch: Watch,
    /// The server announced its end.
    pub(super) lame_duck: bool,
}

/// The server of a link.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) server: Name,
    pub(super) region: Region,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LinkState {
    /// For new traffic. Given up at this moment even if the driver says nothing.
    Dialing(Time),
    /// To be the standby.
    DialingStandby(Time),
    /// Open, without subscriptions.
    Standby,
    /// Target of a planned move, waiting for its barrier, at most until this moment.
    Activating(Time),
    /// New traffic goes here.
    Active,
    /// Silent; traffic moved away, but it may answer yet.
    Left,
    /// Being closed before its successor is opened, at most until this moment.
    Closing(Time),
}

impl LinkState {
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Standby | Self::Activating(_) | Self::Active | Self::Left)
    }
}
