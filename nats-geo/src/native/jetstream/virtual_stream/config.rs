//! Name, regions and limits of a virtual stream.

use std::time::Duration;

use async_nats::jetstream::stream::{self, Placement, Source, StorageType, SubjectTransform};

use crate::native::jetstream::ApiError;
use crate::native::jetstream::api::check_name;

/// The configuration of a virtual stream. All clients of the stream must use the same configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    pub(super) name: String,
    pub(super) prefix: String,
    pub(super) regions: Vec<String>,
    replicas: usize,
    storage: StorageType,
    pub(super) outage_max: Duration,
    duplicate_window: Duration,
    max_age: Duration,
    max_bytes: i64,
}

/// Reason why a configuration is not valid.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The name of the stream, the name of a region, or a part of the prefix of the subjects is not valid.
    #[error(transparent)]
    BadName(ApiError),
    /// There are no regions.
    #[error("virtual stream `{name}` has no regions: name at least one cluster")]
    NoRegions {
        /// The stream.
        name: String,
    },
    /// A region is named twice.
    #[error("virtual stream `{name}` names region `{region}` twice: remove one")]
    RegionTwice {
        /// The stream.
        name: String,
        /// The region.
        region: String,
    },
    /// A time is zero, which servers treat as "without end".
    #[error(
        "virtual stream `{name}`: `{setting}` is zero, which servers take as no limit; give a larger value"
    )]
    Zero {
        /// The stream.
        name: String,
        /// The setting.
        setting: &'static str,
    },
}

impl Config {
    /// Creates the configuration of a stream in these clusters, for all subjects that begin with the stream's name and a
    /// dot.
    ///
    /// ```
    /// use std::time::Duration;
    /// use nats_geo::jetstream::virtual_stream::Config;
    ///
    /// let config = Config::new("ORDERS", ["lon", "ams", "dal"])
    ///     .prefix("orders") // subjects `orders.>`
    ///     .replicas(3)
    ///     .outage_max(Duration::from_secs(24 * 3600));
    /// ```
    pub fn new(name: impl Into<String>, regions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let name = name.into();
        Self {
            prefix: name.clone(),
            name,
            regions: regions.into_iter().map(Into::into).collect(),
            replicas: 1,
            storage: StorageType::File,
            outage_max: OUTAGE_MAX,
            duplicate_window: DUPLICATE_WINDOW,
            max_age: Duration::ZERO,
            max_bytes: -1,
        }
    }

    /// Sets the first tokens of the stream's subjects, without the dot that follows. Default: the name of the stream.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the number of replicas of each stream in its region. Default 1. With 3, a stream survives the loss of a
    /// server.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets the storage of messages. Default: files.
    pub fn storage(mut self, storage: StorageType) -> Self {
        self.storage = storage;
        self
    }

    /// Sets the time for which write streams keep messages, so that read streams of other regions can copy them after
    /// an outage. Default one hour. If an outage lasts longer, some read streams may never get the oldest messages of
    /// the outage. After a move, an ordered reader goes back by this time, counted from the last message that it
    /// read. From there it reads the new read stream, and skips the messages that it has already delivered. So a longer
    /// time makes moves slower.
    pub fn outage_max(mut self, outage: Duration) -> Self {
        self.outage_max = outage.min(LONGEST);
        self
    }

    /// Sets the time for which streams remember message ids. Default two minutes, as in nats-server. With a longer
    /// time, streams recognise later duplicates, but servers need memory for each message.
    pub fn duplicate_window(mut self, window: Duration) -> Self {
        self.duplicate_window = window.min(LONGEST);
        self
    }

    /// Sets the time for which read streams keep messages. Default: for ever.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age.min(LONGEST);
        self
    }

    /// Sets the maximum size of each read stream in bytes. Servers remove the oldest messages first. Default: no limit.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let name = || self.name.clone();
        check_name("virtual stream", &self.name).map_err(ConfigError::BadName)?;
        for token in self.prefix.split('.') {
            check_name("part of a subject", token).map_err(ConfigError::BadName)?;
        }
        if self.regions.is_empty() {
            return Err(ConfigError::NoRegions { name: name() });
        }
        for (count, region) in self.regions.iter().enumerate() {
            check_name("region", region).map_err(ConfigError::BadName)?;
            if self.regions.iter().take(count).any(|before| before == region) {
                return Err(ConfigError::RegionTwice { name: name(), region: region.clone() });
            }
        }
        let times = [("outage_max", self.outage_max), ("duplicate_window", self.duplicate_window)];
        match times.into_iter().find(|(_, time)| time.is_zero()) {
            Some((setting, _)) => Err(ConfigError::Zero { name: name(), setting }),
            None => Ok(()),
        }
    }

    pub(super) fn write_name(&self, region: &str) -> String {
        format!("{}-write-{region}", self.name)
    }

    pub(super) fn read_name(&self, region: &str) -> String {
        format!("{}-read-{region}", self.name)
    }

    /// Takes what is published in `region`.
    pub(super) fn write_stream(&self, region: &str) -> stream::Config {
        stream::Config {
            name: self.write_name(region),
            subjects: vec![format!("{}.{region}.>", self.prefix)],
            max_age: self.outage_max,
            ..self.both(region, self.outage_max)
        }
    }

    /// Gathers what was published anywhere, under the subject that its publisher named.
    pub(super) fn read_stream(&self, region: &str) -> stream::Config {
        let sources = self.regions.iter().map(|from| Source {
            name: self.write_name(from),
            subject_transforms: vec![SubjectTransform {
                source: format!("{}.{from}.>", self.prefix),
                destination: format!("{}.>", self.prefix),
            }],
            ..Source::default()
        });
        let age = if self.max_age.is_zero() { LONGEST } else { self.max_age };
        stream::Config {
            name: self.read_name(region),
            sources: Some(sources.collect()),
            max_age: self.max_age,
            max_bytes: self.max_bytes,
            ..self.both(region, age)
        }
    }

    fn both(&self, region: &str, age: Duration) -> stream::Config {
        stream::Config {
            storage: self.storage,
            num_replicas: self.replicas,
            // Servers allow no longer one.
            duplicate_window: self.duplicate_window.min(age),
            allow_direct: true,
            placement: Some(Placement { cluster: Some(region.to_owned()), tags: Vec::new() }),
            ..stream::Config::default()
        }
    }
}

/// Servers count in nanoseconds, with 63 bits: more would come out as something else.
const LONGEST: Duration = Duration::from_nanos(i64::MAX as u64);

/// Long enough for people to mend a region; short enough that nobody sizes disks for it.
const OUTAGE_MAX: Duration = Duration::from_secs(3600);

/// The default of nats-server.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_writes_its_own_subjects_and_reads_those_of_all() {
        let config = Config::new("ORDERS", ["lon", "ams"]).prefix("shop.orders");
        let write = config.write_stream("lon");
        assert_eq!(
            (write.name.as_str(), write.subjects),
            ("ORDERS-write-lon", vec!["shop.orders.lon.>".into()])
        );
        let read = config.read_stream("lon");
        let ways = read.sources.unwrap_or_default().into_iter().map(|source| {
            let way = &source.subject_transforms[0];
            (source.name, way.source.clone(), way.destination.clone())
        });
        let expected = ["lon", "ams"].map(|region| {
            (format!("ORDERS-write-{region}"), format!("shop.orders.{region}.>"), "shop.orders.>".to_owned())
        });
        assert_eq!(ways.collect::<Vec<_>>(), expected);
        assert_eq!(read.placement.and_then(|place| place.cluster).as_deref(), Some("lon"));
        assert_eq!(
            config.outage_max(Duration::from_secs(5)).write_stream("lon").duplicate_window.as_secs(),
            5
        );
    }

    #[test]
    fn no_time_is_longer_than_servers_can_count() {
        let config = Config::new("a", ["lon"]).outage_max(Duration::MAX).max_age(Duration::MAX);
        let config = config.duplicate_window(Duration::MAX);
        let (write, read) = (config.write_stream("lon"), config.read_stream("lon"));
        let times = [write.max_age, write.duplicate_window, read.max_age, read.duplicate_window];
        assert!(times.iter().all(|time| i64::try_from(time.as_nanos()).is_ok()), "{times:?}");
    }

    #[test]
    fn what_contradicts_itself_is_refused_by_name() {
        let refused = |config: Config| config.check().unwrap_err().to_string();
        let regions = ["lon", "ams"];
        assert!(Config::new("ORDERS", regions).check().is_ok());
        assert!(refused(Config::new("a b", regions)).starts_with("`a b` is not a name of a virtual stream"));
        assert!(refused(Config::new("a", ["*"])).starts_with("`*` is not a name of a region"));
        assert!(refused(Config::new("a", regions).prefix("b..c")).starts_with("`` is not a name of a part"));
        assert!(refused(Config::new("a", [""; 0])).contains("has no regions"));
        assert!(refused(Config::new("a", ["lon", "lon"])).contains("`lon` twice"));
        assert!(refused(Config::new("a", regions).outage_max(Duration::ZERO)).contains("`outage_max`"));
    }
}
