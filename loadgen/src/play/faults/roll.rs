//! Rolling replacement: the servers of some regions restart, batch by batch.

use super::inject::{Injector, not_done};
use super::strike::{batches, strike};
use crate::cluster::SuperCluster;
use crate::cluster::faults::FaultError;
use crate::play::PlayError;
use crate::scenario::{FaultKind, ReplaceBy};

impl Injector<'_> {
    /// Replaces all servers, batch by batch. Each batch is up and linked before the next one begins.
    pub(super) async fn roll(&mut self, number: usize, cluster: &mut SuperCluster) -> Result<(), PlayError> {
        let fault = self.scenario.faults[number].clone();
        let failed = |error: FaultError| not_done(&fault, error);
        for batch in batches(&fault, cluster) {
            let kind = match fault.options.by.unwrap_or_default() {
                ReplaceBy::LameDuck => FaultKind::LameDuck,
                ReplaceBy::Kill => FaultKind::Kill,
            };
            let struck = strike(kind, &batch, cluster).map_err(failed)?;
            for error in struck.refused {
                self.not_injected(&fault, &error);
            }
            // A server that another fault has ended comes back by the undo of that fault.
            let batch = struck.servers;
            if batch.is_empty() {
                continue;
            }
            self.record(number, struck.at, batch.iter().cloned().collect());
            for server in &batch {
                cluster.wait_retired(server, cluster.retirement_limit()).await.map_err(failed)?;
            }
            let version = fault.options.version.as_deref();
            self.start_with(number, &batch, version, cluster).await.map_err(failed)?;
            self.over(number);
        }
        Ok(())
    }
}
