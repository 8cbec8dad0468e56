//! The errors of reading and writing a bucket.

use crate::native::jetstream::{ApiError, OrderedError, PublishError};

/// Reason why a read of a bucket failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The key is invalid. The client sent no request.
    #[error("`{key}` is no key: use letters, digits, `-`, `/`, `_` and `=`, in parts with `.` between them")]
    BadKey {
        /// The key.
        key: String,
    },
    /// The bucket did not answer, or does not exist.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A watch cannot continue.
    #[error(transparent)]
    Ended(#[from] OrderedError),
    /// The client was closed before all entries had arrived.
    #[error("the client was closed before all entries had arrived")]
    Closed,
}

/// Reason why a bucket did not store a value, or did not delete it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The key is invalid. The client sent nothing.
    #[error("`{key}` is no key: use letters, digits, `-`, `/`, `_` and `=`, in parts with `.` between them")]
    BadKey {
        /// The key.
        key: String,
    },
    /// The key has another revision than expected. In a [`create`](super::Store::create), this means that the key has a
    /// value already.
    #[error("the key `{key}` has another revision than expected: {why}; read the key again")]
    WrongRevision {
        /// The key.
        key: String,
        /// The server's error.
        why: String,
    },
    /// The stream of the bucket did not acknowledge the write.
    #[error(transparent)]
    Publish(PublishError),
    /// The client could not read whether the key has a value.
    #[error(transparent)]
    Read(ReadError),
}
