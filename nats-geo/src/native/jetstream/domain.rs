//! JetStream domains and other API prefixes, to which a handle sends its requests.

use std::fmt::Display;
use std::sync::Arc;

use async_nats::jetstream::stream::{Config, External, Source};

use super::{ApiError, Context};

/// The prefix of the JetStream of the server to which the client is connected.
const API: &str = "$JS.API";

/// The prefix of all API subjects of one handle.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ApiPrefix(Arc<str>);

impl Default for ApiPrefix {
    fn default() -> Self {
        Self(API.into())
    }
}

impl ApiPrefix {
    fn of_domain(domain: &str) -> Result<Self, ApiError> {
        if !is_token(domain) {
            return Err(ApiError::BadDomain { domain: domain.to_owned() });
        }
        Ok(Self(prefix_of(domain).into()))
    }

    pub(crate) fn new(prefix: &str) -> Result<Self, ApiError> {
        if !prefix.split('.').all(is_token) {
            return Err(ApiError::BadPrefix { prefix: prefix.to_owned() });
        }
        Ok(Self(prefix.into()))
    }

    pub(crate) fn domain(&self) -> Option<&str> {
        let domain = self.0.strip_prefix("$JS.")?.strip_suffix(".API")?;
        is_token(domain).then_some(domain)
    }

    /// The prefix as the first tokens of a subject that reaches a bucket, or nothing.
    ///
    /// Leaf nodes between domains do not carry `$KV.>`. Servers map `$JS.<domain>.API.$KV.>` to it in that domain.
    pub(crate) fn before_bucket(&self) -> String {
        if self.is_default() { String::new() } else { format!("{}.", self.0) }
    }

    fn is_default(&self) -> bool {
        &*self.0 == API
    }
}

impl Context {
    /// Returns a handle for the JetStream of another domain. For example, a client at a leaf node can use the JetStream
    /// of the hub.
    ///
    /// The handle, and its streams, consumers and stores, send all API requests to `$JS.<domain>.API`. The handle uses
    /// the same domain after each move, whether the client moves to a leaf node or to the hub.
    ///
    /// * The client publishes a message to its subject, without a prefix. The stream that has this subject answers.
    ///   This stream may be in another domain: see [`Ack::domain`](super::Ack::domain).
    /// * The server chooses the cluster of a new stream, unless the configuration of the stream names one. The client
    ///   does not use its home region, which may belong to another domain.
    /// * Writes to a key-value store use the prefix of the domain, because leaf nodes do not pass `$KV.>` between
    ///   domains.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = client.jetstream().with_domain("hub")?;
    /// let lamps = hub.key_value("lamps").await?;
    /// lamps.put("hall.colour", "red".into()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ApiError::BadDomain`] if the name is not one token of a subject. This call sends no request. If the domain does
    /// not exist, the first request fails ([`LastTry::NoDomain`](super::LastTry::NoDomain)).
    pub fn with_domain(&self, domain: impl AsRef<str>) -> Result<Self, ApiError> {
        Ok(self.at(ApiPrefix::of_domain(domain.as_ref())?))
    }

    /// Returns a handle for the JetStream API under another prefix, such as a prefix that the account imports.
    /// With the prefix `$JS.<domain>.API`, this call is the same as [`with_domain`](Self::with_domain).
    ///
    /// ```no_run
    /// # fn example(client: nats_geo::GeoClient) -> Result<(), nats_geo::jetstream::ApiError> {
    /// let theirs = client.jetstream().with_prefix("JS.accounting.API")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ApiError::BadPrefix`] if the prefix is not a valid subject, or has wildcards.
    pub fn with_prefix(&self, prefix: impl AsRef<str>) -> Result<Self, ApiError> {
        Ok(self.at(ApiPrefix::new(prefix.as_ref())?))
    }

    /// Returns the JetStream domain of this handle; `None` for the domain of the server to which the client is connected.
    pub fn domain(&self) -> Option<&str> {
        self.api.domain()
    }

    /// The subject of a request to the API.
    pub(crate) fn subject(&self, request: impl Display) -> String {
        format!("{}.{request}", self.api.0)
    }

    /// Returns whether the handle asks the JetStream of the connected server.
    pub(crate) fn is_local(&self) -> bool {
        self.api.is_default()
    }

    /// A handle for the origin of a mirror.
    pub(crate) fn of_origin(&self, mirror: &Source) -> Self {
        self.at(origin_prefix(mirror, &self.api))
    }

    fn at(&self, api: ApiPrefix) -> Self {
        Self { api, ..self.clone() }
    }
}

/// The API prefix of the stream that is mirrored by a stream behind `api`.
pub(crate) fn origin_prefix(mirror: &Source, api: &ApiPrefix) -> ApiPrefix {
    match &mirror.external {
        Some(external) if !external.api_prefix.is_empty() => ApiPrefix(external.api_prefix.as_str().into()),
        _ => api.clone(),
    }
}

/// Writes the domains of a mirror and of sources as servers read them: as the API prefix of another JetStream.
pub(crate) fn resolve_domains(config: &mut Config) -> Result<(), ApiError> {
    for source in config.mirror.iter_mut().chain(config.sources.iter_mut().flatten()) {
        let Some(domain) = source.domain.take() else { continue };
        if source.external.is_some() {
            return Err(ApiError::DomainAndExternal { source_name: source.name.clone(), domain });
        }
        ApiPrefix::of_domain(&domain)?;
        source.external = Some(External { api_prefix: prefix_of(&domain), delivery_prefix: None });
    }
    Ok(())
}

fn prefix_of(domain: &str) -> String {
    format!("$JS.{domain}.API")
}

fn is_token(name: &str) -> bool {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '.' | '*' | '>');
    !name.is_empty() && !name.contains(is_bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_prefix_and_a_prefix_names_its_domain() {
        let hub = ApiPrefix::of_domain("hub").unwrap();
        assert_eq!((&*hub.0, hub.domain()), ("$JS.hub.API", Some("hub")));
        assert_eq!(ApiPrefix::new("$JS.hub.API"), Ok(hub));
        assert_eq!(ApiPrefix::new("$JS.API"), Ok(ApiPrefix::default()));
        for prefix in ["$JS.API", "JS.accounting.API", "$JS.a.b.API", "$JS.a", "API"] {
            assert_eq!(ApiPrefix::new(prefix).unwrap().domain(), None, "{prefix}");
        }
    }

    #[test]
    fn a_bad_domain_or_prefix_is_refused_by_name() {
        for domain in ["", ".", "a.b", "*", ">", "a*", "a b", "a\tb", "a\r\nb", "\u{0}"] {
            let error = ApiPrefix::of_domain(domain).unwrap_err();
            assert_eq!(error, ApiError::BadDomain { domain: domain.into() });
            assert!(
                error.to_string().starts_with(&format!("`{domain}` is not a JetStream domain")),
                "{error}"
            );
            assert!(ApiPrefix::new(&format!("$JS.{domain}.API")).is_err() || domain == "a.b", "{domain}");
        }
        for prefix in ["", ".", "$JS.API.", ".API", "a..b", "a.>", "a.*.b", "a b"] {
            assert_eq!(ApiPrefix::new(prefix), Err(ApiError::BadPrefix { prefix: prefix.into() }));
        }
    }

    #[test]
    fn sources_in_a_domain_are_written_as_servers_read_them() {
        let source = |external: Option<&str>| Source {
            name: "A".into(),
            domain: Some("hub".into()),
            external: external.map(|api| External { api_prefix: api.into(), delivery_prefix: None }),
            ..Source::default()
        };
        let mut config =
            Config { mirror: Some(source(None)), sources: Some(vec![source(None)]), ..Config::default() };
        resolve_domains(&mut config).unwrap();
        let [written] = config.sources.as_deref().unwrap() else { panic!("{config:?}") };
        assert_eq!(config.mirror.as_ref(), Some(written));
        assert_eq!(written.external.as_ref().map(|it| it.api_prefix.as_str()), Some("$JS.hub.API"));
        assert_eq!(written.domain, None);
        let mut both = Config { mirror: Some(source(Some("JS.their.API"))), ..Config::default() };
        let refused = ApiError::DomainAndExternal { source_name: "A".into(), domain: "hub".into() };
        assert_eq!(resolve_domains(&mut both), Err(refused));
        let mut bad = Config {
            mirror: Some(Source { domain: Some("a b".into()), ..source(None) }),
            ..Config::default()
        };
        assert_eq!(resolve_domains(&mut bad), Err(ApiError::BadDomain { domain: "a b".into() }));
    }
}
