//! Addresses of stores: `s3://bucket/prefix`, `file:///folder`, or the path of a folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use object_store::path::Path as ObjectPath;
use percent_encoding::percent_decode_str;

/// Address of a store of runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreUrl {
    /// A bucket of S3, or of a service with the same interface.
    S3 {
        /// The bucket.
        bucket: String,
        /// The beginning of all names in it; may be empty.
        prefix: String,
    },
    /// A folder.
    Folder(PathBuf),
}

/// An address that is not the address of a store.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseStoreUrlError {
    /// The text is empty.
    #[error(
        "the address of the store is empty: give `s3://bucket/prefix`, `file:///folder`, or the path of a folder"
    )]
    Empty,
    /// The scheme is not `s3` or `file`.
    #[error(
        "`{scheme}://` is not a store: give `s3://bucket/prefix`, `file:///folder`, or the path of a folder"
    )]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The address contains credentials.
    #[error(
        "the address of the store holds credentials: remove them, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    Credentials,
    /// A bucket cannot have this name.
    #[error(
        "`{bucket}` is not the name of a bucket: a name has 3 to 63 letters `a` to `z`, digits, `.`, `-` or `_`"
    )]
    Bucket {
        /// The name.
        bucket: String,
    },
    /// The prefix is not valid.
    #[error(
        "`{prefix}` is no prefix of names in a bucket: {reason}; write it as in `s3://bucket/team/loadgen`"
    )]
    Prefix {
        /// The prefix.
        prefix: String,
        /// The reason.
        reason: String,
    },
    /// A `file:` address is relative.
    #[error("`{url}` has no absolute path: write `file:///folder`, or the path alone")]
    Relative {
        /// The address.
        url: String,
    },
}

impl FromStr for StoreUrl {
    type Err = ParseStoreUrlError;

    fn from_str(text: &str) -> Result<Self, ParseStoreUrlError> {
        match text.split_once("://") {
            None if text.is_empty() => Err(ParseStoreUrlError::Empty),
            None => Ok(Self::Folder(PathBuf::from(text))),
            Some(("s3", rest)) => s3(rest),
            Some(("file", path)) => {
                let decoded = percent_decode_str(path).decode_utf8_lossy();
                let folder = Path::new(decoded.as_ref());
                if !folder.is_absolute() {
                    return Err(ParseStoreUrlError::Relative { url: text.to_owned() });
                }
                Ok(Self::Folder(folder.to_owned()))
            }
            Some((scheme, _)) => Err(ParseStoreUrlError::Scheme { scheme: scheme.to_owned() }),
        }
    }
}

fn s3(rest: &str) -> Result<StoreUrl, ParseStoreUrlError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains('@') {
        return Err(ParseStoreUrlError::Credentials);
    }
    // Old buckets of us-east-1 may have a `_`.
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(is_allowed) {
        return Err(ParseStoreUrlError::Bucket { bucket: bucket.to_owned() });
    }
    let prefix = prefix.trim_end_matches('/');
    if let Err(error) = ObjectPath::parse(prefix) {
        return Err(ParseStoreUrlError::Prefix { prefix: prefix.to_owned(), reason: error.to_string() });
    }
    Ok(StoreUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(formatter, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(formatter, "s3://{bucket}/{prefix}"),
            Self::Folder(folder) => write!(formatter, "{}", folder.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let of = |text: &str| text.parse::<StoreUrl>().unwrap();
        let s3 = |prefix: &str| StoreUrl::S3 { bucket: "my-runs".to_owned(), prefix: prefix.to_owned() };
        assert_eq!((of("s3://my-runs"), of("s3://my-runs/a/b/")), (s3(""), s3("a/b")));
        assert_eq!(of("file:///var/my%20runs"), StoreUrl::Folder("/var/my runs".into()));
        assert_eq!(of("loadgen-runs"), StoreUrl::Folder("loadgen-runs".into()));
        assert_eq!(of("s3://my-runs/a/b/").to_string(), "s3://my-runs/a/b");
    }

    #[test]
    fn errors_name_the_input_and_the_remedy() {
        let error = |text: &str| text.parse::<StoreUrl>().unwrap_err().to_string();
        assert!(error("").contains("s3://bucket/prefix"));
        assert!(error("gs://runs").contains("`gs://` is not a store"));
        assert!(error("s3://A/b").contains("`A`"));
        assert!(error("file://runs").contains("file:///folder"));
        assert!(error("s3://runs/a//b").contains("`a//b`"));
        let secret = error("s3://key:hunter2@runs/a");
        assert!(secret.contains("AWS_ACCESS_KEY_ID") && !secret.contains("hunter2"), "{secret}");
    }
}
