//! Tests of subscriptions that the application does not read.

use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::core::NoticeKind;
use nats_geo::{GeoClient, Subscription};

use crate::basics::options;
use crate::support::{Server, wait_for, within};

const MIB: usize = 1 << 20;

async fn publish(client: &GeoClient, subject: &'static str, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let mut payload = number.to_string().into_bytes();
        payload.resize(MIB, b' ');
        client.publish(subject, payload.into()).await.unwrap();
    }
    client.flush().await.unwrap();
}

async fn number(messages: &mut Subscription) -> usize {
    let message = within("a message", messages.next()).await.unwrap();
    std::str::from_utf8(&message.payload).unwrap().trim_end().parse().unwrap()
}

#[tokio::test]
async fn a_subscription_that_is_not_read_keeps_so_many_bytes_and_says_what_is_lost() {
    let server = Server::with("max_payload: 2097152").await;
    let options = options().subscription_buffer(8 * MIB);
    let client = within("connecting", options.connect(server.url())).await.unwrap();
    let publisher = within("connecting", crate::basics::options().connect(server.url())).await.unwrap();
    let mut notices = client.notices();
    let mut unread = client.subscribe("bulk").await.unwrap();
    let mut other = client.subscribe("other").await.unwrap();
    client.flush().await.unwrap();
    let mut echoes = 0;
    for round in 0..10 {
        publish(&publisher, "bulk", round * 5..(round + 1) * 5).await;
        publisher.publish("other", "x".into()).await.unwrap();
        within("the other subscription", other.next()).await.unwrap();
        echoes += 1;
    }
    let lost = || client.stats().discarded;
    wait_for("the last ones to be lost", async || (lost() == 43).then_some(())).await;
    assert_eq!((echoes, client.stats().moves, client.stats().unconfirmed), (10, 0, 0));
    for expected in 0..7 {
        assert_eq!(number(&mut unread).await, expected, "the oldest are kept, in order");
    }
    // There is room again.
    publish(&publisher, "bulk", 100..105).await;
    for expected in 100..105 {
        assert_eq!(number(&mut unread).await, expected);
    }
    publish(&publisher, "bulk", 200..220).await;
    wait_for("others to be lost", async || (lost() == 56).then_some(())).await;
    let mut slow = 0;
    while slow < 2 {
        let notice = within("a notice", notices.next()).await.unwrap().unwrap();
        if let NoticeKind::SlowConsumer { subject } = notice.kind {
            assert_eq!(subject, "bulk");
            slow += 1;
        }
    }
}

#[tokio::test]
async fn a_reader_that_stops_in_the_middle_keeps_what_came_before() {
    let server = Server::start().await;
    let options = options().subscription_buffer(4 * MIB);
    let client = within("connecting", options.connect(server.url())).await.unwrap();
    let publisher = within("connecting", crate::basics::options().connect(server.url())).await.unwrap();
    let mut bulk = client.queue_subscribe("bulk", "readers").await.unwrap();
    client.flush().await.unwrap();
    let half = MIB / 2 - 1_000;
    let send = async |numbers: std::ops::Range<usize>| {
        for number in numbers {
            let mut payload = number.to_string().into_bytes();
            payload.resize(half, b' ');
            publisher.publish("bulk", payload.into()).await.unwrap();
        }
        publisher.flush().await.unwrap();
    };
    send(0..2).await;
    assert_eq!(number(&mut bulk).await, 0);
    send(2..20).await;
    wait_for("the newest to be lost", async || (client.stats().discarded > 0).then_some(())).await;
    let kept: Vec<_> = {
        let mut kept = Vec::new();
        while let Ok(next) = tokio::time::timeout(Duration::from_millis(200), bulk.next()).await {
            let message = next.unwrap();
            kept.push(std::str::from_utf8(&message.payload).unwrap().trim_end().parse::<usize>().unwrap());
        }
        kept
    };
    assert!(kept.starts_with(&[1, 2, 3, 4, 5, 6, 7]) && kept.is_sorted(), "{kept:?}");
    assert_eq!(kept.len() + 1 + usize::try_from(client.stats().discarded).unwrap(), 20);
}

#[tokio::test]
async fn a_reader_that_is_slower_than_messages_come_is_bounded_too() {
    let server = Server::start().await;
    let options = options().subscription_buffer(4 * MIB);
    let client = within("connecting", options.connect(server.url())).await.unwrap();
    let publisher = within("connecting", crate::basics::options().connect(server.url())).await.unwrap();
    let mut bulk = client.subscribe("bulk").await.unwrap();
    client.flush().await.unwrap();
    let publishing = tokio::spawn(async move {
        for _ in 0..100 {
            publisher.publish("bulk", vec![7; MIB / 2].into()).await.unwrap();
        }
        publisher.publish("bulk", "end".into()).await.unwrap();
        publisher.flush().await.unwrap();
    });
    let mut read = 0;
    while read + client.stats().discarded < 101 {
        if tokio::time::timeout(Duration::from_millis(100), bulk.next())
            .await
            .is_ok_and(|next| next.is_some())
        {
            read += 1;
            // The work on one message.
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
    publishing.await.unwrap();
    assert!(client.stats().discarded > 20, "{:?}", client.stats());
}

#[tokio::test]
async fn a_limit_counts_what_waits_unread() {
    let server = Server::start().await;
    let client =
        within("connecting", options().subscription_buffer(MIB).connect(server.url())).await.unwrap();
    let mut messages = client.subscribe("a").await.unwrap();
    let _full = client.subscribe("bulk").await.unwrap();
    for number in 0..3 {
        client.publish("a", number.to_string().into()).await.unwrap();
    }
    // When these overflow, what came before them was looked after as well.
    for _ in 0..3 {
        client.publish("bulk", vec![0; MIB - 1_000].into()).await.unwrap();
    }
    wait_for("the overflow", async || (client.stats().discarded == 2).then_some(())).await;
    messages.unsubscribe_after(5).await;
    for number in 3..9 {
        client.publish("a", number.to_string().into()).await.unwrap();
    }
    client.flush().await.unwrap();
    assert_eq!(within("the end", messages.count()).await, 5);
}
