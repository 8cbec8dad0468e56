//! `loadgen runs`: its commands and their output.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::error::StoreError;
use super::index::{Entry, State};
use super::manifest::Manifest;
use super::objects::Store;
use super::opts::{GetOpts, ListOpts, PruneOpts, PushOpts, RunsCommand, ShowOpts};
use super::prune::too_old;
use super::push::RUNS;
use super::run_id::RunId;
use crate::clock;
use crate::look::table::{bytes, count};
use crate::text_table::{add, table};

/// Carries out a command, and returns its text for the terminal.
///
/// # Errors
/// See [`StoreError`].
pub async fn runs(command: RunsCommand) -> Result<String, StoreError> {
    match command {
        RunsCommand::List(opts) => list(opts).await,
        RunsCommand::Show(opts) => show(opts).await,
        RunsCommand::Get(opts) => get(opts).await,
        RunsCommand::Push(opts) => push(opts).await,
        RunsCommand::Prune(opts) => prune(opts).await,
    }
}

async fn list(opts: ListOpts) -> Result<String, StoreError> {
    let store = Store::open_existing(&opts.store.store)?;
    let mut entries = store.entries().await?;
    entries.reverse();
    if opts.json {
        return Ok(to_json(&entries));
    }
    if entries.is_empty() {
        return Ok(format!("no runs in {}: `loadgen run --store {0}` keeps one there", store.url()));
    }
    Ok(table_of(&entries))
}

async fn show(opts: ShowOpts) -> Result<String, StoreError> {
    let store = Store::open_existing(&opts.store.store)?;
    let run = store.named(&opts.run).await?;
    let manifest = store.manifest(&run).await?;
    Ok(if opts.json { to_json(&manifest) } else { shown(&manifest) })
}

async fn get(opts: GetOpts) -> Result<String, StoreError> {
    let store = Store::open_existing(&opts.store.store)?;
    let run = store.named(&opts.run).await?;
    let folder = opts.out.unwrap_or_else(|| PathBuf::from(run.as_str()));
    let manifest = store.fetch(&run, &folder).await?;
    if opts.json {
        return Ok(to_json(&manifest));
    }
    let files = count(manifest.files.len(), "file");
    Ok(format!("{run}: {files}, {}, in {}", bytes(manifest.size()), folder.display()))
}

async fn push(opts: PushOpts) -> Result<String, StoreError> {
    let store = Store::open(&opts.store.store)?;
    let (manifest, pushed) = store.push(&opts.folder).await?;
    if opts.json {
        return Ok(to_json(&manifest));
    }
    let (uploaded, skipped) = (count(pushed.uploaded, "file"), pushed.skipped);
    Ok(format!("{uploaded} uploaded, {skipped} were there already\n{}", store.stored(&manifest.run)))
}

async fn prune(opts: PruneOpts) -> Result<String, StoreError> {
    let store = Store::open_existing(&opts.store.store)?;
    let keep = usize::try_from(opts.keep).unwrap_or(usize::MAX);
    let old = too_old(store.entries().await?, keep, OffsetDateTime::from(clock::wall()));
    if opts.yes {
        store.remove_runs(&old).await?;
    }
    if opts.json {
        return Ok(to_json(&old));
    }
    if old.is_empty() {
        return Ok(format!("{} has no run beyond the newest {}", store.url(), opts.keep));
    }
    let size = bytes(old.iter().map(|entry| entry.bytes).sum());
    let runs = count(old.len(), "run");
    Ok(match opts.yes {
        true => format!("{}\nremoved {runs}, {size}", table_of(&old)),
        false => format!("{}\n--yes would remove {runs}, {size}", table_of(&old)),
    })
}

impl Store {
    /// The run with this name, with a name that begins so, or the `latest` that is whole.
    pub(crate) async fn named(&self, name: &str) -> Result<RunId, StoreError> {
        if let Ok(run) = name.parse() {
            return Ok(run);
        }
        let entries = self.entries().await?;
        let store = || self.url().to_string();
        if name == "latest" {
            let last = entries.into_iter().rfind(|entry| entry.state != State::Unfinished);
            return last.map(|entry| entry.run).ok_or_else(|| StoreError::NoneEnded { store: store() });
        }
        let mut found: Vec<RunId> = entries.into_iter().map(|entry| entry.run).collect();
        found.retain(|run| run.as_str().starts_with(name));
        match (found.pop(), found.len()) {
            (Some(run), 0) => Ok(run),
            (Some(_), more) => Err(StoreError::Ambiguous { name: name.to_owned(), count: more + 1 }),
            (None, _) => Err(StoreError::NoRun { store: store(), name: name.to_owned() }),
        }
    }

    /// A line that says where a run is kept.
    pub(crate) fn stored(&self, run: &RunId) -> String {
        format!("the run is kept as {}", self.address(&format!("{RUNS}/{run}")))
    }
}

fn table_of(entries: &[Entry]) -> String {
    let mut rows = table(&["run", "verdict", "scenario", "duration", "size"]);
    for entry in entries {
        let finished = |text: String| if entry.duration_ms == 0 { "-".to_owned() } else { text };
        add(
            &mut rows,
            vec![
                // Names begin with a digit, and are no numbers.
                format!("{}", entry.run),
                entry.state.to_string(),
                entry.scenario.clone(),
                finished(seconds(Duration::from_millis(entry.duration_ms).as_secs_f64())),
                finished(bytes(entry.bytes)),
            ],
        );
    }
    rows.to_string()
}

fn shown(manifest: &Manifest) -> String {
    let host = &manifest.host;
    let versions =
        manifest.nats_servers.iter().map(|it| format!("{} ({})", it.version, count(it.servers, "server")));
    let versions = versions.collect::<Vec<_>>().join(", ");
    let cores = count(host.cores, "core");
    let mut text = format!(
        "{} of {}: {}\nrun       {}\nstarted   {}, for {}\nseed      {}\nloadgen   {}\nnats      {versions}\n\
         machine   {}, {}, {}, {cores}\nscenario  SHA-256 {}\n",
        manifest.verdict,
        manifest.scenario,
        manifest.title,
        manifest.run,
        manifest.started_at,
        seconds(manifest.duration_s),
        manifest.seed,
        manifest.loadgen,
        host.name,
        host.os,
        host.kernel,
        manifest.scenario_sha256,
    );
    for change in &manifest.changes {
        text.push_str(&format!("changed   {change}\n"));
    }
    let mut rows = table(&["file", "size", "SHA-256"]);
    for file in &manifest.files {
        rows.add_row([file.path.clone(), bytes(file.size), file.sha256.clone()]);
    }
    text + &rows.to_string()
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

fn to_json(value: &impl Serialize) -> String {
    // Strings, numbers and lists: that cannot fail.
    serde_json::to_string_pretty(value).unwrap_or_default()
}
