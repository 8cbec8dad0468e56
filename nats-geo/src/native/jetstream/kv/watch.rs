//! Watches of keys, which continue after moves and lost regions.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as Waking, Poll};

use async_nats::jetstream::consumer::DeliverPolicy;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};

use super::key::{self, Keyspace};
use super::{Entry, Operation, ReadError, Store, bad_key};
use crate::native::jetstream::OrderedOptions;
use crate::native::jetstream::consumers::{Read, Reader};

/// Options of a watch: the entries that it delivers.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    keys: Vec<String>,
    include: Include,
    ignore_deletes: bool,
    headers_only: bool,
    nearest: bool,
}

/// Entries that a watch delivers first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Include {
    /// The last entry of each key.
    #[default]
    Last,
    /// The whole history of each key.
    History,
    /// No existing entries, only later ones.
    Updates,
}

impl WatchOptions {
    /// Returns the defaults: the watch delivers all keys, and begins with the last entry of each key.
    pub fn new() -> Self {
        Self {
            keys: Vec::new(),
            include: Include::Last,
            ignore_deletes: false,
            headers_only: false,
            nearest: false,
        }
    }

    /// Watches only this key, or the keys that match these wildcards. Call this method again for further keys.
    pub fn keys(mut self, keys: impl Into<String>) -> Self {
        self.keys.push(keys.into());
        self
    }

    /// Sets the entries that the watch delivers first. Default [`Include::Last`].
    pub fn include(mut self, include: Include) -> Self {
        self.include = include;
        self
    }

    /// Skips the entries of deletions.
    pub fn ignore_deletes(mut self) -> Self {
        self.ignore_deletes = true;
        self
    }

    /// Delivers entries without their values.
    pub fn headers_only(mut self) -> Self {
        self.headers_only = true;
        self
    }

    /// Watches the nearest copy of the bucket; see [`OrderedOptions::nearest`].
    pub fn nearest(mut self) -> Self {
        self.nearest = true;
        self
    }
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// The entries of keys, in the order of their writes, as a stream that continues when the client moves. [`Store::watch`]
/// creates it.
///
/// The watch begins with the existing entries. [`is_current`](Self::is_current) returns whether all of them have
/// arrived, and [`Entry::delta`] is the number of entries that follow. Each entry arrives once and in order. If a link
/// is lost while the existing entries arrive, several entries of a key may arrive. The last entry of each key always
/// arrives. The watch ends with an error when the bucket no longer exists, and without an error when the client is
/// closed.
#[must_use = "the client requests entries only while the application reads them"]
pub struct Watch {
    found: BoxStream<'static, Result<Found, ReadError>>,
    is_current: bool,
}

/// An entry, unless it is left out, and whether all that existed have come by now.
struct Found {
    entry: Option<Entry>,
    is_current: bool,
}

struct State {
    reader: Reader,
    keys: Keyspace,
    ignore_deletes: bool,
    is_current: bool,
}

impl Store {
    /// Watches a key, or all keys that match the wildcards in `keys`. The watch begins with the last entry of each key.
    ///
    /// # Errors
    /// The key is not valid, the bucket does not exist, or no answer arrives in time.
    pub async fn watch(&self, keys: impl Into<String>) -> Result<Watch, ReadError> {
        self.watch_with(WatchOptions::new().keys(keys)).await
    }

    /// Watches keys, like [`watch`](Self::watch), with these options. Without [`WatchOptions::keys`], the watch delivers all
    /// keys.
    ///
    /// ```no_run
    /// # async fn example(lamps: nats_geo::jetstream::kv::Store) -> Result<(), nats_geo::jetstream::kv::ReadError> {
    /// use nats_geo::jetstream::kv::WatchOptions;
    ///
    /// let mut lamps = lamps.watch_with(WatchOptions::new().ignore_deletes()).await?;
    /// for lamp in lamps.existing().await? {
    ///     println!("{} is {:?}", lamp.key, lamp.value);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as [`watch`](Self::watch).
    pub async fn watch_with(&self, options: WatchOptions) -> Result<Watch, ReadError> {
        let mut ordered = OrderedOptions::new().from(match options.include {
            Include::Last => DeliverPolicy::LastPerSubject,
            Include::History => DeliverPolicy::All,
            Include::Updates => DeliverPolicy::New,
        });
        ordered.headers_only = options.headers_only;
        ordered.nearest = options.nearest;
        let all = [">".to_owned()];
        let keys = if options.keys.is_empty() { all.as_slice() } else { &options.keys };
        for keys in keys {
            ordered = ordered.subject(self.keys.filter(keys).ok_or_else(|| bad_key(keys))?);
        }
        let reader = Reader::begin(&self.stream, ordered).await?;
        let is_current = reader.pending == 0 || options.include == Include::Updates;
        let keys = self.keys.clone();
        let state = State { reader, keys, ignore_deletes: options.ignore_deletes, is_current };
        let next = async |mut state: State| Some((state.next().await?, state));
        Ok(Watch { found: stream::unfold(state, next).boxed(), is_current })
    }

    /// Returns the keys that have a value.
    ///
    /// # Errors
    /// The bucket does not exist, or no answer arrives in time.
    pub async fn keys(&self) -> Result<Vec<String>, ReadError> {
        let options = WatchOptions::new().headers_only();
        let entries = self.watch_with(options).await?.existing().await?;
        Ok(keys_with_values(entries))
    }

    /// Returns the history of a key, oldest entry first.
    ///
    /// # Errors
    /// The key is not valid, the bucket does not exist, or no answer arrives in time.
    pub async fn history(&self, key: &str) -> Result<Vec<Entry>, ReadError> {
        self.watch_with(WatchOptions::new().keys(key).include(Include::History)).await?.existing().await
    }
}

/// Of what was written while it was being read, the last entry counts.
fn keys_with_values(mut entries: Vec<Entry>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    entries.reverse();
    entries.retain(|entry| seen.insert(entry.key.clone()) && entry.operation == Operation::Put);
    entries.into_iter().rev().map(|entry| entry.key).collect()
}

impl Watch {
    /// Returns whether all entries that existed when the watch began have arrived.
    pub const fn is_current(&self) -> bool {
        self.is_current
    }

    /// Returns the entries that existed when the watch began, except the entries that the application has already read.
    /// All later entries of the watch are new. If the application drops the future early, the entries that the call
    /// has read are lost. To avoid this loss, read the entries from the watch one by one.
    ///
    /// # Errors
    /// The bucket no longer exists, or the client closed before all entries had arrived.
    pub async fn existing(&mut self) -> Result<Vec<Entry>, ReadError> {
        let mut entries = Vec::new();
        while !self.is_current {
            let Found { entry, is_current } = self.found.next().await.ok_or(ReadError::Closed)??;
            self.is_current = is_current;
            entries.extend(entry);
        }
        Ok(entries)
    }
}

impl State {
    async fn next(&mut self) -> Option<Result<Found, ReadError>> {
        loop {
            let was_current = self.is_current;
            let entry = match self.reader.next().await? {
                Ok(Read::Message(message, delivery)) => {
                    self.is_current |= self.reader.pending == 0;
                    self.keys.key(&message.subject).map(|key| Entry {
                        bucket: self.keys.bucket.clone(),
                        key: key.to_owned(),
                        revision: delivery.stream_sequence,
                        delta: delivery.pending,
                        created: delivery.published,
                        operation: key::operation(message.headers.as_ref()),
                        seen_current: self.is_current,
                        value: message.payload,
                    })
                }
                Ok(Read::CaughtUp) => {
                    self.is_current = true;
                    None
                }
                Err(error) => return Some(Err(error.into())),
            };
            let entry = entry.filter(|entry| !self.ignore_deletes || entry.operation == Operation::Put);
            if entry.is_some() || self.is_current != was_current {
                return Some(Ok(Found { entry, is_current: self.is_current }));
            }
        }
    }
}

impl Stream for Watch {
    type Item = Result<Entry, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Waking<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.found.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(Found { entry, is_current }))) => {
                    self.is_current = is_current;
                    if let Some(entry) = entry {
                        return Poll::Ready(Some(Ok(entry)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("is_current", &self.is_current).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_written_while_it_was_listed_is_listed_once() {
        let entry = |key: &str, operation| Entry {
            bucket: "lamps".into(),
            key: key.into(),
            value: bytes::Bytes::new(),
            revision: 1,
            delta: 0,
            created: crate::native::clock::today(),
            operation,
            seen_current: false,
        };
        let entries = vec![
            entry("a", Operation::Put),
            entry("b", Operation::Put),
            entry("c", Operation::Delete),
            entry("a", Operation::Put),
            entry("b", Operation::Purge),
            entry("c", Operation::Put),
        ];
        assert_eq!(keys_with_values(entries), ["a", "c"]);
    }
}
