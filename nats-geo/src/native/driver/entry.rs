//! The driver's record of an open link.

use std::sync::Arc;

use tokio::task::AbortHandle;

use crate::core::ServerRef;
use crate::native::health::Asked;
use crate::native::link::{Link, Traffic};

/// A link that is open.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) link: Arc<Link>,
    /// Its traffic when it was last looked at.
    pub(super) traffic: Traffic,
    /// How many PINGs are out.
    pub(super) pings: usize,
    /// Where it leads, once that was announced.
    pub(super) place: Option<ServerRef>,
    /// Its server announced its end.
    pub(super) lame_duck: bool,
    /// The last result of the health checks.
    pub(super) asked: Asked,
    /// How many operations the server has denied since it was asked again.
    pub(super) denials: usize,
    /// Asks them again and again.
    pub(super) watch: Option<AbortHandle>,
}

impl Entry {
    pub(super) fn new(link: Link) -> Self {
        Self {
            traffic: link.traffic(),
            link: Arc::new(link),
            pings: 0,
            place: None,
            lame_duck: false,
            denials: 0,
            asked: Asked::Nobody,
            watch: None,
        }
    }
}
