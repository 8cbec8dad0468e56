//! One stream for all regions. Each region writes and reads its own part of the stream, even while it is cut off from the
//! others.
//!
//! Each region has two streams. Its *write stream* stores the messages that are published in the region. Its *read
//! stream* has the write streams of all regions as sources. So publishing and reading need no other region. The virtual
//! stream is eventually consistent: all read streams get the same messages, but the order of messages from different
//! regions can differ. The servers need no configuration.
//!
//! ```text
//! publish orders.new ─▶ lon: orders-write-lon ─┬─▶ orders-read-lon ─▶ readers, as orders.new
//!                       ams: orders-write-ams ─┤
//!                       dal: orders-write-dal ─┴─▶ orders-read-dal ─▶ readers
//! ```
//!
//! ```no_run
//! # async fn example(client: nats_geo::GeoClient) -> Result<(), Box<dyn std::error::Error>> {
//! use futures_util::StreamExt as _;
//! use nats_geo::jetstream::virtual_stream::{Config, Position};
//!
//! let config = Config::new("orders", ["lon", "ams", "dal"]).replicas(3);
//! let orders = client.jetstream().create_virtual_stream(config).await?;
//! orders.publish("orders.new", "one lamp".into()).await?;
//!
//! let mut messages = orders.ordered(Position::first()).await?;
//! while let Some(message) = messages.next().await {
//!     println!("{:?}, read so far: {:?}", message?.payload, messages.position());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//! * **Publishing**: an acknowledgement means that the client's region has stored the message. Without an
//!   acknowledgement, the client resends the message. After a move, it resends the message to the next region. Then
//!   both regions may store the message. Read streams recognise the message id and keep the message once, if both
//!   duplicates arrive within [`Config::duplicate_window`]. If a region was cut off for longer, read streams get the
//!   message twice.
//! * **No acknowledged message is lost** if no region is down or cut off for longer than [`Config::outage_max`]. Write
//!   streams keep messages for this time, and all read streams get them. If a region is destroyed, messages that no
//!   other region has are lost. Servers try again to reach a region that is cut off. They wait 10 s before the next
//!   try, then 20 s, and so on, but never more than two minutes. So after the return of a region, messages to and from
//!   this region may be late by up to two minutes.
//! * **[Ordered reading](VirtualStream::ordered)** delivers the messages of one region in the order in which they were
//!   published there. Each message arrives once, even if the reader moves through several regions. A [`Position`] has the
//!   last sequence of each region, which is the same in all read streams. The order of messages from different regions
//!   can differ between read streams. A message that was stored in two regions may arrive twice.
//! * **[Durable consumers](VirtualStream::create_consumer)**: each region has a consumer of the same name. Each message
//!   arrives at least once. After a move, JetStream redelivers messages that were not acknowledged before the move. It
//!   also redelivers messages that another reader, or an earlier process, acknowledged in another region. But if
//!   the application has acknowledged a message through the same reader, this reader does not deliver it again.
//! * **Without a meta leader of JetStream**, a region still works. A region that is cut off has no meta leader, because
//!   the election needs more than half of all servers. The clients of such a region publish, and read with existing
//!   consumers. The creation of consumers fails with an error.
//! * **A write stream can be reset**: an operator deletes and creates it again, or it is in memory and its servers
//!   restart. Its sequences then begin at 1. Readers detect the reset, and read the new messages. The client sends
//!   [`NoticeKind::StreamReset`]. To detect a reset, readers send `$JS.API.STREAM.INFO` requests for the write stream, so
//!   permit these requests. Without an answer, a reader assumes a reset if a lower sequence follows a higher one in the
//!   same read stream.

use super::{ApiError, Context, Stream};
#[cfg(doc)]
use crate::core::NoticeKind;
use crate::native::hub::ActiveLink;

mod config;
pub use config::{Config, ConfigError};

mod set_up;
pub use set_up::{CreateError, Failure};

mod publish;
pub use publish::PublishError;

mod position;
pub use position::{Origin, Position};

mod following;

mod restarted;

mod ordered;
pub use ordered::Ordered;

mod acknowledged;

mod durable;
pub use durable::{Consumer, Message, Messages};

/// A virtual stream: one stream for all regions. [`Context::create_virtual_stream`] and [`Context::virtual_stream`]
/// return it; see the [module](self).
#[derive(Clone, Debug)]
pub struct VirtualStream {
    context: Context,
    config: Config,
}

impl Context {
    /// Returns a virtual stream that was [created](Self::create_virtual_stream) before. This call sends no request, so it
    /// also works in a region that is cut off.
    ///
    /// ```no_run
    /// # fn example(client: nats_geo::GeoClient) -> Result<(), nats_geo::jetstream::virtual_stream::ConfigError> {
    /// use nats_geo::jetstream::virtual_stream::Config;
    ///
    /// let orders = client.jetstream().virtual_stream(Config::new("orders", ["lon", "ams", "dal"]))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The configuration is not valid.
    pub fn virtual_stream(&self, config: Config) -> Result<VirtualStream, ConfigError> {
        config.check()?;
        Ok(VirtualStream { context: self.clone(), config })
    }
}

impl VirtualStream {
    /// Returns the configuration of the virtual stream.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the read stream of the region where the client is, for single messages: [`Stream::get`],
    /// [`Stream::last`]. Its sequences are valid in this region only: the same message can have another sequence in
    /// another region.
    ///
    /// # Errors
    /// The read stream does not exist, or no answer arrives in time.
    pub async fn nearest(&self) -> Result<Stream, ApiError> {
        let region = self.region().await;
        self.context.get_stream(self.config.read_name(&region)).await
    }

    /// Returns the region in which a message of a read stream was published, and its sequence there. Returns `None` for
    /// other messages.
    pub fn origin(&self, message: &async_nats::Message) -> Option<Origin> {
        Origin::parse(message.headers.as_ref()?.get(SOURCE)?.as_str(), &self.config)
    }

    /// The region where the client is, waited for within its bound.
    async fn region(&self) -> String {
        let hub = self.context.client().hub();
        match hub.live().await {
            Ok(link) => self.region_at(&ActiveLink::Live(link)),
            Err(_) => None,
        }
        .unwrap_or_else(|| self.fallback())
    }

    /// The region to which traffic goes; `None` while it goes nowhere.
    fn region_at(&self, active: &ActiveLink) -> Option<String> {
        let ActiveLink::Live(link) = active else { return None };
        let cluster = link.client().try_server_info().and_then(|info| info.cluster);
        let known = cluster.filter(|cluster| self.config.regions.contains(cluster));
        Some(known.unwrap_or_else(|| self.fallback()))
    }

    /// Where a client belongs that is in none of the regions.
    fn fallback(&self) -> String {
        let home = self.context.client().hub().home.cluster();
        let home = home.filter(|home| self.config.regions.contains(home));
        home.or_else(|| self.config.regions.first().cloned()).unwrap_or_default()
    }
}

/// In which the server tells the stream and the sequence that a sourced message had.
const SOURCE: &str = "Nats-Stream-Source";
