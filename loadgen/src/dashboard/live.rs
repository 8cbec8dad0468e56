//! The super-cluster that is up. loadgen looks at it repeatedly while a page shows it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::feed::Feed;
use super::plan::LivePlan;
use crate::clock;
use crate::look::LookError;
use crate::look::gather::System;
use crate::look::overview::Overview;

/// The data of an event `nats`.
#[derive(Debug, Serialize)]
struct Seen<'a> {
    /// The end of the look, RFC 3339.
    at: String,
    /// Pause until the next look, in seconds.
    every_s: u64,
    #[serde(flatten)]
    overview: &'a Overview,
    /// Round-trip times that `loadgen up` emulates, by pair of regions such as `lon-ams`.
    emulated: BTreeMap<String, f64>,
}

/// Sends events `nats` and `trouble`. Never ends.
pub(super) async fn follow(feed: &Feed, plan: &LivePlan) {
    let mut system = None;
    loop {
        if !feed.is_shown() {
            // A connection that nobody needs would count as a client of the super-cluster.
            system = None;
            feed.wait_for_page().await;
            continue;
        }
        match look(plan, &mut system).await {
            Ok(overview) => {
                let (at, every_s) = (clock::rfc3339(clock::wall()), plan.every.as_secs());
                let emulated = plan.login.emulated().await;
                feed.send("nats", &Seen { at, every_s, overview: &overview, emulated });
            }
            Err(error) => {
                // A super-cluster that starts again may have other addresses and credentials.
                system = None;
                feed.send_trouble(&error);
            }
        }
        tokio::time::sleep(plan.every).await;
    }
}

async fn look(plan: &LivePlan, system: &mut Option<System>) -> Result<Overview, LookError> {
    let system = match system {
        Some(system) => system,
        None => system.insert(System::new(plan.login.open().await?, plan.timeout).await?),
    };
    Ok(Overview::look(system).await?)
}
