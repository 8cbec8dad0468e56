//! A run as a bundle: its manifest, and its copy in a store.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::opts::RunOpts;
use crate::outcome::Report;
use crate::scenario::TimedFault;
use crate::scenario::spec::FaultSpec;
use crate::seed;
use crate::store::{
    BundleError, Host, Origin, RunId, Store, StoreError, StoreUrl, redact_change, write_bundle,
};

/// The bundle of a run that goes on.
#[derive(Debug)]
pub(super) struct Keeping {
    origin: Origin,
    store: Option<Store>,
}

impl Keeping {
    /// Names the run, and announces it in the store of `--store`. `scenario` is the scenario's text without secrets.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(super) async fn begin(
        start: SystemTime,
        name: &str,
        scenario: String,
        (opts, cores): (&RunOpts, usize),
    ) -> Result<Self, StoreError> {
        // Half of the seed's bits tell runs of one second apart.
        let run = RunId::new(start, seed::random() as u32);
        let store = opts.store.as_ref().map(Store::open).transpose()?;
        if let Some(store) = &store {
            store.announce(run.clone(), name).await?;
        }
        let origin = Origin { run, scenario, changes: changes(opts), host: Host::this(cores) };
        Ok(Self { origin, store })
    }

    /// Uploads files of the folder between two plays, when nothing is measured that an upload could disturb.
    pub(super) async fn push_early(&self, folder: &Path, files: &[String]) {
        let Some(store) = &self.store else { return };
        if let Err(error) = store.push_early(&self.origin.run, folder, files).await {
            // The upload at the end tries again, and its error counts.
            tracing::warn!(%error, "the logs of a play are not in the store yet");
        }
    }

    /// Adds events and the manifest to the folder. `files` are the names of the files that are there.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn write(
        &self,
        folder: &Path,
        report: &Report,
        files: &[String],
        starts: &[Duration],
    ) -> Result<(), BundleError> {
        write_bundle(folder, report, &self.origin, files, starts).map(|_| ())
    }

    /// Uploads the folder to the store, if there is one. Returns a line that says where the run is.
    ///
    /// # Errors
    /// The store fails.
    pub(super) async fn push(&self, folder: &Path) -> Result<Option<String>, StoreError> {
        let Some(store) = &self.store else { return Ok(None) };
        store.push(folder).await?;
        Ok(Some(store.stored(&self.origin.run)))
    }

    /// The text of the scenario without secrets.
    pub(super) fn scenario(&self) -> &str {
        &self.origin.scenario
    }

    /// Where the run is to be kept.
    pub(super) fn store(&self) -> Option<&StoreUrl> {
        self.store.as_ref().map(Store::url)
    }
}

/// The options that change what is played, without secrets.
fn changes(opts: &RunOpts) -> Vec<String> {
    let mut changes: Vec<String> = opts.set.iter().map(redact_change).collect();
    changes.extend(opts.fault.iter().map(|fault| format!("--fault {}", one_liner(fault))));
    changes.extend(opts.chaos.map(|seed| format!("--chaos {seed}")));
    changes.extend(opts.threshold.iter().map(|threshold| format!("--threshold '{threshold}'")));
    changes.extend(opts.topology.as_ref().map(|topology| format!("--topology {topology}")));
    changes.extend(opts.env.as_ref().map(|env| format!("--env {}", env.display())));
    changes.extend(opts.repeat.map(|repeat| format!("--repeat {repeat}")));
    changes.extend(opts.agents.map(|agents| format!("--agents={agents}")));
    changes
}

fn one_liner(fault: &FaultSpec) -> String {
    let at = fault.at.map(|at| at.duration()).unwrap_or_default();
    let fault = TimedFault {
        kind: fault.inject,
        targets: fault.target.to_vec(),
        options: fault.options.clone(),
        at,
        until: fault.lasts.map(|lasts| at + lasts.duration()),
    };
    fault.to_string()
}
