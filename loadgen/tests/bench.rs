//! Tests of `loadgen bench` with a real server: loadgen and the server count the same.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::time::Duration;

use bytes::Bytes;
use clap::Parser as _;
use futures_util::StreamExt;
use loadgen::bench::{BenchError, BenchResult, run};
use loadgen::cli::{Command, Opts};
use loadgen::cluster::{StartOptions, SuperCluster};
use loadgen::look::connect::Login;
use loadgen::topology::Topology;
use tokio::time::timeout;

const MESSAGES: u64 = 2_000;

async fn bench(url: &str, args: &[&str]) -> Result<BenchResult, BenchError> {
    bench_of(url, MESSAGES, args).await
}

async fn bench_of(url: &str, messages: u64, args: &[&str]) -> Result<BenchResult, BenchError> {
    let messages = messages.to_string();
    let all = ["loadgen", "bench"].into_iter().chain(args.iter().copied());
    let all = all.chain(["--server", url, "--msgs", &messages, "--size", "1KB"]);
    let Some(Command::Bench(command)) = Opts::try_parse_from(all).unwrap().command else {
        panic!("not `bench`")
    };
    run(Login::of(&command.bench().connect).unwrap(), command).await
}

fn is_right(result: &BenchResult, messages: u64) {
    assert_eq!((result.messages, result.message_bytes), (messages, 1_024), "{result:?}");
    assert!(result.seconds > 0.0 && result.messages_per_s > 0.0, "{result:?}");
    let times = result.response_ms;
    assert!(times.is_none_or(|times| times.p50 > 0.0 && times.p50 <= times.max), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_counts_what_the_server_has() {
    let topology = Topology::new(vec!["lon".to_owned(), "ams".to_owned()], 1).unwrap();
    let cluster = SuperCluster::start(StartOptions::new(topology)).await.unwrap();
    let url = cluster.server_urls().values().next().unwrap().clone();

    let client = async_nats::connect(&url).await.unwrap();
    let (received, sent) = tokio::join!(bench(&url, &["sub", "--clients", "2"]), async {
        // Messages before the subscriptions would be lost.
        subscribed(&client, "loadgen.bench").await;
        bench(&url, &["pub", "--clients", "3"]).await
    });
    is_right(&sent.unwrap(), MESSAGES);
    is_right(&received.unwrap(), 2 * MESSAGES);

    let asked = async {
        subscribed(&client, "loadgen.echo").await;
        bench(&url, &["request", "--clients", "2", "--subject", "loadgen.echo"]).await
    };
    // Probes count, too: it must not end before the last request.
    tokio::select! {
        asked = asked => is_right(&asked.unwrap(), MESSAGES),
        served = bench_of(&url, 2 * MESSAGES, &["serve", "--subject", "loadgen.echo"]) => panic!("{served:?}"),
    }

    let js = ["--subject", "loadgen.stream", "--clients", "2"];
    is_right(&bench(&url, &[&["js-pub"], &js[..]].concat()).await.unwrap(), MESSAGES);
    let context = async_nats::jetstream::new(client.clone());
    let stored = context.get_stream("LOADGEN_BENCH").await.unwrap().cached_info().state.messages;
    assert_eq!(stored, MESSAGES);
    is_right(&bench(&url, &[&["js-consume"], &js[..]].concat()).await.unwrap(), MESSAGES);

    let empty = bench(&url, &["kv-get"]).await.unwrap_err().to_string();
    assert_eq!(empty, "get failed: the bucket `LOADGEN_BENCH` has no `0.0`: run `kv-put` first");
    is_right(&bench(&url, &["kv-put"]).await.unwrap(), MESSAGES);
    is_right(&bench(&url, &["kv-get"]).await.unwrap(), MESSAGES);
    cluster.shutdown().await;
}

/// Waits until somebody is subscribed: a request without a responder ends at once.
async fn subscribed(client: &async_nats::Client, subject: &str) {
    let probed = async {
        loop {
            let inbox = client.new_inbox();
            let mut replies = client.subscribe(inbox.clone()).await.unwrap();
            client.publish_with_reply(subject.to_owned(), inbox, Bytes::new()).await.unwrap();
            // A subscriber says nothing, or answers.
            match timeout(Duration::from_millis(100), replies.next()).await {
                Ok(Some(message)) if message.status.is_some() => {}
                _ => return,
            }
        }
    };
    timeout(Duration::from_secs(10), probed).await.expect("somebody subscribes");
}
