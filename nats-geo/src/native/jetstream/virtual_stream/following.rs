//! This module reads from the region where the client is. When the client moves, the module reads from the new region.

use futures_util::future::{self, BoxFuture};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::sync::watch;

use super::VirtualStream;
use crate::native::hub::ActiveLink;
use crate::native::jetstream::ApiError;
use crate::native::jetstream::publish::pause_after;

/// What one region gives, and the way to the next.
pub(super) struct Following<S> {
    stream: VirtualStream,
    active_link: watch::Receiver<ActiveLink>,
    region: String,
    current: S,
    /// What another region is going to give. Until then the old one goes on, as far as it can be reached.
    joining: Option<(String, BoxFuture<'static, S>)>,
}

impl<S: Stream + Send + Unpin> Following<S> {
    pub(super) fn new(stream: VirtualStream, region: String, current: S) -> Self {
        let active_link = stream.context.client().hub().active_link();
        Self { stream, active_link, region, current, joining: None }
    }

    /// The region that gave what came last.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// What comes next; `None` when the client is closed, or what is read has ended.
    pub(super) async fn next(
        &mut self,
        join: &(impl Fn(&str) -> BoxFuture<'static, S> + Sync),
    ) -> Option<S::Item> {
        loop {
            self.look(join);
            let Self { active_link, current, joining, .. } = self;
            let joined = match joining {
                Some((_, joined)) => joined.left_future(),
                None => future::pending().right_future(),
            };
            tokio::select! {
                joined = joined => {
                    self.current = joined;
                    if let Some((region, _)) = self.joining.take() {
                        tracing::debug!(target: "nats_geo", from = self.region, to = region, "reading elsewhere");
                        self.region = region;
                    }
                }
                // The sender lives as long as the client, which is in `stream`.
                _ = active_link.changed() => {}
                item = current.next() => return item,
            }
        }
    }

    /// Is the client where we read?
    fn look(&mut self, join: &impl Fn(&str) -> BoxFuture<'static, S>) {
        let Some(wanted) = self.stream.region_at(&self.active_link.borrow_and_update()) else { return };
        if wanted == self.region {
            self.joining = None;
        } else if self.joining.as_ref().is_none_or(|(region, _)| *region != wanted) {
            let joined = join(&wanted);
            self.joining = Some((wanted, joined));
        }
    }
}

/// A pause before the next try: a region that has just been reached may be without a leader for long.
pub(super) async fn not_yet(region: &str, tries: &mut u32, error: ApiError) {
    tracing::debug!(target: "nats_geo", %region, %error, "cannot read there yet");
    *tries = tries.saturating_add(1);
    tokio::time::sleep(pause_after(*tries)).await;
}
