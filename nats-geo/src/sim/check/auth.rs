//! A client rarely dials a region that refuses the credentials, because servers can lock an account after many attempts.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Checker, per_client};
use crate::core::{Action, Notice, NoticeKind, OpenError, Region, Time};
use crate::sim::{Seen, World};

/// When each region refused lately, by client.
#[derive(Debug)]
pub(crate) struct Auth(Vec<BTreeMap<Region, VecDeque<Time>>>);

/// One try per race, and a back-off of up to 30 s with full jitter: 10 in a minute on average, and seldom twice that.
const REFUSALS_MAX: usize = 20;
const WINDOW: Duration = Duration::from_secs(60);

impl Auth {
    pub(crate) fn new(world: &World) -> Self {
        Self(per_client(world))
    }
}

impl Checker for Auth {
    fn rule(&self) -> &'static str {
        "a region that refuses the credentials is asked 20 times a minute at most"
    }

    fn see(&mut self, seen: &Seen, _: &World) -> Result<(), String> {
        let Seen::Decided { client, action: Action::Notify(Notice { at, kind }), .. } = seen else {
            return Ok(());
        };
        let NoticeKind::OpenFailed { place, error: OpenError::Auth(_) } = kind else { return Ok(()) };
        let refusals = self.0[*client].entry(place.region.clone()).or_default();
        refusals.push_back(*at);
        while refusals.front().is_some_and(|first| at.since(*first) > WINDOW) {
            refusals.pop_front();
        }
        if refusals.len() > REFUSALS_MAX {
            return Err(format!(
                "client {client} asked {} {} times in a minute",
                place.region,
                refusals.len()
            ));
        }
        Ok(())
    }
}
