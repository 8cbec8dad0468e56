//! Why a bucket was not read, or not written.

use crate::native::jetstream::{ApiError, OrderedError, PublishError};

/// Reason why a bucket was not read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// That is no key. Nothing was asked.
    #[error("`{key}` is no key: use letters, digits, `-`, `/`, `_` and `=`, in parts with `.` between them")]
    BadKey {
        /// The key.
        key: String,
    },
    /// The bucket did not answer, or is gone.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A watch cannot continue.
    #[error(transparent)]
    Ended(#[from] OrderedError),
    /// The client was closed before everything had come.
    #[error("the client was closed before all entries had come")]
    Closed,
}

/// Reason why a bucket did not store a value, or did not delete it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// That is no key. Nothing was sent.
    #[error("`{key}` is no key: use letters, digits, `-`, `/`, `_` and `=`, in parts with `.` between them")]
    BadKey {
        /// The key.
        key: String,
    },
    /// The key has another revision than expected; of [`create`](super::Store::create): it has a value.
    #[error("the key `{key}` has another revision than expected: {why}; read it again")]
    WrongRevision {
        /// The key.
        key: String,
        /// The server's words.
        why: String,
    },
    /// It was not acknowledged.
    #[error(transparent)]
    Publish(PublishError),
    /// The client could not read whether the key has a value.
    #[error(transparent)]
    Read(ReadError),
}
