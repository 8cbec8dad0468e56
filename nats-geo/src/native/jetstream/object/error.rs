//! The errors of reading, writing and deleting objects.

use std::ops::Range;

use crate::native::jetstream::{ApiError, OrderedError, PublishError};

/// Reason why an object cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// The object does not exist.
    #[error("there is no object `{name}`")]
    NotFound {
        /// The name of the object.
        name: String,
    },
    /// The object is a link to a whole store.
    #[error("`{name}` is a link to the object store `{bucket}`: open that store")]
    LinkToStore {
        /// The link.
        name: String,
        /// The store.
        bucket: String,
    },
    /// The requested range is not in the object.
    #[error("bytes `{range:?}` are outside of the object `{name}`, which has {size} bytes")]
    OutOfRange {
        /// The object.
        name: String,
        /// The requested range of bytes.
        range: Range<u64>,
        /// The size of the object in bytes.
        size: u64,
    },
    /// The store did not answer, or does not exist.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// Reason why the read of an object ended before the end of the object.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectReadError {
    /// Some bytes of the object are missing. Another client deleted or replaced the object during the read, or did not
    /// finish writing it.
    #[error("the object `{name}` is not complete: part {chunk} of {chunks} is missing; get the object again")]
    Incomplete {
        /// The object.
        name: String,
        /// The part that is missing, counted from 0.
        chunk: u64,
        /// Number of parts of the object.
        chunks: u64,
    },
    /// All bytes arrived, but their digest differs from the digest of the object.
    #[error("the object `{name}` is damaged: its digest is wrong; put the object again")]
    WrongDigest {
        /// The object.
        name: String,
    },
    /// The store did not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The client cannot continue to read.
    #[error(transparent)]
    Ended(#[from] OrderedError),
    /// The client was closed.
    #[error("the client was closed before the whole object had arrived")]
    Closed,
}

/// Reason why an object was not written. An earlier object of the same name is unchanged, unless the last part is
/// unconfirmed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// The name is empty.
    #[error("an object needs a name")]
    NoName,
    /// The client could not read the bytes to write.
    #[error("reading the bytes of the object `{name}` failed: {error}")]
    Source {
        /// The object.
        name: String,
        /// The reason.
        error: std::io::Error,
    },
    /// A store of the same name in another JetStream domain acknowledged a part.
    #[error(
        "object `{name}` was not written: its store `{bucket}` is in JetStream domain `{domain}`, but a store of the same name in \
         domain `{found}` answered; give stores in different domains different names"
    )]
    OtherDomain {
        /// The object.
        name: String,
        /// The store.
        bucket: String,
        /// The domain of the store.
        domain: String,
        /// The domain that acknowledged the part.
        found: String,
    },
    /// The store did not acknowledge a part of the object.
    #[error("part {chunk} of the object `{name}` was not stored: {error}")]
    Publish {
        /// The object.
        name: String,
        /// The part, counted from 0. The last part is the description of the object.
        chunk: u64,
        /// The reason.
        error: PublishError,
    },
    /// The store did not answer, or does not exist.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// Reason why an object was not deleted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// The object does not exist.
    #[error("there is no object `{name}`")]
    NotFound {
        /// The name of the object.
        name: String,
    },
    /// JetStream did not acknowledge the deletion.
    #[error("the deletion of the object `{name}` was not stored: {error}")]
    Publish {
        /// The object.
        name: String,
        /// The reason.
        error: PublishError,
    },
    /// The store did not answer, or does not exist.
    #[error(transparent)]
    Api(#[from] ApiError),
}
