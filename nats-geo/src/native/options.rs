//! Options of a client.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::lines::CONTROL_LINE_MAX;
use super::names::Names;
use super::observe::DecisionLog;
use super::resend::AtLeastOnce;
use super::{Auth, ConnectError, GeoClient, HealthCheck, IntoServers, Secret, Tls};
use crate::core::Config;

mod connection;
pub use connection::{ConnectionOptions, WithoutEffect};

mod start;

/// Connects to the nearest of these servers, with the defaults of [`GeoOptions`]. [`IntoServers`] explains how to list
/// servers.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = nats_geo::connect("nats://lon-1:4222,nats://ams-1:4222,nats://dal-1:4222").await?;
/// client.publish("orders.new", "one lamp".into()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The same as [`GeoOptions::connect`].
pub async fn connect(servers: impl IntoServers) -> Result<GeoClient, ConnectError> {
    GeoOptions::new().connect(servers).await
}

/// Options of a client: credentials, TLS and limits. The policy is in [`Config`]. [`customize`](Self::customize) sets
/// further options of the connections of async-nats.
///
/// ```no_run
/// use nats_geo::GeoOptions;
/// use nats_geo::core::Config;
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), nats_geo::ConnectError> {
/// let client = GeoOptions::new()
///     .config(Config::interactive())
///     .user_and_password("derek", "s3cr3t")
///     .request_timeout(Duration::from_secs(2))
///     .server_with_region("nats://10.1.0.1:4222", "lon")
///     .server_with_region("nats://10.2.0.1:4222", "ams")
///     .connect("")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until `connect` is called"]
pub struct GeoOptions {
    config: Config,
    labelled: Vec<(String, String)>,
    names: Names,
    auth: Auth,
    tls: Option<Tls>,
    name: Option<String>,
    connect_timeout: Duration,
    publish_wait: Duration,
    request_timeout: Option<Duration>,
    dead_link_buffer: usize,
    at_least_once: Option<AtLeastOnce>,
    at_most_once: bool,
    max_control_line: usize,
    subscription_buffer: usize,
    drain_timeout: Duration,
    seed: Option<u64>,
    decision_log: Option<DecisionLog>,
    health_checks: Vec<HealthCheck>,
    ignore_discovered_servers: bool,
    retry_on_initial_connect: bool,
    customize: Option<Customize>,
}

/// See [`GeoOptions::customize`].
pub(crate) type Customize = Arc<dyn Fn(ConnectionOptions) -> ConnectionOptions + Send + Sync>;

impl GeoOptions {
    /// Returns the defaults: the policy [`Config::fleet`], and no credentials.
    pub fn new() -> Self {
        Self {
            config: Config::fleet(),
            labelled: Vec::new(),
            names: Names::default(),
            auth: Auth::None,
            tls: None,
            name: None,
            connect_timeout: CONNECT_TIMEOUT,
            publish_wait: PUBLISH_WAIT,
            request_timeout: Some(REQUEST_TIMEOUT),
            dead_link_buffer: DEAD_LINK_BUFFER,
            at_least_once: None,
            at_most_once: false,
            max_control_line: CONTROL_LINE_MAX,
            subscription_buffer: SUBSCRIPTION_BUFFER,
            drain_timeout: DRAIN_TIMEOUT,
            seed: None,
            decision_log: None,
            health_checks: Vec::new(),
            ignore_discovered_servers: false,
            retry_on_initial_connect: false,
            customize: None,
        }
    }

    /// Sets the policy, which controls when the client moves, which server it chooses, and how often it measures servers.
    /// Default [`Config::fleet`], for many clients of one kind. [`Config::interactive`] suits few clients that must
    /// fail over faster.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Adds a server, in a region that you name. Use this method for servers without a cluster name, or with a cluster
    /// name that you do not want to use. `region=url` in a list does the same.
    pub fn server_with_region(mut self, url: impl Into<String>, region: impl Into<String>) -> Self {
        self.labelled.push((url.into(), region.into()));
        self
    }

    /// Adds a DNS name that stands for servers, in addition to the listed servers. Call this method once for each name.
    #[cfg(feature = "dns")]
    pub fn dns(mut self, name: super::dns::Dns) -> Self {
        self.names.push(name);
        self
    }

    /// Sets the credentials for servers that have none in their URL. Default [`Auth::None`].
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Sets user and password, like [`auth`](Self::auth) with [`Auth::UserAndPassword`].
    pub fn user_and_password(self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.auth(Auth::UserAndPassword { user: user.into(), password: password.into() })
    }

    /// Sets a token, like [`auth`](Self::auth) with [`Auth::Token`].
    pub fn token(self, token: impl Into<Secret>) -> Self {
        self.auth(Auth::Token(token.into()))
    }

    /// Sets an NKey by its seed (`SU...`), like [`auth`](Self::auth) with [`Auth::NKey`].
    pub fn nkey(self, seed: impl Into<Secret>) -> Self {
        self.auth(Auth::NKey(seed.into()))
    }

    /// Sets a creds file, like [`auth`](Self::auth) with [`Auth::CredsFile`].
    pub fn creds_file(self, path: impl Into<PathBuf>) -> Self {
        self.auth(Auth::CredsFile(path.into()))
    }

    /// Encrypts all connections with these options. Default: TLS if the URL or the server requires TLS, with the
    /// certificate authorities of the operating system.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets the name that the servers' monitoring shows for the connections. Default none.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets how long [`connect`](Self::connect) waits for the first live link before it fails. Default 10 s: a dial to a
    /// silent server takes 3 s, and the client can then try other servers.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Makes [`connect`](Self::connect) return at once. The client connects in the background, without a time limit.
    /// Default off.
    ///
    /// Until the first link is live, the client is offline. Subscriptions succeed, and become active with the first link.
    /// Publishes and requests wait for at most [`publish_wait`](Self::publish_wait), and then fail. If servers refuse the
    /// credentials, the client sends [`NoticeKind::CredentialsRefused`](crate::core::NoticeKind::CredentialsRefused) and
    /// tries again.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), nats_geo::ConnectError> {
    /// // The servers may start after the application.
    /// let options = nats_geo::GeoOptions::new().retry_on_initial_connect();
    /// let client = options.connect("nats://lon-1,nats://ams-1").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry_on_initial_connect(mut self) -> Self {
        self.retry_on_initial_connect = true;
        self
    }

    /// Uses only the servers that the application lists or DNS returns, and ignores addresses that servers advertise
    /// (`connect_urls`). Default off. Use this option with load balancers, and if servers advertise addresses that this
    /// client cannot reach.
    pub fn ignore_discovered_servers(mut self) -> Self {
        self.ignore_discovered_servers = true;
        self
    }

    /// Sets the home region: see [`Config::home`]. The client creates streams there, and treats a return to this region
    /// as a fail back. Default: the nearest known region, even while it is down.
    pub fn home(mut self, region: impl Into<String>) -> Self {
        self.config.home = Some(region.into());
        self
    }

    /// Sets how long a publish or a request waits until a live link accepts the message. Default 5 s: longer than most
    /// failovers, and short enough for a user who waits.
    pub fn publish_wait(mut self, limit: Duration) -> Self {
        self.publish_wait = limit;
        self
    }

    /// Sets how long a request waits for its reply. With `None`, the request waits until its link ends. Default 10 s, as
    /// in async-nats.
    pub fn request_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.request_timeout = limit.into();
        self
    }

    /// Sets how many unsent publishes of a dead link the client keeps for the next link. The client drops the oldest
    /// publishes first, and counts dropped publishes in [`Stats::discarded`](super::Stats::discarded). Default 4096.
    /// This option has no effect with [`at_least_once`](Self::at_least_once), which has its own limits.
    pub fn dead_link_buffer(mut self, messages: usize) -> Self {
        self.dead_link_buffer = messages;
        self
    }

    /// Makes the client keep every publish until a server has confirmed the message. When a link dies, or the client
    /// leaves a silent link, the client resends the unconfirmed publishes in order. Default off, because some of these
    /// publishes may have arrived before, and subscribers then get them twice. The client does not resend requests.
    ///
    /// A confirmation means that the server has the message, not that subscribers have it. If that server fails, the
    /// message can still be lost on the way to other regions. If a message must not be lost, publish it to a
    /// [stream](super::jetstream).
    ///
    /// A message that is published after a move may arrive before a message that was published before the move.
    /// Confirmations cost up to fifty small messages per second while the application publishes.
    pub fn at_least_once(mut self, at_least_once: AtLeastOnce) -> Self {
        self.at_least_once = Some(at_least_once);
        self
    }

    /// Avoids duplicates in an orderly move: plain subscriptions then lose some messages, but get none twice. Default
    /// off: during the overlap, both links deliver messages, so no message is lost, and some arrive twice.
    ///
    /// When this option is on, the server of the old link confirms the end of delivery before the new link subscribes.
    /// Messages that are published between these two steps, for about two round trips, are lost. Messages of the old link
    /// arrive before messages of the new link. A message arrives twice only if servers pass it between regions more slowly
    /// than this client moves. Queue groups lose and duplicate nothing, with or without this option.
    pub fn at_most_once(mut self, at_most_once: bool) -> Self {
        self.at_most_once = at_most_once;
        self
    }

    /// Sets the length of the longest protocol line that all servers accept, in bytes (their `max_control_line`). Default
    /// 4096, as in nats-server, because servers do not announce their limit.
    ///
    /// A server closes the connection of a client that sends a longer line. So the client refuses subjects, queue groups,
    /// keys and names that would make a line too long, with the error [`TooLong`](super::TooLong).
    pub fn max_control_line(mut self, bytes: usize) -> Self {
        self.max_control_line = bytes;
        self
    }

    /// Sets how many bytes of unread messages one subscription keeps. Default 64 MiB: the data of one second on a link
    /// with 500 Mbit/s. A subscription never keeps more than 65 536 messages.
    ///
    /// When the buffer is full, the client drops the newest messages. [`Stats::discarded`](super::Stats::discarded)
    /// counts dropped messages, and a notice ([`SlowConsumer`](crate::core::NoticeKind::SlowConsumer)) names the
    /// subscription. Other subscriptions continue.
    pub fn subscription_buffer(mut self, bytes: usize) -> Self {
        self.subscription_buffer = bytes;
        self
    }

    /// Sets how long [`GeoClient::drain`] waits for replies, for acknowledgements, and for messages that the
    /// application still handles. [`Subscription::drain`](super::Subscription::drain) also waits at most this long for
    /// such messages. Default 30 s, as in the official clients.
    pub fn drain_timeout(mut self, limit: Duration) -> Self {
        self.drain_timeout = limit;
        self
    }

    /// Sets the seed of all random choices, such as ties between servers and waiting times. Default random. The same seed
    /// repeats the choices, so give each client a different seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Adds a health check that a region must pass. Default none: a server that answers is healthy.
    pub fn health_check(mut self, check: HealthCheck) -> Self {
        self.health_checks.push(check);
        self
    }

    /// Records all inputs and decisions of the selector in this log, for a later replay. Default none.
    ///
    /// A log serves one client. If you clone these options for a second client, set another log.
    pub fn decision_log(mut self, log: DecisionLog) -> Self {
        self.decision_log = Some(log);
        self
    }

    /// Changes options of each connection of async-nats, such as `no_echo` or `custom_inbox_prefix`. Some options of
    /// async-nats make [`connect`](Self::connect) fail, because [`GeoOptions`] has its own options for the same
    /// purpose; see [`ConnectionOptions`].
    ///
    /// ```
    /// use nats_geo::GeoOptions;
    ///
    /// let options = GeoOptions::new().customize(|connection| connection.no_echo().custom_inbox_prefix("_INBOX_shop"));
    /// ```
    pub fn customize(
        mut self,
        customize: impl Fn(ConnectionOptions) -> ConnectionOptions + Send + Sync + 'static,
    ) -> Self {
        self.customize = Some(Arc::new(customize));
        self
    }
}

impl Default for GeoOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for GeoOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeoOptions")
            .field("config", &self.config)
            .field("auth", &self.auth)
            .field("tls", &self.tls)
            .field("name", &self.name)
            .field("connect_timeout", &self.connect_timeout)
            .field("publish_wait", &self.publish_wait)
            .field("request_timeout", &self.request_timeout)
            .field("dead_link_buffer", &self.dead_link_buffer)
            .field("at_least_once", &self.at_least_once)
            .field("at_most_once", &self.at_most_once)
            .field("max_control_line", &self.max_control_line)
            .field("subscription_buffer", &self.subscription_buffer)
            .field("drain_timeout", &self.drain_timeout)
            .field("seed", &self.seed)
            .field("decision_log", &self.decision_log)
            .field("health_checks", &self.health_checks)
            .field("ignore_discovered_servers", &self.ignore_discovered_servers)
            .field("retry_on_initial_connect", &self.retry_on_initial_connect)
            .finish_non_exhaustive()
    }
}

/// Three dials into blackholes, one after the other.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Detection (3 s), spread (2 s) and dial of a failover of the fleet preset mostly fit in.
const PUBLISH_WAIT: Duration = Duration::from_secs(5);

/// The default of async-nats and most other clients.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// As much as the official clients for other languages keep for one subscription.
const SUBSCRIPTION_BUFFER: usize = 64 << 20;

/// The default of the official clients.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Sixteen times what one link can have in its channel.
const DEAD_LINK_BUFFER: usize = 4_096;
