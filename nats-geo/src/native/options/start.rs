//! The start of a client.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex};

use async_nats::ConnectOptions;
use tokio::sync::{broadcast, mpsc, watch};
use tracing::Instrument as _;

use super::{ConnectionOptions, GeoOptions};
use crate::core::Selector;
use crate::native::client::ClientParts;
use crate::native::clock::Clock;
use crate::native::connect::Progress;
use crate::native::driver::{Driver, Endpoints, Parts};
use crate::native::health::HealthChecks;
use crate::native::hub::{ActiveLink, Hub, Limits};
use crate::native::link::Settings;
use crate::native::notices::NOTICES_MAX;
use crate::native::observe::events::span;
use crate::native::resend::ResendBuffer;
use crate::native::tls::Sessions;
use crate::native::{ConnectError, GeoClient, IntoServers, ServerUrl, ServerUrlError};

impl GeoOptions {
    /// Connects to the nearest of all these servers: `servers`, the servers that
    /// [`server_with_region`](Self::server_with_region) added, and the servers of DNS names. Returns when the first
    /// link is live.
    ///
    /// # Errors
    /// The call fails at once if the list, the configuration or an [option of a connection](ConnectionOptions) is
    /// invalid. It fails within seconds if servers refuse the credentials: see [`ConnectError::Auth`]. It fails after
    /// [`connect_timeout`](Self::connect_timeout) if no link is live. The error then names the failure of each server.
    pub async fn connect(self, servers: impl IntoServers) -> Result<GeoClient, ConnectError> {
        let mut listed = servers.into_servers()?;
        for (url, region) in &self.labelled {
            listed.push(ServerUrl { region: Some(region.clone()), ..url.parse()? });
        }
        if listed.is_empty() && self.names.is_empty() {
            return Err(ServerUrlError::Empty.into());
        }
        if let Some(customize) = &self.customize {
            customize(ConnectionOptions::new(ConnectOptions::new())).check()?;
        }
        self.auth.check().await?;
        let sessions = Arc::new(Sessions::new(self.tls.clone()));
        let asked_for = listed.iter().any(|server| server.scheme.has_tls()) || self.names.have_tls();
        if sessions.is_demanded() || asked_for {
            // What cannot be read is told now, and not with every dial.
            let _made = sessions.config().await?;
        }
        let (waited, in_background) = (self.connect_timeout, self.retry_on_initial_connect);
        let progress = Progress::new();
        let client = self.start(listed, sessions, progress.clone())?;
        if in_background {
            return Ok(client);
        }
        let mut active_link = client.hub().active_link();
        let live = active_link.wait_for(|active| matches!(active, ActiveLink::Live(_)));
        let failure = tokio::select! {
            biased;
            _ = live => None,
            refused = progress.refused() => Some(refused),
            () = tokio::time::sleep(waited) => Some(progress.timed_out(waited)),
        };
        failure.map_or(Ok(client), Err)
    }

    fn start(
        self,
        servers: Vec<ServerUrl>,
        sessions: Arc<Sessions>,
        progress: Progress,
    ) -> Result<GeoClient, ConnectError> {
        let clock = Clock::start();
        let (origins, findings) = self.names.watch();
        // Keyed anew by the operating system in every process, and differently at every call.
        let seed = self.seed.unwrap_or_else(|| RandomState::new().hash_one(servers.len()));
        let health_checks = HealthChecks::new(self.health_checks, &self.config)?;
        let started = clock.now();
        let selector = Selector::new(self.config.clone(), seed, started)?;
        let log = self.decision_log.map(|log| log.start(self.config, seed, started));
        let recorder = log.transpose()?;
        let selector = Arc::new(Mutex::new(selector));
        let kept = self.at_least_once.map(|it| Arc::new(ResendBuffer::new(it.limits())));
        let limits = Limits {
            publish_wait: self.publish_wait,
            request_timeout: self.request_timeout,
            backlog: self.dead_link_buffer,
            at_most_once: self.at_most_once,
            max_control_line: self.max_control_line,
            subscription_buffer: self.subscription_buffer,
            drain_timeout: self.drain_timeout,
        };
        let hub = Arc::new(Hub::new(limits, kept.clone()));
        let (notices, _) = broadcast::channel(NOTICES_MAX);
        let (relist, lists) = mpsc::channel(LISTS_MAX);
        let observed = Arc::default();
        let driver = Driver::new(Parts {
            selector: Arc::clone(&selector),
            clock,
            hub: Arc::clone(&hub),
            endpoints: Endpoints::new(servers, origins, &self.auth, self.ignore_discovered_servers),
            settings: Settings {
                name: self.name.clone(),
                sessions: Arc::clone(&sessions),
                kept,
                customize: self.customize,
                max_control_line: self.max_control_line,
                guard: Arc::default(),
            },
            findings,
            lists,
            notices: notices.clone(),
            progress: progress.clone(),
            observed: Arc::clone(&observed),
            recorder,
            health_checks,
        });
        let stop = watch::Sender::new(false);
        let span = span!(CLIENT_SPAN, client = self.name);
        let driver = tokio::spawn(driver.run(stop.subscribe()).instrument(span));
        Ok(GeoClient::new(ClientParts {
            hub,
            selector,
            clock,
            notices,
            stop,
            driver,
            name: self.name,
            progress,
            observed,
            sessions,
            relist,
        }))
    }
}

/// Lists that wait for the driver, which takes them at once.
const LISTS_MAX: usize = 4;
