//! One stream for all regions, each of which writes and reads its own part of it, also while it is cut off.
//!
//! A region has two streams, both placed in it: one takes what is published there, the other sources those of all
//! regions. So publishing and reading need nobody outside the region, and all regions come to hold the same messages,
//! in whatever order they heard of them: the stream is eventually consistent. The servers need no configuration.
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
//! * **Publishing**: an acknowledgement means that the client's region has stored the message. Without one, the client
//!   resends the message, after a move to the next region. Both regions may then store it. Read streams recognise its id,
//!   and hold it once, if both arrive within [`Config::duplicate_window`]. A region that was cut off for longer brings a
//!   second copy with it.
//! * **No acknowledged message is lost**, and every read stream comes to hold it, if no region is cut off, or down, for
//!   longer than [`Config::outage_max`]: for so long write streams keep what others have not heard of. A region that
//!   is destroyed takes along what it alone had. Servers try a region that they could not reach again after 10 s, then
//!   20 s, and so on up to two minutes: for so long after its return others, and itself, may not have what it has.
//! * **[Ordered reading](VirtualStream::ordered)** gives what was published in one region in the order of its stream
//!   there, each message once, also on the way through several regions: a [`Position`] is the last sequence of each
//!   region, which all read streams tell. Messages of different regions come in another order elsewhere. A message that
//!   was stored in two regions may come twice.
//! * **[Durable consumers](VirtualStream::create_consumer)** are one per region, of the same name. Each message arrives
//!   at least once. After a move, JetStream redelivers messages that were not acknowledged before it. It also redelivers
//!   those that another reader, or an earlier process, acknowledged in another region. A reader does not show a message
//!   again that it acknowledged itself.
//! * **Without a leader of JetStream**, which more than half of all servers choose, a region that is cut off goes on
//!   publishing, and reading with consumers that exist. New consumers are refused with an error that says so.
//! * **A write stream that begins again** numbers its messages anew: an operator deletes and recreates it, or it was in
//!   memory and its servers restart. Readers find that out, send [`NoticeKind::StreamReset`], and read the new
//!   messages. They ask `$JS.API.STREAM.INFO` of the write stream, so permit that. Without an answer a reader believes
//!   what it sees: a lower sequence later in the same read stream.

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

/// A stream of all regions. Made by [`Context::create_virtual_stream`] and [`Context::virtual_stream`]; see the
/// [module](self).
#[derive(Clone, Debug)]
pub struct VirtualStream {
    context: Context,
    config: Config,
}

impl Context {
    /// Returns a virtual stream that was [made](Self::create_virtual_stream) before. It sends no request, so it works in
    /// a region that is cut off, too.
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
    /// The configuration contradicts itself.
    pub fn virtual_stream(&self, config: Config) -> Result<VirtualStream, ConfigError> {
        config.check()?;
        Ok(VirtualStream { context: self.clone(), config })
    }
}

impl VirtualStream {
    /// Its configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the read stream of the region where the client is, for single messages: [`Stream::get`], [`Stream::last`].
    /// Its sequences hold in this region only: the same message can have another sequence elsewhere.
    ///
    /// # Errors
    /// There is none, or no answer in time.
    pub async fn nearest(&self) -> Result<Stream, ApiError> {
        let region = self.region().await;
        self.context.get_stream(self.config.read_name(&region)).await
    }

    /// Returns the region and sequence at which a message of a read stream was published; `None` if it came from
    /// somewhere else.
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
