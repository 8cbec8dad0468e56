//! Notifications: a JSON document that is sent to a URL by POST.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use super::audit::Outcome;
use crate::web_target::{Target, causes, client};

/// Sends the document. It succeeds if the answer has a status of 200 to 299.
pub(super) async fn send(target: Target, limit: Duration, document: String) -> (Outcome, String) {
    let place = target.host();
    let post = |client| target.request(&client, Method::POST).header(CONTENT_TYPE, "application/json");
    let sent = match client(limit) {
        Ok(client) => post(client).body(document).send().await,
        Err(error) => Err(error),
    };
    match sent {
        Ok(answer) => {
            let outcome = if answer.status().is_success() { Outcome::Done } else { Outcome::Failed };
            (outcome, format!("{place} answered {}", answer.status()))
        }
        Err(error) if error.is_timeout() => (Outcome::TimedOut, format!("{place} did not answer")),
        Err(error) => (Outcome::Failed, format!("{place}: {}", causes(&error.without_url()))),
    }
}
