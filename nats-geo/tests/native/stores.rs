//! Tests of key-value and object stores, with one server.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use futures_util::StreamExt as _;
use nats_geo::GeoClient;
use nats_geo::jetstream::ApiError;
use nats_geo::jetstream::kv::{self, Entry, Include, Operation, ReadError, Watch, WatchOptions, WriteError};
use nats_geo::jetstream::object::{
    self, GetError, ObjectLink, ObjectMetadata, ObjectOptions, ObjectReadError,
};
use nats_geo::jetstream::stream::{self, Source};
use tempfile::TempDir;

use crate::basics::client;
use crate::jetstream::{server, unanswered};
use crate::support::{Server, wait_for, within};

async fn lamps() -> (Server, TempDir, GeoClient, kv::Store) {
    let (server, dir) = server().await;
    let client = client(&server.url()).await;
    let config = kv::Config { bucket: "lamps".into(), history: 3, ..Default::default() };
    let lamps = within("the bucket", client.jetstream().create_key_value(config)).await.unwrap();
    (server, dir, client, lamps)
}

async fn put(lamps: &kv::Store, key: &str, value: &'static str) -> u64 {
    within("a put", lamps.put(key, value.into())).await.unwrap()
}

async fn get(lamps: &kv::Store, key: &str) -> Option<String> {
    let value = within("a get", lamps.get(key)).await.unwrap();
    value.map(|value| String::from_utf8(value.to_vec()).unwrap())
}

#[tokio::test]
async fn keys_have_the_values_that_were_given_to_them() {
    let (_server, _dir, client, lamps) = lamps().await;
    assert_eq!(get(&lamps, "hall").await, None);
    let first = put(&lamps, "hall", "red").await;
    assert_eq!(get(&lamps, "hall").await.as_deref(), Some("red"));
    let taken = within("an answer", lamps.create("hall", "blue".into())).await.unwrap_err();
    assert!(matches!(&taken, WriteError::WrongRevision { key, .. } if key == "hall"), "{taken}");
    let second = within("an update", lamps.update("hall", "green".into(), first)).await.unwrap();
    let stale = within("an answer", lamps.update("hall", "grey".into(), first)).await.unwrap_err();
    assert!(matches!(stale, WriteError::WrongRevision { .. }), "{stale}");
    let entry = within("an entry", lamps.entry("hall")).await.unwrap().unwrap();
    assert_eq!((entry.revision, &entry.value[..], entry.operation), (second, &b"green"[..], Operation::Put));
    let old = within("an entry", lamps.entry_at("hall", first)).await.unwrap().unwrap();
    assert_eq!(&old.value[..], b"red");
    put(&lamps, "stairs", "white").await;
    assert_eq!(within("an entry", lamps.entry_at("stairs", first)).await.unwrap(), None, "of another key");
    assert_eq!(within("an entry", lamps.entry_at("hall", 0)).await.unwrap(), None, "there is none");

    within("deleting", lamps.delete("hall")).await.unwrap();
    assert_eq!(get(&lamps, "hall").await, None);
    assert_eq!(within("keys", lamps.keys()).await.unwrap(), ["stairs"]);
    within("creating again", lamps.create("hall", "blue".into())).await.unwrap();
    let history = within("the history", lamps.history("hall")).await.unwrap();
    let history: Vec<_> = history.iter().map(|entry| (&entry.value[..], entry.operation)).collect();
    let expected: [(&[u8], _); 3] =
        [(b"green", Operation::Put), (b"", Operation::Delete), (b"blue", Operation::Put)];
    assert_eq!(history, expected, "three are kept");
    within("purging", lamps.purge("hall")).await.unwrap();
    assert_eq!(within("the history", lamps.history("hall")).await.unwrap().len(), 1);

    let bad = ReadError::BadKey { key: "a b".into() };
    assert_eq!(within("an answer", lamps.get("a b")).await.unwrap_err(), bad);
    let missing = within("an answer", client.jetstream().key_value("none")).await.unwrap_err();
    assert!(missing.is_not_found(), "{missing}");
}

#[tokio::test]
async fn a_conditional_write_whose_acknowledgement_was_lost_has_succeeded() {
    let (server, _dir, _client, lamps) = lamps().await;
    let (unanswered, relay) = unanswered(&server).await;
    relay.silence(false);
    let same = within("the bucket", unanswered.jetstream().key_value("lamps")).await.unwrap();
    relay.silence_server();
    let creating = tokio::spawn(async move { same.create("hall", "red".into()).await });
    let stored = wait_for("the value", async || lamps.entry("hall").await.unwrap()).await;
    relay.cut();
    relay.silence(false);
    let created = within("the acknowledgement", creating).await.unwrap().unwrap();
    assert_eq!(created, stored.revision);
    assert_eq!(within("the history", lamps.history("hall")).await.unwrap().len(), 1);
}

async fn next(watch: &mut Watch) -> Entry {
    within("an entry", watch.next()).await.expect("the watch ended").unwrap()
}

#[tokio::test]
async fn a_watch_begins_with_what_exists_and_says_when_that_is_all() {
    let (_server, _dir, client, lamps) = lamps().await;
    let mut all = within("a watch", lamps.watch_with(WatchOptions::new())).await.unwrap();
    assert!(all.is_current(), "nothing exists");
    for (key, value) in
        [("hall.left", "red"), ("hall.left", "green"), ("hall.right", "blue"), ("attic", "grey")]
    {
        put(&lamps, key, value).await;
        assert_eq!(next(&mut all).await.value, value);
    }
    within("deleting", lamps.delete("attic")).await.unwrap();
    assert_eq!(next(&mut all).await.operation, Operation::Delete);

    let mut hall = within("a watch", lamps.watch("hall.*")).await.unwrap();
    assert!(!hall.is_current());
    let entry = next(&mut hall).await;
    assert_eq!((entry.key.as_str(), entry.delta, entry.seen_current), ("hall.left", 1, false));
    assert_eq!(entry.value, "green");
    let entry = next(&mut hall).await;
    assert_eq!((entry.key.as_str(), entry.delta, entry.seen_current), ("hall.right", 0, true));
    assert!(hall.is_current());
    put(&lamps, "attic", "black").await;
    put(&lamps, "hall.right", "white").await;
    assert_eq!(next(&mut hall).await.value, "white");

    within("deleting", lamps.delete("hall.left")).await.unwrap();
    // The last entry is left out, and it is said all the same that all have come.
    let options = WatchOptions::new().ignore_deletes();
    let mut living = within("a watch", lamps.watch_with(options)).await.unwrap();
    let existing = within("what exists", living.existing()).await.unwrap();
    assert_eq!(existing.iter().map(|entry| &*entry.key).collect::<Vec<_>>(), ["attic", "hall.right"]);
    let options = WatchOptions::new().include(Include::Updates);
    let mut updates = within("a watch", lamps.watch_with(options)).await.unwrap();
    assert!(updates.is_current());
    put(&lamps, "attic", "red").await;
    assert_eq!(next(&mut updates).await.value, "red");

    within("deleting", client.jetstream().delete_key_value("lamps")).await.unwrap();
    let error = within("the end", updates.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, ReadError::Ended(_)), "{error}");
}

pub(crate) async fn films() -> (Server, TempDir, GeoClient, object::Store) {
    let (server, dir) = server().await;
    let client = client(&server.url()).await;
    let config = object::Config { bucket: "films".into(), ..Default::default() };
    let films = within("the store", client.jetstream().create_object_store(config)).await.unwrap();
    (server, dir, client, films)
}

/// Bytes that tell where they are.
pub(crate) fn film(bytes: u32) -> Vec<u8> {
    (0..bytes.div_ceil(4)).flat_map(u32::to_be_bytes).take(bytes as usize).collect()
}

/// Small parts, so that there are many.
pub(crate) fn named(name: &str) -> ObjectMetadata {
    ObjectMetadata { name: name.into(), chunk_size: Some(1000), ..ObjectMetadata::default() }
}

pub(crate) async fn write(films: &object::Store, name: &str, bytes: &[u8]) -> object::ObjectInfo {
    within("writing", films.put(named(name), &mut &*bytes)).await.unwrap()
}

pub(crate) async fn read(films: &object::Store, name: &str) -> Vec<u8> {
    let object = within("the object", films.get(name)).await.unwrap();
    within("its bytes", object.read_all()).await.unwrap().to_vec()
}

#[tokio::test]
async fn objects_have_the_bytes_that_were_written() {
    let (_server, _dir, client, films) = films().await;
    let bytes = film(500_123);
    let info = write(&films, "a film", &bytes).await;
    assert_eq!((info.size, info.chunks), (500_123, 501));
    write(&films, "empty", b"").await;
    assert!(read(&films, "a film").await == bytes && read(&films, "empty").await.is_empty());

    for range in [0..1, 0..1000, 999..1001, 1000..2000, 123_456..234_567, 500_000..500_123, 7..7, 0..500_123]
    {
        let part = within("a part", films.get_range("a film", range.clone())).await.unwrap();
        let part = within("its bytes", part.read_all()).await.unwrap();
        assert!(part == bytes[range.start as usize..range.end as usize], "{range:?}");
    }
    let range = 500_000..500_124;
    let error = within("an answer", films.get_range("a film", range.clone())).await.unwrap_err();
    assert_eq!(error, GetError::OutOfRange { name: "a film".into(), range, size: 500_123 });

    // async-nats reads what nats-geo writes, and the other way round, in parts of any length.
    let jetstream = async_nats::jetstream::new(client.nats().unwrap());
    let other = jetstream.get_object_store("films").await.unwrap();
    let mut theirs = Vec::new();
    let mut object = within("the object", other.get("a film")).await.unwrap();
    within("its bytes", tokio::io::AsyncReadExt::read_to_end(&mut object, &mut theirs)).await.unwrap();
    assert!(theirs == bytes);
    let (mut sink, mut source) = tokio::io::duplex(777);
    let writing = tokio::spawn(async move {
        tokio::io::AsyncWriteExt::write_all(&mut sink, &film(10_000)).await.unwrap();
    });
    let info = within("their put", other.put("theirs", &mut source)).await.unwrap();
    writing.await.unwrap();
    assert!(info.chunks > 1, "irregular parts");
    assert!(read(&films, "theirs").await == film(10_000));
    let part = within("a part", films.get_range("theirs", 5000..6000)).await.unwrap();
    assert!(within("its bytes", part.read_all()).await.unwrap() == film(10_000)[5000..6000]);

    // Again: the old bytes go, and others are between the new ones and their description.
    write(&films, "a film", &bytes[..2500]).await;
    let names = within("the list", films.list()).await.unwrap();
    assert_eq!(names.iter().map(|info| &*info.name).collect::<Vec<_>>(), ["empty", "theirs", "a film"]);
    assert!(read(&films, "a film").await == bytes[..2500]);
    within("deleting", films.delete("a film")).await.unwrap();
    let missing = GetError::NotFound { name: "a film".into() };
    assert_eq!(within("an answer", films.get("a film")).await.unwrap_err(), missing);
    assert!(within("the info", films.info("a film")).await.unwrap().is_none());
}

#[tokio::test]
async fn damaged_and_incomplete_objects_are_told_from_whole_ones() {
    let (_server, _dir, client, films) = films().await;
    let bytes = film(5000);
    let info = write(&films, "film", &bytes).await;
    let describe = async |info: &object::ObjectInfo| {
        let subject = format!("$O.films.M.{}", URL_SAFE.encode(&info.name));
        let text = serde_json::to_vec(info).unwrap();
        within("a description", client.jetstream().publish(subject, text.into())).await.unwrap();
    };
    let link = ObjectLink { name: Some("film".into()), bucket: "films".into() };
    let options = Some(ObjectOptions { link: Some(link), max_chunk_size: None });
    describe(&object::ObjectInfo { name: "link".into(), options, ..info.clone() }).await;
    assert!(read(&films, "link").await == bytes);
    // Written in between: the parts are not where they are looked for first.
    write(&films, "other", &bytes).await;
    describe(&info).await;
    let part = within("a part", films.get_range("film", 2500..3500)).await.unwrap();
    assert!(within("its bytes", part.read_all()).await.unwrap() == bytes[2500..3500]);

    let digest = Some(format!("SHA-256={}", URL_SAFE.encode("another")));
    describe(&object::ObjectInfo { digest, ..info.clone() }).await;
    let object = within("the object", films.get("film")).await.unwrap();
    let error = within("its end", object.read_all()).await.unwrap_err();
    assert_eq!(error, ObjectReadError::WrongDigest { name: "film".into() });

    within("purging", films.stream().purge(&format!("$O.films.C.{}", info.nuid))).await.unwrap();
    let object = within("the object", films.get("film")).await.unwrap();
    let error = within("its end", object.read_all()).await.unwrap_err();
    assert_eq!(error, ObjectReadError::Incomplete { name: "film".into(), chunk: 0, chunks: 5 });
}

#[tokio::test]
async fn what_is_written_through_a_mirror_is_compared_with_the_origin() {
    let (server, _dir, client, _lamps) = lamps().await;
    // It holds nothing of what is written now: a mirror may be behind.
    let mirror = Source { name: "KV_lamps".into(), start_sequence: Some(1_000_000), ..Source::default() };
    let config = stream::Config {
        name: "KV_behind".into(),
        mirror: Some(mirror),
        allow_direct: true,
        ..stream::Config::default()
    };
    within("the mirror", client.jetstream().create_stream(config)).await.unwrap();
    let behind = within("the bucket", client.jetstream().key_value("behind")).await.unwrap();
    put(&behind, "hall", "red").await;
    within("deleting", behind.delete("hall")).await.unwrap();
    assert_eq!(within("creating", behind.create("hall", "blue".into())).await.unwrap(), 3);

    let (unanswered, relay) = unanswered(&server).await;
    relay.silence(false);
    let same = within("the bucket", unanswered.jetstream().key_value("behind")).await.unwrap();
    relay.silence_server();
    let updating = tokio::spawn(async move { same.update("hall", "green".into(), 3).await });
    let origin = within("the bucket", client.jetstream().key_value("lamps")).await.unwrap();
    wait_for("the value", async || origin.entry_at("hall", 4).await.unwrap()).await;
    relay.cut();
    relay.silence(false);
    assert_eq!(within("the acknowledgement", updating).await.unwrap().unwrap(), 4);
}

#[tokio::test]
async fn what_exists_ends_where_it_ended_when_the_watch_began() {
    let (_server, _dir, _client, lamps) = lamps().await;
    for key in ["hall", "attic", "stairs"] {
        put(&lamps, key, "red").await;
    }
    let mut all = within("a watch", lamps.watch_with(WatchOptions::new())).await.unwrap();
    for number in 0..50 {
        put(&lamps, &format!("late.{number}"), "blue").await;
    }
    let existing = within("what exists", all.existing()).await.unwrap();
    assert_eq!(existing.len(), 3, "{existing:?}");
    assert_eq!(next(&mut all).await.key, "late.0", "what follows is new");

    // Removed, with nothing said of it, before any of it has come.
    let mut none = within("a watch", lamps.watch("hall")).await.unwrap();
    within("purging", lamps.stream().purge("$KV.lamps.hall")).await.unwrap();
    assert_eq!(within("what exists", none.existing()).await.unwrap(), []);
    assert!(none.is_current());
}

#[tokio::test]
async fn buckets_are_called_what_other_clients_can_ask_for() {
    let (_server, _dir, client, _lamps) = lamps().await;
    for bucket in ["", "a.b", "a b", "é", "a=b", "a$b"] {
        let bad = |error: ApiError| assert_eq!(error, bad_name(bucket));
        let config = kv::Config { bucket: bucket.into(), ..Default::default() };
        bad(within("an answer", client.jetstream().create_key_value(config)).await.unwrap_err());
        bad(within("an answer", client.jetstream().key_value(bucket)).await.unwrap_err());
        let config = object::Config { bucket: bucket.into(), ..Default::default() };
        bad(within("an answer", client.jetstream().create_object_store(config)).await.unwrap_err());
    }
}

#[tokio::test]
async fn a_bucket_keeps_no_longer_history_than_other_clients_know() {
    let (_server, _dir, client, _lamps) = lamps().await;
    let create = async |history| {
        let config = kv::Config { bucket: format!("kept-{history}"), history, ..Default::default() };
        within("an answer", client.jetstream().create_key_value(config)).await.map(drop)
    };
    assert_eq!(create(64).await, Ok(()));
    let bucket = "kept-65".to_owned();
    assert_eq!(create(65).await, Err(ApiError::HistoryTooLong { bucket, history: 65, limit: 64 }));
}

fn bad_name(bucket: &str) -> ApiError {
    ApiError::BadBucket { name: bucket.into() }
}

#[tokio::test]
async fn a_bucket_of_other_buckets_has_their_keys() {
    let (_server, _dir, client, lamps) = lamps().await;
    put(&lamps, "hall", "red").await;
    let lamps = Source { name: "lamps".into(), ..Source::default() };
    let config = kv::Config { bucket: "all".into(), sources: Some(vec![lamps]), ..Default::default() };
    let all = within("the bucket", client.jetstream().create_key_value(config)).await.unwrap();
    wait_for("a key of another bucket", async || get(&all, "hall").await).await;
    put(&all, "attic", "blue").await;
    assert_eq!(get(&all, "attic").await.as_deref(), Some("blue"));
}
