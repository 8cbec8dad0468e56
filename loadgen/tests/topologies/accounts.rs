//! Preset `accounts`: three accounts that share nothing.

use std::time::Duration;

use futures_util::StreamExt as _;

use crate::Up;

#[tokio::test(flavor = "multi_thread")]
async fn accounts_hear_nothing_of_each_other() {
    let up = Up::start("accounts").await;
    let one = up.client("c1", "one").await;
    let other_one = up.client("c2", "one").await;
    let two = up.client("c1", "two").await;
    let system = up.client("c2", "system").await;
    let mut heard_by_two = two.subscribe(">").await.unwrap();
    let mut all_of_one = one.subscribe(">").await.unwrap();
    let mut all_of_system = system.subscribe("mine").await.unwrap();
    system.flush().await.unwrap();
    let mut heard_by_one = other_one.subscribe("news").await.unwrap();
    two.flush().await.unwrap();
    other_one.flush().await.unwrap();

    // The same account hears it across the gateway; interest may still be on its way.
    crate::until("a message in the other cluster", async || {
        one.publish("news", "to one".into()).await.unwrap();
        tokio::time::timeout(Duration::from_millis(200), heard_by_one.next()).await.is_ok()
    })
    .await;
    // What the other account hears first is its own: messages of one server come in order.
    one.flush().await.unwrap();
    two.publish("mine", "to two".into()).await.unwrap();
    let first = tokio::time::timeout(crate::LIMIT, heard_by_two.next()).await.unwrap().unwrap();
    assert_eq!(first.subject.as_str(), "mine");
    // The same, the other way round.
    two.flush().await.unwrap();
    one.publish("last", "to one".into()).await.unwrap();
    system.publish("mine", "to system".into()).await.unwrap();
    let of_one = async {
        loop {
            let message = all_of_one.next().await.unwrap();
            assert!(message.subject.as_str() != "mine", "one hears two or system");
            if message.subject.as_str() == "last" {
                return;
            }
        }
    };
    tokio::time::timeout(crate::LIMIT, of_one).await.unwrap();
    let of_system = tokio::time::timeout(crate::LIMIT, all_of_system.next()).await.unwrap().unwrap();
    assert_eq!(of_system.payload, "to system", "system hears two");

    // Only the system account sees the servers.
    let ping = |client: async_nats::Client| async move {
        client.request("$SYS.REQ.SERVER.PING", "".into()).await.is_ok()
    };
    assert!(ping(system).await);
    assert!(!ping(one).await);
    up.ends_without_a_trace().await;
}
