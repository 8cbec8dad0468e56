//! A JetStream API that continues to work when the client moves to another server. In contrast, the
//! `jetstream::Context` of async-nats uses one connection, and ends with this connection.
//!
//! ```no_run
//! use futures_util::StreamExt as _;
//! use nats_geo::jetstream::consumer::pull;
//! use nats_geo::jetstream::stream;
//!
//! # async fn example(client: nats_geo::GeoClient) -> Result<(), Box<dyn std::error::Error>> {
//! let jetstream = client.jetstream();
//! let orders = stream::Config { name: "ORDERS".into(), subjects: vec!["orders.>".into()], ..Default::default() };
//! let orders = jetstream.get_or_create_stream(orders).await?; // in the home region, also after a failover
//!
//! let ack = jetstream.publish("orders.new", "one lamp".into()).await?;
//! println!("{} of stream {}", ack.sequence, ack.stream);
//!
//! let workers = pull::Config { durable_name: Some("workers".into()), ..Default::default() };
//! let mut messages = orders.create_consumer(workers).await?.messages().await?;
//! while let Some(message) = messages.next().await {
//!     let message = message?;
//!     println!("{:?}", message.payload);
//!     message.ack().await?; // over the live link, even if the message arrived over another link
//! }
//! # Ok(())
//! # }
//! ```
//!
//! * [`Context::publish`] resends a message until a stream has acknowledged it. The stream stores the message once.
//! * [`Consumer::messages`] reads a pull consumer. The application acknowledges each message. [`Stream::ordered`] reads a
//!   whole stream, in order, each message once. Both readers wait while the client cannot reach the stream. Both readers
//!   end with an error when the stream or the consumer no longer exists.
//! * [`kv`] and [`object`] are key-value and object stores.
//! * A [`VirtualStream`] is one stream for all regions. Each region writes and reads its own part, even while it is cut
//!   off from the other regions.
//! * [`Context::with_domain`] reaches the JetStream of another domain. For example, a client at a leaf node can use the
//!   JetStream of the hub.
//! * The nearest replica or mirror of a stream answers [`Stream::get`] and key-value reads. [`Stream::nearest`] returns
//!   the nearest mirror, or the stream itself.
//!
//! For configuration and state, this module uses the types of async-nats: [`consumer`], [`stream`].
//!
//! # Not wrapped
//! This module does not wrap these features of async-nats:
//!
//! * Push consumers, and the ordered consumers of async-nats: use [`Stream::create_consumer`] and [`Stream::ordered`].
//! * `fetch`, `batch` and `sequence` of a consumer: take as many messages as you want from [`Consumer::messages`];
//!   [`PullOptions::max_messages`] limits how many messages wait in the client.
//! * `create_consumer_strict`. Instead of `update_consumer`, use [`Stream::create_consumer`], which changes a consumer
//!   of the same name.
//! * Pause, resume, reset and unpin of consumers; reading by priority group.
//! * Publishing without waiting for each acknowledgement (`send_publish`, `wait_for_acks`): publish from several tasks.
//! * Lists of streams and of consumers, the stream of a subject, account information, subjects of a stream.
//! * Deletion of single messages; purges up to a sequence; purges that keep some messages. [`Stream::purge`] removes all
//!   messages of one subject.
//! * Reads of the first or next message of a subject. [`Stream::get`] reads a message by its sequence, and
//!   [`Stream::last`] reads the last message of a subject.
//! * Buckets: changes of the configuration and `status`; time to live of one key; `delete` and `purge` that expect a
//!   revision; watches from a revision. [`kv::Store::stream`] returns the stream, which has the state.
//! * Object stores: writing links, changing metadata, watching and sealing a store. Reads follow links.
//!
//! For these features, call `async_nats::jetstream::new(connection)` with the live connection that [`GeoClient::nats`]
//! returns. This connection never moves, so call `nats` again after each move.

use std::sync::Arc;

use super::{GeoClient, publish as core_publish};

mod options;
pub use options::PublishOptions;

mod ack;
pub use ack::{Ack, Refused};

mod error;
pub use error::{LastTry, PublishError};

mod message_id;
use message_id::MessageIds;

mod publish;

mod question;

mod api;
pub use api::ApiError;
pub(crate) use api::check_name;

mod domain;
use domain::ApiPrefix;

mod streams;
pub use streams::{Alternate, Stream, StreamInfo};

mod message;
pub use message::{AckError, Delivery, Message};

mod consumers;
pub use consumers::{
    Consumer, Messages, MessagesError, Ordered, OrderedError, OrderedOptions, PullOptions, PullRefusal,
};

pub mod kv;

pub mod object;

pub mod virtual_stream;
pub use virtual_stream::VirtualStream;

pub use async_nats::datetime::DateTime;

/// Configuration and state of consumers: the types of async-nats that this client takes and returns.
pub mod consumer {
    pub use async_nats::jetstream::consumer::{
        AckPolicy, Config, DeliverPolicy, Info, PriorityGroupState, PriorityPolicy, ReplayPolicy,
        SequenceInfo,
    };

    /// Configuration of pull consumers.
    pub mod pull {
        pub use async_nats::jetstream::consumer::pull::Config;
    }
}

/// Configuration and state of streams: the types of async-nats that this client takes and returns.
pub mod stream {
    pub use async_nats::jetstream::message::StreamMessage;
    pub use async_nats::jetstream::stream::{
        ClusterInfo, Compression, Config, ConsumerLimits, DiscardPolicy, External, Info, PeerInfo,
        PersistenceMode, Placement, Republish, RetentionPolicy, Source, SourceInfo, State, StorageType,
        StreamConsumerSource, SubjectTransform,
    };
}

/// Handle for JetStream, which publishes to streams, reads streams, and manages them. [`GeoClient::jetstream`] creates
/// it. Clones are cheap, and each clone keeps the client alive.
#[derive(Clone, Debug)]
pub struct Context {
    client: GeoClient,
    options: PublishOptions,
    ids: Arc<MessageIds>,
    api: ApiPrefix,
}

impl GeoClient {
    /// Returns a handle for JetStream over this client, with the default [`PublishOptions`].
    pub fn jetstream(&self) -> Context {
        self.jetstream_with(PublishOptions::new())
    }

    /// Returns a handle for JetStream over this client, with other limits.
    ///
    /// ```no_run
    /// # fn example(client: nats_geo::GeoClient) {
    /// use std::time::Duration;
    /// use nats_geo::jetstream::PublishOptions;
    ///
    /// // A publish with this handle takes at most two seconds.
    /// let jetstream = client.jetstream_with(PublishOptions::new().total_timeout(Duration::from_secs(2)));
    /// # }
    /// ```
    pub fn jetstream_with(&self, options: PublishOptions) -> Context {
        Context { client: self.clone(), options, ids: Arc::new(MessageIds::new()), api: ApiPrefix::default() }
    }
}

impl Context {
    pub(crate) const fn client(&self) -> &GeoClient {
        &self.client
    }

    /// A name that nobody else gives to anything.
    pub(crate) fn fresh_name(&self) -> String {
        self.ids.next().replace('.', "-")
    }

    /// A subject that nobody else uses, where the user wants inboxes to be.
    pub(crate) async fn inbox(&self) -> Result<String, ApiError> {
        let hub = self.client.hub();
        let failed =
            |why| ApiError::NotSent(core_publish::PublishError::new(why, 0, hub.limits.publish_wait));
        Ok(hub.live().await.map_err(failed)?.client().new_inbox())
    }
}
