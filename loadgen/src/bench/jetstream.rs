//! The work of one client with a stream or a bucket.

use async_nats::jetstream::consumer::pull::MessagesErrorKind;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{self, Context, kv};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt};

use super::opts::{BenchCommand, JetStreamOpts, StorageOpt};
use super::work::payload;
use super::{BenchError, Share};
use crate::clock;
use crate::look::connect::Connection;

/// Creates the stream or the bucket, if it is missing.
pub(super) async fn prepare(command: &BenchCommand, connection: &Connection) -> Result<(), BenchError> {
    match command {
        BenchCommand::JsPub(opts) | BenchCommand::JsConsume(opts) => {
            let config = Config {
                name: opts.name.clone(),
                subjects: vec![opts.bench.subject.clone()],
                storage: storage(opts),
                num_replicas: opts.replicas.into(),
                ..Config::default()
            };
            let created = context(connection).get_or_create_stream(config).await;
            created.map(drop).map_err(|error| BenchError::of("the creation of the stream", error))
        }
        BenchCommand::KvPut(opts) | BenchCommand::KvGet(opts) => bucket(connection, opts).await.map(drop),
        _ => Ok(()),
    }
}

fn context(connection: &Connection) -> Context {
    let client = connection.client.clone();
    match (&connection.js_api_prefix, &connection.js_domain) {
        (Some(prefix), _) => jetstream::with_prefix(client, prefix),
        (None, Some(domain)) => jetstream::with_domain(client, domain),
        (None, None) => jetstream::new(client),
    }
}

fn storage(opts: &JetStreamOpts) -> StorageType {
    match opts.storage {
        StorageOpt::Memory => StorageType::Memory,
        StorageOpt::File => StorageType::File,
    }
}

async fn bucket(connection: &Connection, opts: &JetStreamOpts) -> Result<kv::Store, BenchError> {
    let context = context(connection);
    if let Ok(bucket) = context.get_key_value(&opts.name).await {
        return Ok(bucket);
    }
    let config = kv::Config {
        bucket: opts.name.clone(),
        storage: storage(opts),
        num_replicas: opts.replicas.into(),
        ..kv::Config::default()
    };
    let created = context.create_key_value(config).await;
    created.map_err(|error| BenchError::of("the creation of the bucket", error))
}

/// Keeps up to `--batch` acknowledgements on their way.
pub(super) async fn publish(
    connection: &Connection,
    opts: &JetStreamOpts,
    messages: u64,
) -> Result<Share, BenchError> {
    let context = context(connection);
    let (subject, payload) = (opts.bench.subject.clone(), payload(&opts.bench));
    let mut share = Share::timed();
    let mut on_their_way = FuturesUnordered::new();
    for _ in 0..messages {
        if on_their_way.len() >= usize::from(opts.batch) {
            let acknowledged: Option<Result<_, BenchError>> = on_their_way.next().await;
            share.done(acknowledged.transpose()?.unwrap_or(share.began));
        }
        let began = clock::now();
        let sent = context.publish(subject.clone(), payload.clone()).await;
        let sent = sent.map_err(|error| BenchError::of("publish", error))?;
        on_their_way.push(async move {
            sent.await.map(|_| began).map_err(|error| BenchError::of("the acknowledgement", error))
        });
    }
    while let Some(began) = on_their_way.try_next().await? {
        share.done(began);
    }
    Ok(share.end())
}

/// All clients consume the same durable consumer.
pub(super) async fn consume(
    connection: &Connection,
    opts: &JetStreamOpts,
    messages: u64,
) -> Result<Share, BenchError> {
    let failed = |error: String| BenchError::of("consume", error);
    let stream =
        context(connection).get_stream(&opts.name).await.map_err(|error| failed(error.to_string()))?;
    let config = pull::Config {
        durable_name: Some("loadgen-bench".to_owned()),
        ack_policy: AckPolicy::Explicit,
        max_ack_pending: i64::from(opts.batch) * 2 * i64::from(opts.bench.clients),
        ..pull::Config::default()
    };
    let consumer = stream.get_or_create_consumer("loadgen-bench", config).await;
    let consumer = consumer.map_err(|error| failed(error.to_string()))?;
    let stream = consumer.stream().max_messages_per_batch(opts.batch.into()).messages().await;
    let mut deliveries = stream.map_err(|error| failed(error.to_string()))?;
    let mut share = Share::new();
    while share.messages < messages {
        let Some(delivery) = deliveries.next().await else {
            return Err(failed("the consumer ended".to_owned()));
        };
        let delivery = match delivery {
            // A new consumer has no leader for a moment.
            Err(error) if error.kind() == MessagesErrorKind::NoResponders && share.messages == 0 => continue,
            delivery => delivery.map_err(|error| failed(error.to_string()))?,
        };
        if share.messages == 0 {
            share.began = clock::now();
        }
        delivery.ack().await.map_err(|error| failed(error.to_string()))?;
        share.messages += 1;
    }
    Ok(share.end())
}

pub(super) async fn put(
    connection: &Connection,
    opts: &JetStreamOpts,
    (number, puts): (u32, u64),
) -> Result<Share, BenchError> {
    let (bucket, value) = (bucket(connection, opts).await?, payload(&opts.bench));
    let mut share = Share::timed();
    for index in 0..puts {
        let began = clock::now();
        let done = bucket.put(key(number, index), value.clone()).await;
        done.map_err(|error| BenchError::of("put", error))?;
        share.done(began);
    }
    Ok(share.end())
}

pub(super) async fn get(
    connection: &Connection,
    opts: &JetStreamOpts,
    (number, gets): (u32, u64),
) -> Result<Share, BenchError> {
    let bucket = bucket(connection, opts).await?;
    let mut share = Share::timed();
    for index in 0..gets {
        let began = clock::now();
        let value = bucket.get(key(number, index)).await.map_err(|error| BenchError::of("get", error))?;
        if value.is_none() {
            let reason =
                format!("the bucket `{}` has no `{}`: run `kv-put` first", opts.name, key(number, index));
            return Err(BenchError::of("get", reason));
        }
        share.done(began);
    }
    Ok(share.end())
}

/// A client uses so many keys in turn.
const KEYS: u64 = 1_000;

fn key(client: u32, index: u64) -> String {
    format!("{client}.{}", index % KEYS)
}
