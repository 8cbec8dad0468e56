//! Options of each connection of async-nats.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::{ConnectOptions, Event, ReconnectToServer, Server, ServerInfo};
use tokio_rustls::rustls::ClientConfig;

/// Options of each connection, with the names of [`async_nats::ConnectOptions`]. Use them in
/// [`GeoOptions::customize`](super::GeoOptions::customize).
///
/// These options have an effect: [`no_echo`](Self::no_echo), [`custom_inbox_prefix`](Self::custom_inbox_prefix),
/// [`subscription_capacity`](Self::subscription_capacity), [`read_buffer_capacity`](Self::read_buffer_capacity) and
/// [`local_address`](Self::local_address). With any other option, [`GeoOptions::connect`](super::GeoOptions::connect)
/// fails, and the error names the API to use instead.
#[must_use = "return it from the closure"]
pub struct ConnectionOptions {
    options: ConnectOptions,
    local_address: Option<SocketAddr>,
    without_effect: Option<WithoutEffect>,
}

/// The error when [`GeoOptions::customize`](super::GeoOptions::customize) sets an option that has no effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{option}` in `customize` cannot have an effect, because the client {reason}; use {instead} instead"
)]
pub struct WithoutEffect {
    /// Name of the async-nats option that has no effect here.
    pub option: &'static str,
    /// The reason: the client does this by itself.
    reason: &'static str,
    /// The API to use instead.
    pub instead: &'static str,
}

impl ConnectionOptions {
    pub(crate) const fn new(options: ConnectOptions) -> Self {
        Self { options, local_address: None, without_effect: None }
    }

    /// The first option that cannot have its effect, if there is one.
    pub(crate) const fn check(&self) -> Result<(), WithoutEffect> {
        match self.without_effect {
            Some(without_effect) => Err(without_effect),
            None => Ok(()),
        }
    }

    /// The options of async-nats, and the address to dial from.
    pub(crate) fn into_parts(self) -> (ConnectOptions, Option<SocketAddr>) {
        (self.options, self.local_address)
    }

    /// Prevents servers from delivering messages of this client to subscriptions of the same client.
    pub fn no_echo(mut self) -> Self {
        self.options = self.options.no_echo();
        self
    }

    /// Sets the prefix of the subjects for replies. Default `_INBOX`.
    pub fn custom_inbox_prefix<T: ToString>(mut self, prefix: T) -> Self {
        self.options = self.options.custom_inbox_prefix(prefix);
        self
    }

    /// Sets how many messages async-nats keeps for one subscription until this client reads them. Default 65 536.
    pub fn subscription_capacity(mut self, capacity: usize) -> Self {
        self.options = self.options.subscription_capacity(capacity);
        self
    }

    /// Sets how many bytes async-nats reads from the socket at once. Default 65 535.
    pub fn read_buffer_capacity(mut self, size: u16) -> Self {
        self.options = self.options.read_buffer_capacity(size);
        self
    }

    /// Sets the local address from which the client dials. Default: the operating system chooses.
    pub fn local_address(mut self, address: SocketAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    fn without_effect(mut self, option: &'static str, reason: &'static str, instead: &'static str) -> Self {
        self.without_effect = self.without_effect.or(Some(WithoutEffect { option, reason, instead }));
        self
    }
}

const DECIDES: &str = "decides by itself where and when to dial";
const ENCRYPTS: &str = "encrypts all its connections and probes in the same way";
const PROVES: &str = "proves who it is in the same way to all servers";

/// Options without an effect.
impl ConnectionOptions {
    /// Has no effect: use [`GeoOptions::ignore_discovered_servers`](super::GeoOptions::ignore_discovered_servers).
    pub fn ignore_discovered_servers(self) -> Self {
        self.without_effect("ignore_discovered_servers", DECIDES, "`GeoOptions::ignore_discovered_servers`")
    }

    /// Has no effect: use [`GeoOptions::retry_on_initial_connect`](super::GeoOptions::retry_on_initial_connect).
    pub fn retry_on_initial_connect(self) -> Self {
        self.without_effect("retry_on_initial_connect", DECIDES, "`GeoOptions::retry_on_initial_connect`")
    }

    /// Has no effect: use [`GeoClient::notices`](crate::GeoClient::notices).
    pub fn event_callback<F, Fut>(self, _callback: F) -> Self
    where
        F: Fn(Event) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + 'static + Send + Sync,
    {
        self.without_effect(
            "event_callback",
            "follows the events of many connections",
            "`GeoClient::notices`",
        )
    }

    /// Has no effect: use [`GeoOptions::publish_wait`](super::GeoOptions::publish_wait).
    pub fn client_capacity(self, _capacity: usize) -> Self {
        self.without_effect("client_capacity", "keeps this queue short", "`GeoOptions::publish_wait`")
    }

    /// Has no effect: use [`GeoOptions::connect_timeout`](super::GeoOptions::connect_timeout) or
    /// [`DialConfig::timeout`](crate::core::DialConfig::timeout).
    pub fn connection_timeout(self, _timeout: Duration) -> Self {
        let instead = "`GeoOptions::connect_timeout` or `Config::dial.timeout`";
        self.without_effect("connection_timeout", DECIDES, instead)
    }

    /// Has no effect: use [`GeoOptions::request_timeout`](super::GeoOptions::request_timeout).
    pub fn request_timeout(self, _timeout: Option<Duration>) -> Self {
        let reason = "has requests of its own";
        self.without_effect("request_timeout", reason, "`GeoOptions::request_timeout`")
    }

    /// Has no effect: use [`WatchConfig::ping_interval`](crate::core::WatchConfig::ping_interval).
    pub fn ping_interval(self, _interval: Duration) -> Self {
        self.without_effect("ping_interval", "has PINGs of its own", "`Config::watch.ping_interval`")
    }

    /// Has no effect: use [`DialConfig`](crate::core::DialConfig).
    pub fn max_reconnects<T: Into<Option<usize>>>(self, _max: T) -> Self {
        self.without_effect("max_reconnects", DECIDES, "`Config::dial`")
    }

    /// Has no effect: use [`DialConfig`](crate::core::DialConfig).
    pub fn reconnect_delay_callback<F>(self, _callback: F) -> Self
    where
        F: Fn(usize) -> Duration + Send + Sync + 'static,
    {
        self.without_effect("reconnect_delay_callback", DECIDES, "`Config::dial` and `Config::spread`")
    }

    /// Has no effect: use [`GeoOptions::server_with_region`](super::GeoOptions::server_with_region) or
    /// [`GeoClient::set_servers`](crate::GeoClient::set_servers).
    pub fn reconnect_to_server_callback<F, Fut>(self, _callback: F) -> Self
    where
        F: Fn(Vec<Server>, ServerInfo) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<ReconnectToServer>> + Send + Sync + 'static,
    {
        let instead = "`GeoOptions::server_with_region` or `GeoClient::set_servers`";
        self.without_effect("reconnect_to_server_callback", DECIDES, instead)
    }

    /// Has no effect: use [`GeoOptions::server_with_region`](super::GeoOptions::server_with_region).
    pub fn retain_servers_order(self) -> Self {
        let instead = "`GeoOptions::server_with_region` and `Config::home`";
        self.without_effect("retain_servers_order", DECIDES, instead)
    }

    /// Has no effect: use [`GeoOptions::tls`](super::GeoOptions::tls).
    pub fn require_tls(self, _is_required: bool) -> Self {
        self.without_effect("require_tls", ENCRYPTS, "`GeoOptions::tls`")
    }

    /// Has no effect: use [`Tls::first`](crate::Tls::first).
    pub fn tls_first(self) -> Self {
        self.without_effect("tls_first", ENCRYPTS, "`Tls::first` with `GeoOptions::tls`")
    }

    /// Has no effect: use [`GeoOptions::tls`](super::GeoOptions::tls).
    pub fn tls_client_config(self, _config: ClientConfig) -> Self {
        self.without_effect("tls_client_config", ENCRYPTS, "`GeoOptions::tls`")
    }

    /// Has no effect: use [`GeoOptions::tls`](super::GeoOptions::tls).
    pub fn add_root_certificates(self, _path: PathBuf) -> Self {
        self.without_effect("add_root_certificates", ENCRYPTS, "`GeoOptions::tls`")
    }

    /// Has no effect: use [`GeoOptions::tls`](super::GeoOptions::tls).
    pub fn add_client_certificate(self, _cert: PathBuf, _key: PathBuf) -> Self {
        self.without_effect("add_client_certificate", ENCRYPTS, "`GeoOptions::tls`")
    }

    /// Has no effect: use [`GeoOptions::token`](super::GeoOptions::token).
    pub fn token(self, _token: String) -> Self {
        self.without_effect("token", PROVES, "`GeoOptions::token`")
    }

    /// Has no effect: use [`GeoOptions::user_and_password`](super::GeoOptions::user_and_password).
    pub fn user_and_password(self, _user: String, _password: String) -> Self {
        self.without_effect("user_and_password", PROVES, "`GeoOptions::user_and_password`")
    }

    /// Has no effect: use [`GeoOptions::nkey`](super::GeoOptions::nkey).
    pub fn nkey(self, _seed: String) -> Self {
        self.without_effect("nkey", PROVES, "`GeoOptions::nkey`")
    }

    /// Has no effect: use [`GeoOptions::name`](super::GeoOptions::name).
    pub fn name<T: ToString>(self, _name: T) -> Self {
        self.without_effect("name", "gives all its connections one name", "`GeoOptions::name`")
    }

    /// Has no effect: the client always checks subjects.
    pub fn skip_subject_validation(self, _skip: bool) -> Self {
        let reason = "checks subjects before a connection has them";
        self.without_effect("skip_subject_validation", reason, "valid subjects")
    }
}

impl fmt::Debug for ConnectionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options of async-nats may have credentials.
        f.debug_struct("ConnectionOptions")
            .field("local_address", &self.local_address)
            .field("without_effect", &self.without_effect)
            .finish_non_exhaustive()
    }
}
