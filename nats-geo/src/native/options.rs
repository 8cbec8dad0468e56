//! How a client is set up.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::again::AtLeastOnce;
use super::lines::CONTROL_LINE_MAX;
use super::names::Names;
use super::observe::DecisionLog;
use super::{Auth, ConnectError, Gate, GeoClient, IntoServers, Secret, Tls};
use crate::core::Config;

mod connection;
pub use connection::{ConnectionOptions, WithoutEffect};

mod start;

/// Connects to the nearest of these servers with the defaults of [`GeoOptions`]. For the ways to list
/// servers see [`IntoServers`].
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
/// As [`GeoOptions::connect`].
pub async fn connect(servers: impl IntoServers) -> Result<GeoClient, ConnectError> {
    GeoOptions::new().connect(servers).await
}

/// Options of a client. Credentials and limits are set here, the policy in [`Config`], and what is particular
/// to async-nats with [`customize`](Self::customize).
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
    gates: Vec<Gate>,
    ignore_discovered_servers: bool,
    retry_on_initial_connect: bool,
    customize: Option<Customize>,
}

/// See [`GeoOptions::customize`].
pub(crate) type Customize = Arc<dyn Fn(ConnectionOptions) -> ConnectionOptions + Send + Sync>;

impl GeoOptions {
    /// The defaults: [`Config::fleet`], no credentials.
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
            gates: Vec::new(),
            ignore_discovered_servers: false,
            retry_on_initial_connect: false,
            customize: None,
        }
    }

    /// The policy: when to move, where to, and how often to look. Default [`Config::fleet`].
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// One more server, in a region that you name: for servers that do not know their region, or not as you
    /// call it. `region=url` in a list is the same.
    pub fn server_with_region(mut self, url: impl Into<String>, region: impl Into<String>) -> Self {
        self.labelled.push((url.into(), region.into()));
        self
    }

    /// A name that stands for servers, besides those that are listed. There may be several.
    #[cfg(feature = "dns")]
    pub fn dns(mut self, name: super::dns::Dns) -> Self {
        self.names.push(name);
        self
    }

    /// Credentials for servers that have none in their URL. Default [`Auth::None`].
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// User and password, as [`auth`](Self::auth).
    pub fn user_and_password(self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.auth(Auth::UserAndPassword { user: user.into(), password: password.into() })
    }

    /// A token, as [`auth`](Self::auth).
    pub fn token(self, token: impl Into<Secret>) -> Self {
        self.auth(Auth::Token(token.into()))
    }

    /// An NKey by its seed (`SU...`), as [`auth`](Self::auth) with [`Auth::NKey`].
    pub fn nkey(self, seed: impl Into<Secret>) -> Self {
        self.auth(Auth::NKey(seed.into()))
    }

    /// A creds file, as [`auth`](Self::auth) with [`Auth::CredsFile`].
    pub fn creds_file(self, path: impl Into<PathBuf>) -> Self {
        self.auth(Auth::CredsFile(path.into()))
    }

    /// How connections are encrypted, and never without. Default: as URLs and servers ask for, with the authorities
    /// of the operating system.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The name of the connections in the servers' monitoring. Default none.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// [`connect`](Self::connect) fails when no link is live after this long. Default 10 s: a dial into a
    /// blackhole takes 3 s, and there is time for a round of others.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// [`connect`](Self::connect) returns at once and the client connects in the background, however long that takes.
    /// Default off. Meanwhile the client is as while it is offline: subscriptions succeed and are installed on the first
    /// link; publishes and requests wait for [`publish_wait`](Self::publish_wait), then fail. Refused credentials are
    /// announced by [`NoticeKind::CredentialsRefused`](crate::core::NoticeKind::CredentialsRefused) and tried again.
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

    /// Uses only the servers that are listed or looked up, and not those that they advertise (`connect_urls`). Default
    /// off. For servers that advertise addresses which this client cannot reach, and for load balancers.
    pub fn ignore_discovered_servers(mut self) -> Self {
        self.ignore_discovered_servers = true;
        self
    }

    /// The region that this client belongs to: see [`Config::home`]. Streams are made there, and a return to it counts
    /// as one after a failure. Default: the nearest region that is known, also while it is down.
    pub fn home(mut self, region: impl Into<String>) -> Self {
        self.config.home = Some(region.into());
        self
    }

    /// A publish, or the sending of a request, waits at most this long for a live link that takes it.
    /// Default 5 s: longer than a failover, shorter than people wait.
    pub fn publish_wait(mut self, limit: Duration) -> Self {
        self.publish_wait = limit;
        self
    }

    /// A request waits at most this long for its answer. `None`: as long as its link lives. Default 10 s, as
    /// in async-nats.
    pub fn request_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.request_timeout = limit.into();
        self
    }

    /// How many publishes of a dead link are kept to be sent on the next one; the oldest are given up first
    /// and counted in [`Stats::discarded`](super::Stats::discarded). Default 4096. Of no effect with
    /// [`at_least_once`](Self::at_least_once), which has its own bounds.
    pub fn dead_link_buffer(mut self, messages: usize) -> Self {
        self.dead_link_buffer = messages;
        self
    }

    /// Keeps every publish until its server has confirmed it, and sends again what was not confirmed when a link was lost
    /// or left in a hurry, in order. Default off: some of it will have arrived, so that subscribers see it twice.
    ///
    /// Confirmed is what the server has, not what subscribers have: what it sends on to other regions can still be lost
    /// with it. What must not be lost at all goes to a [stream](super::jetstream). Requests are not sent again.
    ///
    /// What was published before the move and what is published after it may overtake each other. Confirmations cost up
    /// to fifty small messages per second while something is published.
    pub fn at_least_once(mut self, at_least_once: AtLeastOnce) -> Self {
        self.at_least_once = Some(at_least_once);
        self
    }

    /// Whether an orderly move may rather lose messages of plain subscriptions than double them, and keeps
    /// their order. Default off: both links deliver during the overlap, nothing is lost, and some messages
    /// come twice.
    ///
    /// When on, the old link stops to deliver, and has confirmed that, before the new one begins: what is
    /// published in between, about two round trips, is lost, and what comes from the old link comes first.
    /// Only a message that the servers take longer to pass between them than it takes through this client can
    /// still come twice. Queue groups are the same either way: none lost, none doubled.
    pub fn at_most_once(mut self, at_most_once: bool) -> Self {
        self.at_most_once = at_most_once;
        self
    }

    /// The longest protocol line that all servers read, in bytes: their `max_control_line`. Default 4096, as in nats-server,
    /// because a server does not tell its limit.
    ///
    /// A server closes the connection of a client that sends a longer line. So the client refuses names that would make one
    /// (subjects, reply subjects and queue groups, and keys and names that become part of them) with [`TooLong`](super::TooLong).
    pub fn max_control_line(mut self, bytes: usize) -> Self {
        self.max_control_line = bytes;
        self
    }

    /// How many bytes of messages one subscription keeps that the application has not read. Default 64 MiB: a second of a
    /// link with 500 Mbit/s. It never keeps more than 65 536 messages.
    ///
    /// When there is no room, the newest messages are lost: [`Stats::discarded`](super::Stats::discarded) counts them, and a notice
    /// ([`SlowConsumer`](crate::core::NoticeKind::SlowConsumer)) names the subscription. Others go on.
    pub fn subscription_buffer(mut self, bytes: usize) -> Self {
        self.subscription_buffer = bytes;
        self
    }

    /// [`GeoClient::drain`] waits at most this long for answers, acknowledgements and handlers, and
    /// [`Subscription::drain`](super::Subscription::drain) for handlers. Default 30 s, as in the official clients.
    pub fn drain_timeout(mut self, limit: Duration) -> Self {
        self.drain_timeout = limit;
        self
    }

    /// Which client this is, among many: ties between servers and waiting times depend on it. Default
    /// random. The same seed makes the same choices, so give no two clients the same one.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// One more check that a region must pass to be of use. Default none: a server that answers is good enough.
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gates.push(gate);
        self
    }

    /// Everything that the selector is told and decides is written here, so that it can be played again. Default none.
    ///
    /// A log is for one client: whoever clones these options and connects again gives it another one.
    pub fn decision_log(mut self, log: DecisionLog) -> Self {
        self.decision_log = Some(log);
        self
    }

    /// Changes what is set for each connection of async-nats, such as `no_echo` or `custom_inbox_prefix`. An option that
    /// belongs to the client makes [`connect`](Self::connect) fail; see [`ConnectionOptions`].
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
            .field("gates", &self.gates)
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
