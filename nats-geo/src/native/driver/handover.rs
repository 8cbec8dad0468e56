//! Moving traffic and subscriptions from link to link.

use std::sync::Arc;
use std::time::Duration;

use crate::core::Handover;
use crate::native::hub::Hub;
use crate::native::link::{Ended, Link};

/// Gives the subscriptions and new traffic to a link. When this is done, the server has them all.
pub(super) async fn activate(hub: Arc<Hub>, link: Arc<Link>, handover: Handover) -> Result<(), Ended> {
    hub.install(&link).await?;
    match handover {
        // The SUBs are in the command channel: what follows arrives behind them.
        Handover::Pipelined => {
            hub.switch_to(&link).await?;
            link.round_trip().await.map(drop)
        }
        Handover::AfterBarrier => {
            link.round_trip().await?;
            hub.switch_to(&link).await
        }
    }
}

/// Leaves a link that still works. After the overlap the server is told to send no more; what is on its way
/// comes in, and requests get their answers, as long as `drain` allows.
pub(super) async fn retire(hub: Arc<Hub>, link: Arc<Link>, overlap: Duration, drain: Duration) {
    let leave = async {
        tokio::time::sleep(overlap).await;
        hub.stop_carrying(link.conn);
        let quiet = async {
            for feed in hub.feeds() {
                feed.stop(link.conn).await;
            }
            // Behind the UNSUBs: once it is back, nothing more will come.
            link.round_trip().await?;
            hub.detach(link.conn);
            link.no_requests().await;
            // Answers to requests that came in here may have been sent until now.
            link.finish().await
        };
        if tokio::time::timeout(drain, quiet).await.is_err() {
            tracing::warn!(conn = %link.conn, ?drain, "requests or deliveries were still in flight after the drain");
        }
    };
    tokio::select! {
        () = leave => {}
        () = link.ended() => {}
    }
}
