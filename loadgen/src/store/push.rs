//! The upload of a bundle. The manifest is the last file, so a reader who sees the manifest sees the whole run.

use std::path::Path;
use std::time::Duration;

use super::bundle::{read_bundle, row};
use super::error::StoreError;
use super::index::{Entry, merged};
use super::manifest::{FILE as MANIFEST, FileRow, Manifest};
use super::objects::Store;
use super::run_id::RunId;
use crate::progress::Progress;

/// Figures of an upload.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pushed {
    /// Files that were uploaded.
    pub uploaded: usize,
    /// Files that the store had with the same digest.
    pub skipped: usize,
}

impl Store {
    /// Shows in the index that a run has started, before loadgen starts a server. So a store that cannot be written is an error now, not
    /// after the run.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn announce(&self, run: RunId, scenario: &str) -> Result<(), StoreError> {
        self.write_entry(&Entry::unfinished(run, scenario)).await
    }

    /// Uploads files of a run that is not finished: if this machine dies, the store has them. The push at the end skips them.
    ///
    /// # Errors
    /// A file cannot be read, or the store fails.
    pub async fn push_early(&self, run: &RunId, folder: &Path, names: &[String]) -> Result<(), StoreError> {
        for name in names {
            let file = row(folder, name)?;
            self.write_checked(&object_of(run, name), &folder.join(name), &file).await?;
        }
        Ok(())
    }

    /// Uploads the bundle in a folder. Objects that are there with the same digest are skipped, so that a second try only does what the
    /// first one did not.
    ///
    /// # Errors
    /// The folder does not hold a run, or the store fails. The folder stays as it is.
    pub async fn push(&self, folder: &Path) -> Result<(Manifest, Pushed), StoreError> {
        let owned = folder.to_owned();
        let read = tokio::task::spawn_blocking(move || read_bundle(&owned));
        let unreadable = |error| StoreError::Local {
            what: "read",
            path: folder.to_owned(),
            error: std::io::Error::other(error),
        };
        let manifest = read.await.map_err(unreadable)??;
        let progress = Progress::new(manifest.files.len() as u64);
        let pushed = self.push_files(folder, &manifest, &progress).await;
        progress.finish();
        let pushed = pushed?;
        self.write_manifest(&manifest).await?;
        Ok((manifest, pushed))
    }

    async fn push_files(
        &self,
        folder: &Path,
        manifest: &Manifest,
        progress: &Progress,
    ) -> Result<Pushed, StoreError> {
        let mut pushed = Pushed::default();
        for file in &manifest.files {
            progress.title(&format!("storing {}", file.path));
            let object = object_of(&manifest.run, &file.path);
            if self.holds(&object, file).await? {
                pushed.skipped += 1;
            } else {
                self.write_checked(&object, &folder.join(&file.path), file).await?;
                pushed.uploaded += 1;
            }
            progress.step();
        }
        Ok(pushed)
    }

    /// Writes a file, and reads it back. An upload that breaks, or that arrives as something else, begins anew.
    async fn write_checked(&self, object: &str, file: &Path, row: &FileRow) -> Result<(), StoreError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            let written = self.write_file(object, file, row.size).await;
            match written {
                Ok(()) if self.holds(object, row).await? => return Ok(()),
                Err(error @ (StoreError::Denied { .. } | StoreError::Local { .. })) => return Err(error),
                Ok(()) => tracing::warn!(
                    object,
                    "the digest of the stored object differs from the digest of the file"
                ),
                Err(error) => tracing::warn!(%error, "the upload begins anew"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.write_file(object, file, row.size).await?;
        if self.holds(object, row).await? {
            return Ok(());
        }
        Err(StoreError::Differs { store: self.url().to_string(), object: object.to_owned() })
    }

    async fn write_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        self.write(&object_of(&manifest.run, MANIFEST), to_text(manifest)).await?;
        let entry = Entry::finished(manifest);
        self.write_entry(&entry).await?;
        let begun = Entry::unfinished(manifest.run.clone(), &manifest.scenario);
        self.remove(&[in_index(&begun)]).await
    }

    async fn write_entry(&self, entry: &Entry) -> Result<(), StoreError> {
        self.write(&in_index(entry), serde_json::to_vec(entry).unwrap_or_default()).await
    }

    /// The runs in the index, the oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let objects = self.list(INDEX).await?;
        Ok(merged(
            objects.iter().filter_map(|path| Entry::of_object(path.strip_prefix(INDEX)?.strip_prefix('/')?)),
        ))
    }

    /// The objects of the index that speak of a run.
    pub(super) async fn index_objects(&self) -> Result<Vec<(RunId, String)>, StoreError> {
        let objects = self.list(INDEX).await?;
        let run = |path: &str| Some(Entry::of_object(path.strip_prefix(INDEX)?.strip_prefix('/')?)?.run);
        Ok(objects.into_iter().filter_map(|path| Some((run(&path)?, path))).collect())
    }

    /// The manifest of a run.
    ///
    /// # Errors
    /// The run does not exist, or is not complete.
    pub async fn manifest(&self, run: &RunId) -> Result<Manifest, StoreError> {
        let Some(bytes) = self.read(&object_of(run, MANIFEST)).await? else {
            let is_known = self.entries().await?.iter().any(|entry| entry.run == *run);
            let (store, name) = (self.url().to_string(), run.to_string());
            let unknown = StoreError::NoRun { store, name: name.clone() };
            return Err(if is_known { StoreError::Unfinished { run: name } } else { unknown });
        };
        let text = String::from_utf8_lossy(&bytes);
        super::bundle::parse(&text).map_err(|reason| StoreError::Manifest { run: run.to_string(), reason })
    }

    /// Downloads a run into a folder, and compares every file with its digest. Files that are there already are skipped. Returns
    /// the manifest.
    ///
    /// # Errors
    /// The run does not exist or is not complete, or the folder has another file in place of one of the run.
    pub async fn fetch(&self, run: &RunId, folder: &Path) -> Result<Manifest, StoreError> {
        let manifest = self.manifest(run).await?;
        let missing = missing(&manifest, folder)?;
        let progress = Progress::new(missing.len() as u64);
        for file in missing {
            progress.title(&format!("fetching {}", file.path));
            self.read_file(&object_of(run, &file.path), file, &folder.join(&file.path)).await?;
            progress.step();
        }
        progress.finish();
        let path = folder.join(MANIFEST);
        let written = tokio::fs::write(&path, to_text(&manifest)).await;
        written.map_err(|error| StoreError::Local { what: "write", path, error })?;
        Ok(manifest)
    }
}

/// The files of a run that the folder does not have.
fn missing<'a>(manifest: &'a Manifest, folder: &Path) -> Result<Vec<&'a FileRow>, StoreError> {
    let replaces = |path| StoreError::Replaces { path, run: manifest.run.to_string() };
    let own = folder.join(MANIFEST);
    if std::fs::read(&own).is_ok_and(|bytes| bytes != to_text(manifest)) {
        return Err(replaces(own));
    }
    let mut missing = Vec::new();
    for file in &manifest.files {
        let path = folder.join(&file.path);
        match path.exists() {
            false => missing.push(file),
            true if row(folder, &file.path)? == *file => {}
            true => return Err(replaces(path)),
        }
    }
    Ok(missing)
}

fn to_text(manifest: &Manifest) -> Vec<u8> {
    // Strings, numbers and lists: that cannot fail.
    serde_json::to_vec_pretty(manifest).unwrap_or_default()
}

/// The path of a file of a run.
pub(super) fn object_of(run: &RunId, file: &str) -> String {
    format!("{RUNS}/{run}/{file}")
}

fn in_index(entry: &Entry) -> String {
    format!("{INDEX}/{}", entry.object())
}

pub(super) const RUNS: &str = "runs";
const INDEX: &str = "index";

/// A request is retried by itself. These tries are for uploads whose request broke in a way that does not say whether it arrived.
const TRIES: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
