//! Streams. The client creates streams in its home region, and reads them from the nearest copy.

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Config, Info, Placement};
use serde::Deserialize;
use serde_json::json;

use super::api::{Repeat, check_name, parse};
use super::domain::resolve_domains;
use super::{ApiError, Context, Refused};

/// Handle for a stream. [`Context`] creates it.
#[derive(Clone, Debug)]
pub struct Stream {
    pub(crate) context: Context,
    info: StreamInfo,
}

/// Configuration and state of a stream, as the server reports them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Configuration, state, leader and replicas of the stream.
    pub info: Info,
    /// The stream and its mirrors, in the order of their distance to the server that answered. Empty if the stream has no
    /// mirror.
    pub alternates: Vec<Alternate>,
    /// JetStream domain of the stream, if there is one. Servers report the domain in answers to [`Stream::info`] and
    /// [`Context::get_stream`]. After a creation or a change, this is the domain of the handle.
    pub domain: Option<String>,
}

/// A stream in [`StreamInfo::alternates`]: the stream itself, or a mirror with the same messages and the same sequences.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
pub struct Alternate {
    /// The name of the stream.
    pub name: String,
    /// The cluster that has the stream.
    pub cluster: String,
    /// The JetStream domain of the stream, if there is one.
    pub domain: Option<String>,
}

impl Context {
    /// Creates a stream, in the home region of this client unless `config` has a placement.
    ///
    /// The client sets the placement, because the server would choose the region to which the client is connected now.
    /// After a failover, this is the wrong region. The home region is the region of
    /// [`GeoOptions::home`](crate::GeoOptions::home), and by default the nearest known region, even while it is down.
    /// With `placement: Some(Placement::default())`, the server chooses. If the stream exists already, in any region,
    /// this call returns the existing stream. In [another domain](Self::with_domain), the server chooses, unless
    /// `config` has a placement.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), nats_geo::jetstream::ApiError> {
    /// use nats_geo::jetstream::stream::Config;
    ///
    /// let subjects = vec!["orders.>".into()];
    /// let config = Config { name: "ORDERS".into(), subjects, num_replicas: 3, ..Config::default() };
    /// let orders = client.jetstream().create_stream(config).await?;
    /// println!("{:?}", orders.cached_info().info.cluster);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The name is not valid, the server refuses the configuration, or no answer arrives in time.
    pub async fn create_stream(&self, mut config: Config) -> Result<Stream, ApiError> {
        check_name("stream", &config.name)?;
        resolve_domains(&mut config)?;
        let chosen_here = config.placement.is_none();
        if chosen_here {
            config.placement = self.home_placement();
        }
        let created = self.stream_call("CREATE", &config).await;
        let exists = |error: &ApiError| error.refused().is_some_and(Refused::is_other_config);
        match created {
            Err(error) if chosen_here && exists(&error) => {
                // It may be the same but for the place that we chose: the server compares again.
                let found = self.get_stream(config.name.clone()).await?;
                config.placement.clone_from(&found.info.info.config.placement);
                self.stream_call("CREATE", &config).await
            }
            created => created,
        }
    }

    /// Returns the stream of this name.
    ///
    /// # Errors
    /// The stream does not exist ([`ApiError::is_not_found`]), or no answer arrives in time.
    pub async fn get_stream(&self, name: impl Into<String>) -> Result<Stream, ApiError> {
        let info = self.stream_info(&name.into()).await?;
        Ok(Stream { context: self.clone(), info })
    }

    /// Returns the stream of this name, with any configuration. If the stream does not exist, this call
    /// [creates](Self::create_stream) it.
    ///
    /// # Errors
    /// The same as [`create_stream`](Self::create_stream).
    pub async fn get_or_create_stream(&self, config: Config) -> Result<Stream, ApiError> {
        match self.get_stream(config.name.clone()).await {
            Err(error) if error.is_not_found() => self.create_stream(config).await,
            found => found,
        }
    }

    /// Changes the configuration of a stream. The stream moves to other servers only if `config` has a placement.
    ///
    /// # Errors
    /// The stream does not exist, the server refuses the change, or no answer arrives in time.
    pub async fn update_stream(&self, mut config: Config) -> Result<Stream, ApiError> {
        check_name("stream", &config.name)?;
        resolve_domains(&mut config)?;
        if config.placement.is_none() {
            config.placement = self.get_stream(config.name.clone()).await?.info.info.config.placement;
        }
        self.stream_call("UPDATE", &config).await
    }

    /// Deletes a stream with all its messages and consumers.
    ///
    /// # Errors
    /// The stream does not exist, or no answer arrives in time.
    pub async fn delete_stream(&self, name: &str) -> Result<(), ApiError> {
        check_name("stream", name)?;
        let subject = self.subject(format_args!("STREAM.DELETE.{name}"));
        done_by_now(self.call_raw(subject, &json!({}), Repeat::Harmless).await.map(drop))
    }

    pub(crate) async fn stream_info(&self, name: &str) -> Result<StreamInfo, ApiError> {
        check_name("stream", name)?;
        let subject = self.subject(format_args!("STREAM.INFO.{name}"));
        let payload = self.call_raw(subject.clone(), &json!({}), Repeat::Harmless).await?;
        self.read_info(&subject, &payload)
    }

    fn read_info(&self, subject: &str, payload: &[u8]) -> Result<StreamInfo, ApiError> {
        let info = StreamInfo::parse(subject, payload)?;
        let domain = info.domain.or_else(|| self.domain().map(str::to_owned));
        Ok(StreamInfo { domain, ..info })
    }

    async fn stream_call(&self, verb: &str, config: &Config) -> Result<Stream, ApiError> {
        let subject = self.subject(format_args!("STREAM.{verb}.{}", config.name));
        // A stream is made or changed once, however often it is asked for.
        let payload = self.call_raw(subject.clone(), config, Repeat::Harmless).await?;
        Ok(Stream { context: self.clone(), info: self.read_info(&subject, &payload)? })
    }

    /// Where what this client makes belongs; `None` where there are no clusters, and in a domain that may not have the
    /// home region.
    pub(crate) fn home_placement(&self) -> Option<Placement> {
        if !self.is_local() {
            return None;
        }
        let cluster = self.client().hub().home.cluster()?;
        Some(Placement { cluster: Some(cluster), tags: Vec::new() })
    }
}

impl Stream {
    /// Returns the name of the stream.
    pub fn name(&self) -> &str {
        &self.info.info.config.name
    }

    /// Returns the last known configuration and state, without a request.
    pub const fn cached_info(&self) -> &StreamInfo {
        &self.info
    }

    /// Requests the configuration and state from the server.
    ///
    /// # Errors
    /// The stream does not exist, or no answer arrives in time.
    pub async fn info(&mut self) -> Result<&StreamInfo, ApiError> {
        self.info = self.context.stream_info(self.name()).await?;
        Ok(&self.info)
    }

    /// Returns the nearest copy of this stream: a mirror, or the stream itself. A mirror has the same messages with the
    /// same sequences, slightly later. Publishes still go to the original stream, which has the subjects.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let orders = client.jetstream().get_stream("ORDERS").await?.nearest().await?;
    /// let first = orders.get(1).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The stream does not exist, or no answer arrives in time.
    pub async fn nearest(&self) -> Result<Self, ApiError> {
        let info = self.context.stream_info(self.name()).await?;
        match info.alternates.first() {
            Some(nearest) if nearest.name != self.name() => self.context.get_stream(&nearest.name).await,
            _ => Ok(Self { context: self.context.clone(), info }),
        }
    }

    /// Returns the message of this sequence; `None` if there is none. If the stream allows direct gets
    /// (`allow_direct`), the nearest server with a copy of the stream answers. A copy is a replica of the stream, or a
    /// mirror with `mirror_direct`. So this call can work while the region of the stream is lost. The answer may be
    /// slightly older than the state of the leader.
    ///
    /// # Errors
    /// The stream does not exist, or no answer arrives in time.
    pub async fn get(&self, sequence: u64) -> Result<Option<StreamMessage>, ApiError> {
        // Sequences begin at 1; servers would take this for no question at all.
        if sequence == 0 {
            return Ok(None);
        }
        self.read(json!({ "seq": sequence }), None).await
    }

    /// Returns the last message of this subject; `None` if there is none. [`get`](Self::get) explains which server
    /// answers.
    ///
    /// # Errors
    /// The same as [`get`](Self::get).
    pub async fn last(&self, subject: &str) -> Result<Option<StreamMessage>, ApiError> {
        self.read(json!({ "last_by_subj": subject }), Some(subject)).await
    }

    /// The last message of this subject, as the leader of the stream knows it; of a mirror, that of the stream that it
    /// mirrors. Nobody knows it better, and whoever is about to write must not know it worse.
    pub(crate) async fn last_at_leader(&self, subject: &str) -> Result<Option<StreamMessage>, ApiError> {
        let question = json!({ "last_by_subj": subject });
        match &self.info.info.config.mirror {
            Some(mirror) => self.context.of_origin(mirror).read_from_leader_of(&mirror.name, question).await,
            None => self.context.read_from_leader_of(self.name(), question).await,
        }
    }

    /// Removes all messages whose subject matches `filter`, which may have wildcards. Returns the number of removed
    /// messages.
    ///
    /// # Errors
    /// The stream does not exist, or no answer arrives in time. The client does not repeat a request that may have been executed.
    pub async fn purge(&self, filter: &str) -> Result<u64, ApiError> {
        #[derive(Deserialize)]
        struct Purged {
            purged: u64,
        }
        let subject = self.context.subject(format_args!("STREAM.PURGE.{}", self.name()));
        let purged: Purged =
            self.context.call(subject, &json!({ "filter": filter }), Repeat::Harmful).await?;
        Ok(purged.purged)
    }

    async fn read(
        &self,
        question: serde_json::Value,
        last_of: Option<&str>,
    ) -> Result<Option<StreamMessage>, ApiError> {
        let name = self.name();
        if !self.info.info.config.allow_direct {
            return self.context.read_from_leader_of(name, question).await;
        }
        let none = None::<&serde_json::Value>;
        let get = self.context.subject(format_args!("DIRECT.GET.{name}"));
        let found = match last_of {
            // In the subject, so that permissions can tell keys apart.
            Some(subject) => self.context.direct(format!("{get}.{subject}"), none).await?,
            None => self.context.direct(get.clone(), Some(&question)).await?,
        };
        let Some(found) = found else { return Ok(None) };
        let bad = |error: &dyn std::fmt::Display| ApiError::BadAnswer {
            subject: get.clone(),
            why: error.to_string(),
        };
        StreamMessage::try_from(found).map(Some).map_err(|error| bad(&error))
    }
}

impl Context {
    async fn read_from_leader_of(
        &self,
        stream: &str,
        question: serde_json::Value,
    ) -> Result<Option<StreamMessage>, ApiError> {
        #[derive(Deserialize)]
        struct Answer {
            message: async_nats::jetstream::stream::RawMessage,
        }
        let subject = self.subject(format_args!("STREAM.MSG.GET.{stream}"));
        match self.call_raw(subject.clone(), &question, Repeat::Harmless).await {
            Ok(payload) => {
                let Answer { message } = parse(&subject, &payload)?;
                let bad = |why: String| ApiError::BadAnswer { subject, why };
                message.try_into().map(Some).map_err(|error: async_nats::Error| bad(error.to_string()))
            }
            Err(error) if error.refused().is_some_and(Refused::is_no_message) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl StreamInfo {
    fn parse(subject: &str, payload: &[u8]) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        struct More {
            #[serde(default)]
            alternates: Vec<Alternate>,
            domain: Option<String>,
        }
        let More { alternates, domain } = parse(subject, payload)?;
        Ok(Self { info: parse(subject, payload)?, alternates, domain })
    }
}

/// Of something deleted: that it is not there any more is what an earlier try did.
pub(crate) fn done_by_now(deleted: Result<(), ApiError>) -> Result<(), ApiError> {
    match deleted {
        Err(ApiError::Refused { refused, unconfirmed: true }) if refused.is_not_found() => Ok(()),
        deleted => deleted,
    }
}
