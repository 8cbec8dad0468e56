//! Changes of accounts while servers run. loadgen verifies each server, and rolls all servers back if one refuses the
//! change.

use std::io;
use std::time::Duration;

use futures_util::StreamExt as _;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::server::Server;
use super::start::write;
use super::wiring::ConfigChanges;
use super::{SuperCluster, login};
use crate::clock;
use crate::topology::credentials::KeyError;
use crate::topology::render::{auth_files, server};
use crate::topology::spec::AuthKind;
use crate::topology::{ServerName, Topology, account_claims};

/// Why a change was not applied. All servers have their old configuration then, except after [`NotRolledBack`](Self::NotRolledBack).
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// No keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// Servers differ now: some have the new configuration.
    #[error(
        "{error}; not all servers returned to the old configuration: {rollback}; end this super-cluster and start it again"
    )]
    NotRolledBack {
        /// Why the change was not applied.
        error: String,
        /// Why it was not undone.
        rollback: String,
    },
    /// A file or a process.
    #[error("cannot change the configuration of {server}: {error}")]
    Io {
        /// The server.
        server: ServerName,
        /// Error of the operating system.
        error: io::Error,
    },
    /// Accounts change, and a server cannot take the change.
    #[error("{0} is paused, and takes no change of accounts: continue {0} first")]
    Paused(ServerName),
    /// The server did not take it.
    #[error("{server} refused the configuration: {reason}")]
    Refused {
        /// The server.
        server: ServerName,
        /// What it logged.
        reason: String,
    },
}

impl SuperCluster {
    /// Gives every server its configuration of `topology`, which may differ from the present one in accounts only. A server that
    /// is not up gets it with its next start.
    ///
    /// # Errors
    /// See [`ReloadError`].
    pub async fn reload(&mut self, topology: Topology) -> Result<(), ReloadError> {
        self.reload_with(topology, self.config_changes.clone()).await
    }

    /// The same, with other changes by faults.
    pub(super) async fn reload_with(
        &mut self,
        topology: Topology,
        changes: ConfigChanges,
    ) -> Result<(), ReloadError> {
        let claims_differ = self.claims_differ(&topology)?;
        if claims_differ {
            self.check_paused()?;
        }
        let old = std::mem::replace(&mut self.topology, topology);
        let old_changes = std::mem::replace(&mut self.config_changes, changes);
        let done = self.reload_all(claims_differ).await;
        if done.is_err() {
            self.topology = old;
            self.config_changes = old_changes;
            // The servers that took the new one, and the files of the others. They ran with this one a moment ago.
            if let (Err(error), Err(rollback)) = (&done, self.reload_all(claims_differ).await) {
                let (error, rollback) = (error.to_string(), rollback.to_string());
                return Err(ReloadError::NotRolledBack { error, rollback });
            }
        }
        done
    }

    /// Returns whether the JWTs of accounts change, as they can in operator mode.
    fn claims_differ(&self, topology: &Topology) -> Result<bool, KeyError> {
        let of = |topology: &Topology| match topology.spec().auth.kind {
            AuthKind::Operator => account_claims(topology, &self.credentials),
            _ => Ok(Vec::new()),
        };
        Ok(of(&self.topology)? != of(topology)?)
    }

    /// A paused server takes no JWT, and does not read it from its configuration when it continues.
    fn check_paused(&self) -> Result<(), ReloadError> {
        let paused = self.servers.iter().find(|(_, server)| server.is_paused());
        paused.map_or(Ok(()), |(name, _)| Err(ReloadError::Paused(name.clone())))
    }

    async fn reload_all(&self, claims_differ: bool) -> Result<(), ReloadError> {
        let first = || self.servers.keys().next().cloned().unwrap_or_default();
        self.write_auth_files()?.map_err(|error| ReloadError::Io { server: first(), error })?;
        for name in self.servers.keys() {
            self.reload_one(name, claims_differ).await?;
        }
        Ok(())
    }

    /// Writes the files of all users, and removes those of users who are gone.
    fn write_auth_files(&self) -> Result<io::Result<()>, KeyError> {
        let (folder, files) = (self.wires().auth_dir(), auth_files(&self.topology, &self.credentials)?);
        let write_all = || {
            for (name, text) in &files {
                write(&folder.join(name), text.expose())?;
            }
            for entry in std::fs::read_dir(&folder).into_iter().flatten() {
                let entry = entry?;
                if !files.iter().any(|(name, _)| entry.file_name() == name.as_str()) {
                    std::fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        Ok(write_all())
    }

    async fn reload_one(&self, name: &ServerName, claims_differ: bool) -> Result<(), ReloadError> {
        let (Some(server), Some(described)) = (self.servers.get(name), self.topology.server(name)) else {
            return Ok(());
        };
        let failed = |error| ReloadError::Io { server: name.clone(), error };
        let refused = |reason: String| ReloadError::Refused { server: name.clone(), reason };
        let wires = self.wires();
        let text = server::config(
            &self.topology,
            described,
            &wires.of(described, server.ports()),
            &self.credentials,
        )?;
        let file = wires.files(name).config;
        if std::fs::read_to_string(&file).is_ok_and(|present| present == text) {
            return Ok(());
        }
        if !server.is_up() {
            write(&file, &text).map_err(failed)?;
            // The signal waits until the server continues.
            return if server.is_paused() { server.signal(Signal::SIGHUP).map_err(failed) } else { Ok(()) };
        }
        let monitor = server.monitor();
        let loaded = || async { monitor.varz().await.map(|varz| varz.config_load_time) };
        let before = loaded().await.map_err(|error| refused(error.to_string()))?;
        let logged = std::fs::metadata(server.log()).map_or(0, |metadata| metadata.len());
        write(&file, &text).map_err(failed)?;
        server.signal(Signal::SIGHUP).map_err(failed)?;
        let deadline = clock::now() + LIMIT;
        loop {
            if loaded().await.is_ok_and(|now| now != before) {
                return if claims_differ { self.send_claims(name, server).await } else { Ok(()) };
            }
            if let Some(reason) = failure(server.log(), logged) {
                return Err(refused(reason));
            }
            if clock::now() >= deadline {
                return Err(refused(format!("nothing within {} s", LIMIT.as_secs())));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

impl SuperCluster {
    /// Sends a server the JWTs of all accounts. In operator mode a reload does not change accounts that are loaded already.
    async fn send_claims(&self, name: &ServerName, server: &Server) -> Result<(), ReloadError> {
        let refused = |reason: String| ReloadError::Refused { server: name.clone(), reason };
        let (login, tls) = (self.system_login()?, self.tls.as_ref());
        let own = [format!("nats://{}", server.client_addr())];
        let client = match login::connect(&own, &login, tls).await {
            // A fault may limit its connections, or let its certificate expire. The others pass the JWTs on.
            Err(_) => login::connect(&self.admin_urls(), &login, tls).await,
            client => client,
        };
        let client = client.map_err(|error| refused(error.to_string()))?;
        for (account, jwt) in account_claims(&self.topology, &self.credentials)? {
            let updated = tokio::time::timeout(LIMIT, update_account(&client, name, &account, jwt)).await;
            let updated = updated.unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs())));
            updated.map_err(|reason| refused(format!("account {account}: {reason}")))?;
        }
        Ok(())
    }
}

/// Sends an account's JWT, and waits until this server has taken it. Every server that hears it answers.
async fn update_account(
    client: &async_nats::Client,
    server: &ServerName,
    account: &str,
    jwt: String,
) -> Result<(), String> {
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
    let subject = format!("$SYS.REQ.ACCOUNT.{account}.CLAIMS.UPDATE");
    let sent = client.publish_with_reply(subject, inbox, jwt.into()).await;
    sent.map_err(|error| error.to_string())?;
    while let Some(answer) = answers.next().await {
        let answer: Value = serde_json::from_slice(&answer.payload).map_err(|error| error.to_string())?;
        if answer["server"]["name"] != server.as_str() {
            continue;
        }
        return match answer.get("error") {
            None => Ok(()),
            Some(error) => Err(error.to_string()),
        };
    }
    Err("the connection closed before the answer".to_owned())
}

/// A reload takes milliseconds.
const LIMIT: Duration = Duration::from_secs(5);
/// How often the server is asked.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Returns the reason of a failed reload that the server has logged beyond the first `from` bytes of its log.
fn failure(log: &std::path::Path, from: u64) -> Option<String> {
    let text = std::fs::read(log).ok()?;
    let new = String::from_utf8_lossy(text.get(usize::try_from(from).ok()?..)?).into_owned();
    let line = new.lines().find(|line| line.contains("Failed to reload"))?;
    Some(line.split_once("configuration: ").map_or(line, |(_, reason)| reason).to_owned())
}
