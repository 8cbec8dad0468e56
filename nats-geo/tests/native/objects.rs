//! Tests of objects whose write fails, or that another client has written with wrong data.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use nats_geo::jetstream::object::{self, GetError, ObjectLink, ObjectOptions, PutError};
use nats_geo::jetstream::{PublishError, PublishOptions};
use tempfile::TempDir;
use tokio::io::{AsyncRead, ReadBuf};

use crate::basics::client;
use crate::jetstream::unanswered;
use crate::stores::{film, films, named, read, write};
use crate::support::{Relay, Server, within};

/// Bytes whose end makes a server fall silent.
struct LastWords<'a> {
    bytes: &'a [u8],
    relay: &'a Relay,
}

impl AsyncRead for LastWords<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.bytes.is_empty() {
            self.relay.silence_server();
        }
        Pin::new(&mut self.bytes).poll_read(cx, buffer)
    }
}

#[tokio::test]
async fn an_object_that_may_have_been_written_keeps_its_bytes() {
    let (server, _dir, _client, films) = films().await;
    let (unanswered, relay) = unanswered(&server).await;
    relay.silence(false);
    let hasty = PublishOptions::new().try_timeout(Duration::from_secs(1)).tries_max(1);
    let hasty = unanswered.jetstream_with(hasty);
    let same = within("the store", hasty.object_store("films")).await.unwrap();
    let bytes = film(1000);
    let mut source = LastWords { bytes: &bytes, relay: &relay };
    let error = within("giving up", same.put(named("film"), &mut source)).await.unwrap_err();
    let PutError::Publish { chunk: 1, error: PublishError::GaveUp { unconfirmed: true, .. }, .. } = &error
    else {
        panic!("{error:?}")
    };
    assert!(read(&films, "film").await == bytes, "it is there, and whole");
}

#[tokio::test]
async fn only_bytes_of_the_object_are_removed_with_it() {
    let (_server, _dir, client, films) = films().await;
    let info = write(&films, "film", &film(5000)).await;
    for nuid in [">", "*", ""] {
        let odd = object::ObjectInfo { name: "odd".into(), nuid: nuid.into(), ..info.clone() };
        let subject = format!("$O.films.M.{}", URL_SAFE.encode("odd"));
        let text = serde_json::to_vec(&odd).unwrap();
        within("a description", client.jetstream().publish(subject, text.into())).await.unwrap();
        within("deleting", films.delete("odd")).await.unwrap();
        assert!(read(&films, "film").await == film(5000), "`{nuid}`");
    }
}

#[tokio::test]
async fn whoever_writes_an_object_asks_who_knows_the_last_one() {
    let dir = TempDir::new().unwrap();
    let config = format!(
        "jetstream {{ store_dir: \"{}\" }}\nauthorization {{ users: [{{ user: a, password: b, permissions: {{ publish: \
         {{ deny: \"$JS.API.DIRECT.GET.>\" }} }} }}] }}",
        dir.path().display()
    );
    let server = Server::with(&config).await;
    let client = client(&format!("nats://a:b@127.0.0.1:{}", server.port)).await;
    // Copies of a stream may be behind its leader: here, as far as can be.
    let hasty = client.jetstream_with(PublishOptions::new().try_timeout(Duration::from_secs(1)).tries_max(1));
    let config = object::Config { bucket: "films".into(), ..Default::default() };
    let films = within("the store", hasty.create_object_store(config)).await.unwrap();
    write(&films, "film", &film(1000)).await;
    write(&films, "film", &film(2000)).await;
    let mut stream = films.stream().clone();
    let messages = within("the stream", stream.info()).await.unwrap().info.state.messages;
    assert_eq!(messages, 3, "two parts and the description; the first one's part is gone");
    within("deleting", films.delete("film")).await.unwrap();
}

#[tokio::test]
async fn parts_of_no_size_are_parts_of_the_usual_one() {
    let (_server, _dir, _client, films) = films().await;
    let unsized_parts = object::ObjectMetadata { chunk_size: Some(0), ..named("film") };
    // Not more than the server of these tests takes at once.
    let info = within("writing", films.put(unsized_parts, &mut film(30_000).as_slice())).await.unwrap();
    assert_eq!((info.chunks, info.options.and_then(|options| options.max_chunk_size)), (1, Some(128 << 10)));
}

#[tokio::test]
async fn a_link_leads_to_an_object_and_not_to_another_link() {
    let (_server, _dir, client, films) = films().await;
    let info = write(&films, "film", &film(1000)).await;
    for (name, target) in [("one", "two"), ("two", "one")] {
        let link = ObjectLink { name: Some(target.into()), bucket: "films".into() };
        let options = Some(ObjectOptions { link: Some(link), max_chunk_size: None });
        let text = object::ObjectInfo { name: name.into(), options, ..info.clone() };
        let subject = format!("$O.films.M.{}", URL_SAFE.encode(name));
        let text = serde_json::to_vec(&text).unwrap();
        within("a description", client.jetstream().publish(subject, text.into())).await.unwrap();
    }
    let error = within("an answer", films.get("one")).await.unwrap_err();
    assert_eq!(error, GetError::NotFound { name: "two".into() });
}
