//! This module handles the results of DNS lookups: the servers that a DNS name has now, or the failure of the lookup.

use super::Driver;
use crate::core::{EndpointId, Notice, NoticeKind};
use crate::native::connect::Failure;
use crate::native::found::Finding;
use crate::native::hub::lock;

impl Driver {
    pub(super) fn found(&mut self, finding: Finding) {
        let Finding { origin, servers } = finding;
        let (name, kept) = self.endpoints.origin(origin);
        match servers {
            Ok(servers) => {
                if self.unresolved.remove(&origin) {
                    self.notify(NoticeKind::ResolverRecovered { name });
                }
                let in_use = self.in_use();
                for event in self.endpoints.found(origin, servers, &in_use) {
                    self.tell(event);
                }
            }
            Err(why) => {
                self.progress.failed(name.clone(), Failure::Resolver(why.clone()));
                // Said once: it is asked again every few seconds.
                if self.unresolved.insert(origin) {
                    self.notify(NoticeKind::ResolverFailed { name, why, kept });
                }
            }
        }
    }

    /// Endpoints of links that carry traffic, or stand by to do so.
    fn in_use(&self) -> Vec<EndpointId> {
        let snapshot = lock(&self.selector).snapshot(self.clock.now());
        let places = snapshot.active.into_iter().chain(snapshot.standby);
        places.map(|place| place.endpoint).collect()
    }

    pub(super) fn notify(&mut self, kind: NoticeKind) {
        self.announce(Notice { at: self.clock.now(), kind });
    }
}
