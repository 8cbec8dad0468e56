//! A run with agents: its back channel, and the lease of its one controller.

use std::time::Duration;

use super::opts::RunOpts;
use crate::ops::{Channel, ChannelError, Lease, LeaseError, OpsServer, OpsServerError};
use crate::play::Controller;

/// The right to give orders to agents, and the way to them.
#[derive(Debug)]
pub(super) struct Control {
    controller: Controller,
    lease: Lease,
    /// The server of the back channel, if loadgen started it.
    server: Option<OpsServer>,
}

/// Why nobody can give orders to agents.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The server of the back channel did not start.
    #[error(transparent)]
    Server(#[from] OpsServerError),
    /// The back channel failed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// Another controller gives orders.
    #[error(transparent)]
    Lease(#[from] LeaseError),
}

impl Control {
    /// Takes control of the agents, if the run is to have some.
    pub(super) async fn take(opts: &RunOpts, scenario: &str) -> Result<Option<Self>, ControlError> {
        let Some(agents) = opts.agents else { return Ok(None) };
        let server = match &opts.ops {
            Some(_) => None,
            None => Some(OpsServer::start(opts.nats_server.as_deref(), None, opts.listen.ip()).await?),
        };
        let Some(url) = opts.ops.as_ref().or_else(|| server.as_ref().map(OpsServer::url)) else {
            return Ok(None);
        };
        if server.is_some() {
            eprintln!("the back channel is up: start agents with");
            eprintln!("  loadgen agent --region REGION --ops {}", url.expose());
        }
        let channel = Channel::connect(url, opts.ops_creds.as_deref(), "loadgen controller").await?;
        // The seed tells processes with the same number on different machines apart.
        let (pid, token) = (std::process::id(), crate::seed::random() as u32);
        let holder = format!("process {pid} plays {} (lease {token:08x})", opts.scenario);
        let lease = Lease::take(&channel, &holder).await?;
        let patience = Duration::from_secs(opts.agents_wait.into());
        let scenario = scenario.to_owned();
        let controller = Controller { channel, agents: agents.into(), patience, scenario };
        Ok(Some(Self { controller, lease, server }))
    }

    pub(super) const fn controller(&self) -> &Controller {
        &self.controller
    }

    /// Gives the control back.
    pub(super) async fn release(self) {
        self.lease.release().await;
        if let Some(server) = self.server {
            server.shutdown().await;
        }
    }
}
