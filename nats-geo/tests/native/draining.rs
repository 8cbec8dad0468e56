//! Tests that drains wait for answers, handlers and acknowledgements.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use nats_geo::jetstream::stream;
use nats_geo::{FlushError, GeoClient, PublishError, RequestError, Subscription};
use tokio::task::JoinHandle;

use crate::basics::{client, options};
use crate::support::{Relay, Server, stopwatch, wait_for, within};

/// Answers each request in a task of its own, after this long.
fn answer_later(mut questions: Subscription, pause: Duration) -> JoinHandle<Subscription> {
    tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                let _ = question.respond(question.payload.clone()).await;
            });
        }
        questions
    })
}

fn ask(client: &GeoClient, count: usize) -> Vec<JoinHandle<Result<async_nats::Message, RequestError>>> {
    let asking = (0..count).map(|number| {
        let client = client.clone();
        tokio::spawn(async move { client.request("slow", number.to_string().into()).await })
    });
    asking.collect()
}

#[tokio::test]
async fn requests_that_wait_for_their_answers_get_them() {
    let server = Server::start().await;
    let (leaving, service) = (client(&server.url()).await, client(&server.url()).await);
    let questions = service.subscribe("slow").await.unwrap();
    service.flush().await.unwrap();
    answer_later(questions, Duration::from_millis(500));
    let asking = ask(&leaving, 100);
    wait_for("all requests to come in", async || (service.stats().delivered == 100).then_some(())).await;
    within("draining", leaving.drain()).await.unwrap();
    for answer in join_all(asking).await {
        answer.unwrap().unwrap();
    }
    let late = leaving.request("slow", "late".into()).await.unwrap_err();
    assert_eq!(late, RequestError::NotSent(PublishError::Closed));
}

#[tokio::test]
async fn requests_that_have_come_in_are_answered() {
    let server = Server::start().await;
    let (asker, leaving) = (client(&server.url()).await, client(&server.url()).await);
    let questions = leaving.queue_subscribe("slow", "q").await.unwrap();
    leaving.flush().await.unwrap();
    answer_later(questions, Duration::from_millis(300));
    let asking = ask(&asker, 50);
    wait_for("all requests to come in", async || (leaving.stats().delivered == 50).then_some(())).await;
    within("draining", leaving.drain()).await.unwrap();
    for answer in join_all(asking).await {
        answer.unwrap().unwrap();
    }
}

#[tokio::test]
async fn requests_that_nobody_has_read_yet_are_answered() {
    let server = Server::start().await;
    let (asker, leaving) = (client(&server.url()).await, client(&server.url()).await);
    let mut questions = leaving.queue_subscribe("slow", "q").await.unwrap();
    leaving.flush().await.unwrap();
    let asking = ask(&asker, 20);
    let first = within("the first question", questions.next()).await.unwrap();
    let draining = tokio::spawn({
        let leaving = leaving.clone();
        async move { leaving.drain().await }
    });
    first.respond("x".into()).await.unwrap();
    drop(first);
    while let Some(question) = within("a question", questions.next()).await {
        question.respond("x".into()).await.unwrap();
    }
    within("draining", draining).await.unwrap().unwrap();
    let answers: Vec<_> = join_all(asking).await.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| !matches!(answer, Err(RequestError::LinkLost))), "{answers:?}");
    assert!(answers.iter().filter(|answer| answer.is_ok()).count() > 0);
}

#[tokio::test]
async fn publishes_to_streams_get_their_acknowledgements() {
    let dir = tempfile::TempDir::new().unwrap();
    let server = Server::with(&format!("jetstream {{ store_dir: {:?} }}", dir.path())).await;
    let relay = Relay::far_from(server.port, Duration::from_millis(200)).await;
    let leaving = client(&relay.url()).await;
    let config = stream::Config { name: "S".into(), subjects: vec!["s".into()], ..Default::default() };
    leaving.jetstream().create_stream(config).await.unwrap();
    let publishing: Vec<_> = (0..20)
        .map(|_| {
            let jetstream = leaving.jetstream();
            tokio::spawn(async move { jetstream.publish("s", "x".into()).await })
        })
        .collect();
    tokio::task::yield_now().await;
    within("draining", leaving.drain()).await.unwrap();
    for acknowledged in join_all(publishing).await {
        acknowledged.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_drained_subscription_waits_for_its_handlers() {
    let server = Server::start().await;
    let (asker, service) = (client(&server.url()).await, client(&server.url()).await);
    let mut questions = service.subscribe("slow").await.unwrap();
    service.flush().await.unwrap();
    let asking = ask(&asker, 1);
    let question = within("the question", questions.next()).await.unwrap();
    let handler = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        question.respond("x".into()).await
    });
    within("draining", questions.drain()).await;
    assert!(handler.is_finished() || asking[0].is_finished(), "the answer was sent");
    for answer in join_all(asking).await {
        answer.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_drain_that_takes_too_long_closes_and_says_so() {
    let server = Server::start().await;
    let service = client(&server.url()).await;
    let mut questions = service.subscribe("never").await.unwrap();
    service.flush().await.unwrap();
    let options = options().drain_timeout(Duration::from_millis(200));
    let leaving = within("connecting", options.connect(server.url())).await.unwrap();
    let asking = tokio::spawn({
        let leaving = leaving.clone();
        async move { leaving.request("never", "".into()).await }
    });
    let _question = within("the question", questions.next()).await.unwrap();
    let began = stopwatch();
    assert_eq!(within("draining", leaving.drain()).await, Err(FlushError::Unfinished));
    assert!(began() < Duration::from_secs(5), "{:?}", began());
    assert_eq!(asking.await.unwrap().unwrap_err(), RequestError::LinkLost);
}
