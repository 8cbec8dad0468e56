//! This module moves traffic and subscriptions from one link to another.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::core::Handover;
use crate::native::hub::Hub;
use crate::native::link::{Ended, Link};
use crate::native::observe::events::event;
use crate::native::subscription::Carriage;

#[cfg(test)]
mod tests;

/// Gives the subscriptions and new traffic to a link. When this is done, the server has them all.
pub(super) async fn activate(hub: Arc<Hub>, link: Arc<Link>, handover: Handover) -> Result<(), Ended> {
    hub.install(&link).await?;
    match handover {
        // The SUBs are in the command channel: what follows arrives behind them.
        Handover::Pipelined => {
            hub.orphan_all_but(link.conn);
            switch(&hub, &link, handover).await?;
            // What was published meanwhile.
            hub.orphan_all_but(link.conn);
            hub.retransmit(&link).await?;
            for old in hub.carriers().into_iter().filter(|old| old.conn != link.conn) {
                old.leave_in_a_hurry();
            }
            for feed in hub.feeds() {
                feed.give_up_others(link.conn);
            }
            link.round_trip().await.map(drop)
        }
        Handover::AfterBarrier => {
            link.round_trip().await?;
            switch(&hub, &link, handover).await
        }
    }
}

/// Sends new traffic to the link, and gives it the subscriptions that only one link may carry.
async fn switch(hub: &Arc<Hub>, link: &Arc<Link>, handover: Handover) -> Result<(), Ended> {
    if !hub.limits.at_most_once {
        return hub.switch_to(link).await;
    }
    let _changing = hub.one_link.lock().await;
    let switched = async {
        take_over(hub, link, handover).await?;
        hub.switch_to(link).await
    };
    let switched = switched.await;
    if switched.is_err() {
        bring_back(hub).await;
    }
    switched
}

/// Parts the subscriptions of one link from all others, then gives them to this one.
async fn take_over(hub: &Arc<Hub>, link: &Arc<Link>, handover: Handover) -> Result<(), Ended> {
    let feeds = hub.feeds_of(Carriage::OneLink);
    for old in hub.carriers().into_iter().filter(|old| old.conn != link.conn) {
        if handover == Handover::AfterBarrier && !feeds.is_empty() {
            let last_deliveries = async {
                for feed in &feeds {
                    feed.stop(old.conn).await;
                }
                old.round_trip().await
            };
            // Without the confirmation, what is still on its way there is lost.
            let _ = tokio::time::timeout(STOP_LIMIT, last_deliveries).await;
        }
        for feed in &feeds {
            hub.discarded(feed.detach(old.conn));
        }
    }
    // With those that were made meanwhile.
    hub.install_those_of(link, Carriage::OneLink).await?;
    match handover {
        Handover::Pipelined => Ok(()),
        Handover::AfterBarrier => link.round_trip().await.map(drop),
    }
}

/// The link that was to take over has ended: the live one, if there still is one, carries on.
async fn bring_back(hub: &Arc<Hub>) {
    let Some(live) = hub.live_now() else { return };
    for feed in hub.feeds_of(Carriage::OneLink) {
        // It may have been told to stop.
        hub.discarded(feed.detach(live.conn));
    }
    // If it ends as well, the next one takes them along.
    let _ = hub.install_those_of(&live, Carriage::OneLink).await;
}

/// A working link confirms within a round trip. One that does not is about to be found silent, and must not
/// hold up the move away from it.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// Leaves a link that still works. After the overlap the server is told to send no more. What is on its way comes in, and
/// requests get their answers, as long as nothing pauses for `drain`.
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
        if while_it_moves(&link, drain, quiet).await.is_none() {
            event!(
                DRAIN_UNFINISHED, conn = %link.conn, ?drain,
                "requests or deliveries were still in flight after the drain"
            );
        }
    };
    tokio::select! {
        () = leave => {}
        () = link.ended() => {}
    }
}

/// The output of `future`, unless nothing moves on the link for as long as `pause`: the answer to whatever it is asked waits
/// behind all that waits already, at either end.
async fn while_it_moves<T>(link: &Link, pause: Duration, future: impl Future<Output = T>) -> Option<T> {
    let within_pauses = async {
        let mut future = pin!(future);
        let mut seen = link.traffic();
        loop {
            if let Ok(output) = tokio::time::timeout(pause, &mut future).await {
                return Some(output);
            }
            let traffic = link.traffic();
            if pause.is_zero() || !traffic.is_progress_since(seen) {
                return None;
            }
            seen = traffic;
        }
    };
    tokio::time::timeout(BACKLOG_LIMIT, within_pauses).await.ok().flatten()
}

/// If the server does not hear us, it goes on sending what others already get elsewhere. As with
/// [`progress_patience`](crate::core::WatchConfig::progress_patience): a backlog that nats-server puts up with takes no longer.
const BACKLOG_LIMIT: Duration = Duration::from_secs(20);
