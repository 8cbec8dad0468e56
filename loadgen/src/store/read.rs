//! Files of a run, read out of the store piece by piece.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tokio::sync::mpsc;

use super::error::StoreError;
use super::manifest::FileRow;
use super::objects::Store;
use super::push::object_of;
use super::run_id::RunId;
use crate::digest::Hasher;

impl Store {
    /// Reads a file of a run. The last piece follows only if the digest of the whole file is right; else an error takes its place. So a
    /// reader that sees no error has the file of the manifest. Dropping the receiver ends the reading.
    pub fn pieces(
        self: &Arc<Self>,
        run: &RunId,
        file: &FileRow,
    ) -> mpsc::Receiver<Result<Bytes, StoreError>> {
        let (pieces, received) = mpsc::channel(PIECES_AHEAD);
        let (store, object, file) = (self.clone(), object_of(run, &file.path), file.clone());
        tokio::spawn(async move {
            if let Err(error) = store.send_pieces(&object, &file, &pieces).await {
                // A reader that has gone away needs no error.
                let _ = pieces.send(Err(error)).await;
            }
        });
        received
    }

    async fn send_pieces(
        &self,
        object: &str,
        file: &FileRow,
        pieces: &mpsc::Sender<Result<Bytes, StoreError>>,
    ) -> Result<(), StoreError> {
        let mut hasher = Hasher::default();
        let mut content = pin!(self.content(object, file.size));
        let mut held = None;
        while let Some(bytes) = content.try_next().await? {
            hasher.add(&bytes);
            if let Some(piece) = held.replace(bytes)
                && pieces.send(Ok(piece)).await.is_err()
            {
                return Ok(());
            }
        }
        if hasher.finish() != (file.size, file.sha256.clone()) {
            return Err(StoreError::Differs { store: self.url().to_string(), object: object.to_owned() });
        }
        if let Some(piece) = held {
            let _ = pieces.send(Ok(piece)).await;
        }
        Ok(())
    }
}

/// Reads go on while the network sends. A folder gives pieces of 8 KiB, S3 some of up to 64 KiB.
const PIECES_AHEAD: usize = 16;
