//! Reads and writes of a store: retried, in bounded memory, and without secrets in errors.

use std::ops::Range;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::{Path as ObjectPath, PathPart};
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, ObjectStore, ObjectStoreExt as _, RetryConfig, WriteMultipart,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::aws::AwsEnvironment;
use super::error::StoreError;
use super::manifest::FileRow;
use super::url::StoreUrl;
use crate::digest::Hasher;
use crate::secret::Secret;

/// A store of runs.
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    prefix: ObjectPath,
    url: StoreUrl,
    /// Values that no error may show: S3 puts the key's name into some of its answers.
    secrets: Vec<Secret>,
}

impl Store {
    /// Opens a store for runs that are to be written. A folder is made if it is missing.
    ///
    /// # Errors
    /// The folder cannot be made, or the environment has no credentials.
    pub fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        if let StoreUrl::Folder(folder) = url {
            let failed = |error| StoreError::Local { what: "make the folder", path: folder.clone(), error };
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        Self::open_existing(url)
    }

    /// Opens a store that has runs.
    ///
    /// # Errors
    /// The folder is missing, or the environment has no credentials.
    pub fn open_existing(url: &StoreUrl) -> Result<Self, StoreError> {
        match url {
            StoreUrl::Folder(folder) if !folder.is_dir() => {
                Err(StoreError::NoFolder { folder: folder.clone() })
            }
            StoreUrl::Folder(folder) => {
                let opened =
                    LocalFileSystem::new_with_prefix(folder).map_err(|error| cannot_open(url, &error))?;
                let objects = Arc::new(opened.with_automatic_cleanup(true));
                Ok(Self { objects, prefix: ObjectPath::default(), url: url.clone(), secrets: Vec::new() })
            }
            StoreUrl::S3 { .. } => Self::open_s3(url, &AwsEnvironment::of_process()?),
        }
    }

    /// Opens a bucket of S3 with these credentials; a folder as [`Store::open_existing`] does.
    ///
    /// # Errors
    /// The endpoint is not a valid address.
    pub fn open_s3(url: &StoreUrl, environment: &AwsEnvironment) -> Result<Self, StoreError> {
        let StoreUrl::S3 { bucket, prefix } = url else { return Self::open_existing(url) };
        // The HTTP client has no cryptography of its own. An error means that the process has chosen already.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let client = ClientOptions::new().with_timeout(REQUEST_LIMIT).with_connect_timeout(CONNECT_LIMIT);
        let retry = RetryConfig {
            backoff: BackoffConfig { init_backoff: BACKOFF_FIRST, max_backoff: BACKOFF_LAST, base: 2.0 },
            max_retries: RETRIES,
            retry_timeout: RETRY_LIMIT,
        };
        let builder = AmazonS3Builder::new().with_bucket_name(bucket).with_client_options(client);
        // Some services have no DeleteObjects, or want another checksum in it.
        let builder = environment.apply(builder.with_retry(retry)).with_disable_bulk_delete(true);
        let secrets: Vec<Secret> = environment.secrets().cloned().collect();
        let objects = builder.build().map_err(|error| cannot_open(url, &error))?;
        let prefix = ObjectPath::parse(prefix);
        let prefix = prefix.map_err(|error| cannot_open(url, &error.into()))?;
        Ok(Self { objects: Arc::new(objects), prefix, url: url.clone(), secrets })
    }

    /// Its address.
    pub fn url(&self) -> &StoreUrl {
        &self.url
    }

    /// The address of an object or a folder in it.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    fn at(&self, path: &str) -> ObjectPath {
        let join = |path: ObjectPath, part| match PathPart::parse(part) {
            // A conversion would write `%C3%A9` for `é`, and other readers of the store would not find the file.
            Ok(part) => path.join(part),
            Err(_) => path.join(part),
        };
        path.split('/').fold(self.prefix.clone(), join)
    }

    /// Writes a small object.
    pub(super) async fn write(&self, path: &str, content: Vec<u8>) -> Result<(), StoreError> {
        let written = self.objects.put(&self.at(path), content.into()).await;
        written.map(|_| ()).map_err(|error| self.failed("write", path, &error))
    }

    /// Writes a file in parts of [`PART`] bytes, of which at most [`PARTS_AT_ONCE`] are on their way.
    pub(super) async fn write_file(&self, path: &str, file: &Path, size: u64) -> Result<(), StoreError> {
        let unreadable = |error| StoreError::Local { what: "read", path: file.to_owned(), error };
        if size <= PART as u64 {
            return self.write(path, tokio::fs::read(file).await.map_err(unreadable)?).await;
        }
        let failed = |error| self.failed("write", path, &error);
        let mut file = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let upload = self.objects.put_multipart(&self.at(path)).await.map_err(failed)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut buffer = vec![0; READ];
        loop {
            // A read begins when there is room for its part.
            let sent = upload.wait_for_capacity(PARTS_AT_ONCE).await.map_err(failed);
            let read = match sent {
                Ok(()) => file.read(&mut buffer).await.map_err(unreadable),
                Err(error) => Err(error),
            };
            match read {
                Ok(0) => break,
                Ok(length) => upload.write(&buffer[..length]),
                Err(error) => {
                    // Parts of an upload that is not aborted cost money. The first error is the one to report.
                    let _ = upload.abort().await;
                    return Err(error);
                }
            }
        }
        upload.finish().await.map(|_| ()).map_err(failed)
    }

    /// Reads a small object; `None`: there is none.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let read = async { self.objects.get(&self.at(path)).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", path, &error)),
        }
    }

    /// Returns whether an object has the size and the digest. It is read back from the store.
    pub(super) async fn holds(&self, path: &str, file: &FileRow) -> Result<bool, StoreError> {
        match self.objects.head(&self.at(path)).await {
            Ok(found) if found.size == file.size => {}
            Ok(_) | Err(object_store::Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(self.failed("read", path, &error)),
        }
        let mut hasher = Hasher::default();
        let mut content = pin!(self.content(path, file.size));
        while let Some(bytes) = content.try_next().await? {
            hasher.add(&bytes);
        }
        Ok(hasher.finish().1 == file.sha256)
    }

    /// Reads an object into a file, which appears when it is whole and its digest is right.
    pub(super) async fn read_file(&self, path: &str, row: &FileRow, to: &Path) -> Result<(), StoreError> {
        let failed = |what| move |error| StoreError::Local { what, path: to.to_owned(), error };
        if let Some(folder) = to.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(failed("make the folder of"))?;
        }
        let mut name = to.as_os_str().to_owned();
        name.push(".part");
        let part = Path::new(&name);
        let mut file = tokio::fs::File::create(part).await.map_err(failed("write"))?;
        let mut hasher = Hasher::default();
        let mut content = pin!(self.content(path, row.size));
        while let Some(bytes) = content.try_next().await? {
            hasher.add(&bytes);
            file.write_all(&bytes).await.map_err(failed("write"))?;
        }
        file.flush().await.map_err(failed("write"))?;
        if hasher.finish() != (row.size, row.sha256.clone()) {
            return Err(StoreError::Differs { store: self.url.to_string(), object: path.to_owned() });
        }
        tokio::fs::rename(part, to).await.map_err(failed("write"))
    }

    /// The first `size` bytes of an object. A request reads at most [`WINDOW`] of them, and begins where the last one broke.
    pub(super) fn content<'a>(
        &'a self,
        path: &'a str,
        size: u64,
    ) -> impl Stream<Item = Result<bytes::Bytes, StoreError>> + 'a {
        let windows = (0..size.div_ceil(WINDOW)).map(move |number| number * WINDOW);
        let windows = windows.map(move |from| from..size.min(from + WINDOW));
        futures_util::stream::iter(windows).then(move |range| self.window(path, range)).try_flatten()
    }

    async fn window<'a>(
        &'a self,
        path: &'a str,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<bytes::Bytes, StoreError>> + 'a, StoreError> {
        let failed = move |error| self.failed("read", path, &error);
        let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
        let got = self.objects.get_opts(&self.at(path), options).await.map_err(failed)?;
        Ok(got.into_stream().map_err(failed))
    }

    /// The paths of all objects below a folder.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let base = self.at(folder);
        let listed: Result<Vec<_>, _> = self.objects.list(Some(&base)).try_collect().await;
        let listed = listed.map_err(|error| self.failed("list", folder, &error))?;
        let below = |location: &ObjectPath| {
            let parts: Vec<String> =
                location.prefix_match(&base)?.map(|part| part.as_ref().to_owned()).collect();
            Some(format!("{folder}/{}", parts.join("/")))
        };
        Ok(listed.iter().filter_map(|object| below(&object.location)).collect())
    }

    /// Removes objects. A missing object is not an error.
    pub(super) async fn remove(&self, paths: &[String]) -> Result<(), StoreError> {
        let locations: Vec<_> = paths.iter().map(|path| Ok(self.at(path))).collect();
        let mut removed = self.objects.delete_stream(futures_util::stream::iter(locations).boxed());
        while let Some(result) = removed.next().await {
            match result {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed("remove", paths.first().map_or("", |it| it), &error)),
            }
        }
        Ok(())
    }

    fn failed(&self, what: &str, path: &str, error: &object_store::Error) -> StoreError {
        let (store, what) = (self.url.to_string(), format!("{what} `{path}`"));
        let reason = self.without_secrets(error.to_string());
        match error {
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                StoreError::Denied { store, what, reason }
            }
            _ => StoreError::Request { store, what, reason },
        }
    }

    fn without_secrets(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret.expose(), "***"))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Store({})", self.url)
    }
}

fn cannot_open(url: &StoreUrl, error: &object_store::Error) -> StoreError {
    StoreError::Open { store: url.to_string(), reason: error.to_string() }
}

/// The least that S3 takes for a part. With 10,000 parts an object has up to 48 GiB.
const PART: usize = 5 * 1024 * 1024;

/// Hides the round trip of one behind the transfer of the other. Memory: both, and the part that is being filled.
const PARTS_AT_ONCE: usize = 2;

/// Few requests for a large object, each of which ends within [`REQUEST_LIMIT`] at 0.6 MB/s. On a slower line it is resumed.
const WINDOW: u64 = 64 * 1024 * 1024;

const READ: usize = 256 * 1024;

/// A part in this time is 44 kB/s, which a bad mobile line has.
const REQUEST_LIMIT: Duration = Duration::from_secs(120);

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// With the back-off below 5 to 30 s, in which an overloaded store recovers or a load balancer drops a dead server.
const RETRIES: usize = 10;
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_LAST: Duration = Duration::from_secs(5);
const RETRY_LIMIT: Duration = Duration::from_secs(300);
