//! The answers of one resolver: the answers of hickory-server's catalog, or those of a fault while it lasts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{Catalog, MessageResponseBuilder};

/// Failure of a resolver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ResolverFault {
    /// It answers each query with this error.
    Fail(ResponseCode),
    /// Each answer takes so long.
    Slow(Duration),
    /// It receives queries and sends nothing.
    Silent,
    /// It answers with records that lead to an address where no server listens.
    Stale,
}

/// The faults of one resolver, the newest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Arc<Mutex<Vec<(usize, ResolverFault)>>>);

impl Faults {
    pub(super) fn add(&self, id: usize, fault: ResolverFault) {
        self.lock().push((id, fault));
    }

    pub(super) fn remove(&self, id: usize) {
        self.lock().retain(|(other, _)| *other != id);
    }

    fn in_force(&self) -> Option<ResolverFault> {
        self.lock().last().map(|(_, fault)| *fault)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(usize, ResolverFault)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers the clients of one region.
pub(super) struct Handler {
    pub(super) faults: Faults,
    /// The records of the servers.
    pub(super) current: Catalog,
    /// The records of [`ResolverFault::Stale`].
    pub(super) outdated: Catalog,
}

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response: R,
    ) -> ResponseInfo {
        match self.faults.in_force() {
            None => self.current.handle_request::<R, T>(request, response).await,
            Some(ResolverFault::Stale) => self.outdated.handle_request::<R, T>(request, response).await,
            Some(ResolverFault::Slow(latency)) => {
                tokio::time::sleep(latency).await;
                self.current.handle_request::<R, T>(request, response).await
            }
            Some(ResolverFault::Silent) => no_response(request),
            Some(ResolverFault::Fail(code)) => {
                let builder = MessageResponseBuilder::from_message_request(request);
                let error = builder.error_msg(&request.metadata, code);
                // The client may have closed its socket meanwhile.
                response.send_response(error).await.unwrap_or_else(|_| no_response(request))
            }
        }
    }
}

fn no_response(request: &Request) -> ResponseInfo {
    let metadata = Metadata::response_from_request(&request.metadata);
    ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
}
