//! Orders to a server about one of its clients: lame duck, and disconnect.

use std::time::Instant;

use super::monitor::MonitorError;
use super::settings::Auth;
use super::{LoginError, SuperCluster, UnknownNameError, login};
use crate::client_order::ClientOrder;
use crate::clock;
use crate::topology::ServerName;
use crate::topology::credentials::KeyError;

/// Why a server did not carry out an order about a client.
#[derive(Debug, thiserror::Error)]
pub enum ClientOrderError {
    /// There is no such server.
    #[error(transparent)]
    UnknownName(#[from] UnknownNameError),
    /// Only a user of the system account may give orders, and loadgen is none.
    #[error(
        "cannot order {server} to {what}: only a user of the system account may do this, and there is none; use a topology with \
         accounts instead of a token"
    )]
    NoSystemAccount {
        /// The server.
        server: ServerName,
        /// The order.
        what: String,
    },
    /// The server does not run.
    #[error("cannot order {server} to {what}: the server is {state}")]
    State {
        /// The server.
        server: ServerName,
        /// The order.
        what: String,
        /// What it is.
        state: &'static str,
    },
    /// Its id could not be learned.
    #[error("cannot order {server} to {what}: {error}")]
    Monitor {
        /// The server.
        server: ServerName,
        /// The order.
        what: String,
        /// The error.
        error: MonitorError,
    },
    /// The system account has no keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It took no connection of the system account.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// It did not answer, or said no.
    #[error("{server} refused to {what}: {reason}; `/connz` of the server lists its clients")]
    Refused {
        /// The server.
        server: ServerName,
        /// The order.
        what: String,
        /// The server's answer.
        reason: String,
    },
}

impl SuperCluster {
    /// Puts one client of a server into lame duck mode: the server sends it an INFO with `ldm`, and closes nothing. `cid` is the
    /// number in `/connz`.
    ///
    /// # Errors
    /// See [`ClientOrderError`].
    pub async fn lame_duck_client(&self, server: &str, cid: u64) -> Result<Instant, ClientOrderError> {
        self.order(server, ClientOrder::LameDuck, cid, format!("send client {cid} into lame duck mode")).await
    }

    /// Lets a server close the connection of one client. `cid` is the number in `/connz`.
    ///
    /// # Errors
    /// See [`ClientOrderError`].
    pub async fn kick_client(&self, server: &str, cid: u64) -> Result<Instant, ClientOrderError> {
        self.order(server, ClientOrder::Disconnect, cid, format!("disconnect client {cid}")).await
    }

    async fn order(
        &self,
        server: &str,
        order: ClientOrder,
        cid: u64,
        what: String,
    ) -> Result<Instant, ClientOrderError> {
        let server = self.find(server)?;
        let place = &self.servers[&server];
        if self.topology.system_account().is_none() || matches!(self.settings.auth, Auth::Custom(_)) {
            return Err(ClientOrderError::NoSystemAccount { server, what });
        }
        if !place.is_up() {
            return Err(ClientOrderError::State { server, what, state: place.state().as_str() });
        }
        let id = match place.monitor().varz().await {
            Ok(varz) => varz.server_id,
            Err(error) => return Err(ClientOrderError::Monitor { server, what, error }),
        };
        let urls = [format!("nats://{}", place.client_addr())];
        let client = login::connect(&urls, &self.system_login()?, self.tls.as_ref()).await?;
        match order.send(&client, &id, cid).await {
            Ok(()) => Ok(clock::now()),
            Err(reason) => Err(ClientOrderError::Refused { server, what, reason }),
        }
    }
}
