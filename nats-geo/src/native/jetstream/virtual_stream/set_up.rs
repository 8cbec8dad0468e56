//! This module creates the streams of all regions, and reports the failures.

use std::fmt;

use futures_util::future::join_all;

use super::{Config, ConfigError, VirtualStream};
use crate::native::jetstream::{ApiError, Context};

/// Reason why a virtual stream, or a consumer of it, is incomplete.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The configuration is not valid. The client sent no request.
    #[error(transparent)]
    BadConfig(#[from] ConfigError),
    /// Some streams or consumers were not created. The other streams and consumers exist. Repeat the call to create the
    /// missing ones.
    #[error("{} of {} streams and consumers were not created: {}; repeat the call, which keeps those that exist", .failures.len(),
        .failures.len() + .made.len(), list(.failures))]
    Incomplete {
        /// The parts that exist now: streams, or consumers with their streams.
        made: Vec<String>,
        /// The parts that do not exist, with the reason for each.
        failures: Vec<Failure>,
    },
}

/// A stream or consumer that was not created in a region, with the reason.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Failure {
    /// The region.
    pub region: String,
    /// The stream, or the consumer with its stream.
    pub part: String,
    /// The reason.
    pub error: ApiError,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, part, error } = self;
        write!(f, "`{part}` in {region}: {error}")?;
        // Of no use to who was refused for a reason of its own.
        if matches!(error, ApiError::GaveUp { .. }) {
            f.write_str(
                " (the region is down, or JetStream has no leader: half of all servers or more are down or cut off)",
            )?;
        }
        Ok(())
    }
}

fn list(failures: &[Failure]) -> String {
    failures.iter().map(Failure::to_string).collect::<Vec<_>>().join("; ")
}

impl Context {
    /// Creates the streams of all regions. Existing streams stay unchanged, so you can repeat the call to create missing
    /// streams. An existing stream with another configuration is a failure.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), nats_geo::jetstream::virtual_stream::CreateError> {
    /// use nats_geo::jetstream::virtual_stream::Config;
    ///
    /// let config = Config::new("orders", ["lon", "ams", "dal"]).replicas(3);
    /// let orders = client.jetstream().create_virtual_stream(config).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The configuration is not valid, or some streams were not created ([`CreateError::Incomplete`]).
    pub async fn create_virtual_stream(&self, config: Config) -> Result<VirtualStream, CreateError> {
        let stream = self.virtual_stream(config)?;
        let config = &stream.config;
        let write = config.regions.iter().map(|region| (region, config.write_stream(region)));
        let read = config.regions.iter().map(|region| (region, config.read_stream(region)));
        // A read stream that is there before its sources would try them again only later.
        let mut parts = Parts::default();
        for streams in [write.collect::<Vec<_>>(), read.collect()] {
            let making = streams.into_iter().map(async |(region, config)| {
                let part = config.name.clone();
                (region.clone(), part, self.create_stream(config).await.map(drop))
            });
            parts.add(join_all(making).await);
        }
        parts.finish()?;
        Ok(stream)
    }
}

/// What was made, and what was not.
#[derive(Default)]
pub(super) struct Parts {
    made: Vec<String>,
    failures: Vec<Failure>,
}

impl Parts {
    /// (Region, part, whether it was made).
    pub(super) fn add(&mut self, parts: impl IntoIterator<Item = (String, String, Result<(), ApiError>)>) {
        for (region, part, made) in parts {
            match made {
                Ok(()) => self.made.push(part),
                Err(error) => self.failures.push(Failure { region, part, error }),
            }
        }
    }

    pub(super) fn finish(self) -> Result<(), CreateError> {
        let Self { made, failures } = self;
        if failures.is_empty() { Ok(()) } else { Err(CreateError::Incomplete { made, failures }) }
    }
}
