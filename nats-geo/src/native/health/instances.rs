//! This module counts the instances of a service in a region (ADR-32).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde::Deserialize;

use super::HealthCheckLink;

/// The part of an instance's PING response that counts.
#[derive(Deserialize)]
struct Pong {
    id: String,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

/// Passes when at least this many instances say in their metadata that they are in the link's region. Waits for half of the
/// check's time: such instances answer within milliseconds, and the count must be known before the check times out.
pub(super) async fn at_least(
    link: HealthCheckLink,
    name: String,
    least: usize,
    timeout: Duration,
) -> Result<(), String> {
    let inbox = link.nats().new_inbox();
    let mut answers = link.nats().subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
    let asked = link.nats().publish_with_reply(format!("$SRV.PING.{name}"), inbox, "".into()).await;
    asked.map_err(|error| error.to_string())?;
    let mut found = BTreeSet::new();
    let counting = async {
        while found.len() < least {
            let Some(answer) = answers.next().await else { return };
            let pong = serde_json::from_slice::<Pong>(&answer.payload);
            let region = |pong: &Pong| pong.metadata.as_ref()?.get("region").cloned();
            if let Ok(pong) = pong
                && region(&pong).is_some_and(|region| region == link.region().as_str())
            {
                found.insert(pong.id);
            }
        }
    };
    // Not all have answered by then: the count says so.
    let _ = tokio::time::timeout(timeout / 2, counting).await;
    if found.len() < least {
        return Err(format!("{} of {least} instances answer in {}", found.len(), link.region()));
    }
    Ok(())
}
