//! Tests of health checks, with servers that are not connected to each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use nats_geo::HealthCheck;
use nats_geo::core::NoticeKind;

use crate::basics::options;
use crate::support::{Server, wait_for, within};

#[tokio::test]
async fn failures_that_are_not_in_a_row_are_no_reason_to_leave() {
    let (here, elsewhere) = (Server::start().await, Server::start().await);
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    let check = HealthCheck::custom("every other time", move |_link| {
        let is_odd = count.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        async move { if is_odd { Ok(()) } else { Err("not this time".into()) } }
    });
    let check = check.period(Duration::from_millis(20)).failures(2);
    let connecting = options().health_check(check).connect([here.url(), elsewhere.url()]);
    let client = within("connecting", connecting).await.unwrap();
    let mut notices = client.notices();
    wait_for("twenty answers", async || (asked.load(Ordering::Relaxed) > 20).then_some(())).await;
    while let Some(Some(Ok(notice))) = notices.next().now_or_never() {
        let is_verdict =
            matches!(notice.kind, NoticeKind::Unhealthy { .. } | NoticeKind::NoHealthyAlternative(_));
        assert!(!is_verdict, "{notice:?}");
    }
    assert_eq!(client.stats().moves, 0);
}
