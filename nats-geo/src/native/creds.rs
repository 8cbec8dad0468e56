//! Creds files: a user JWT and the seed of its NKey, each between two lines of dashes.

use std::path::{Path, PathBuf};

use nkeys::KeyPair;

use super::Secret;

/// Reason why credentials are not valid. The text never contains the credentials.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The creds file cannot be read.
    #[error("cannot read the creds file `{}`: {why}", path.display())]
    NotReadable {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        why: String,
    },
    /// The text contains no JWT.
    #[error("there is no user JWT in the creds: expected it below a line `-----BEGIN NATS USER JWT-----`")]
    NoJwt,
    /// The text contains no seed.
    #[error("there is no seed in the creds: expected it below a line `-----BEGIN USER NKEY SEED-----`")]
    NoSeed,
    /// The seed is damaged, or is no seed.
    #[error(
        "the seed is not the seed of a user NKey: such a seed begins with `SU` and has 58 letters and digits"
    )]
    BadSeed,
}

/// JWT and seed of a file.
pub(crate) async fn read(path: &Path) -> Result<(Secret, Secret), CredentialsError> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(owned)).await;
    let not_readable = |why: String| CredentialsError::NotReadable { path: path.to_owned(), why };
    let text = read.map_err(|error| not_readable(error.to_string()))?;
    let (jwt, seed) = parse(&text.map_err(|error| not_readable(error.to_string()))?)?;
    key_pair(&seed)?;
    Ok((jwt, seed))
}

/// JWT and seed of the text of a creds file.
pub(crate) fn parse(text: &str) -> Result<(Secret, Secret), CredentialsError> {
    let jwt = below(text, "USER JWT").ok_or(CredentialsError::NoJwt)?;
    let seed = below(text, "NKEY SEED").ok_or(CredentialsError::NoSeed)?;
    Ok((Secret::from(jwt), Secret::from(seed)))
}

pub(crate) fn key_pair(seed: &Secret) -> Result<KeyPair, CredentialsError> {
    KeyPair::from_seed(seed.expose()).map_err(|_| CredentialsError::BadSeed)
}

/// The line below `-----BEGIN ... title-----`.
fn below<'a>(text: &'a str, title: &str) -> Option<&'a str> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| line.starts_with("---") && line.contains("BEGIN") && line.contains(title))?;
    lines.find(|line| !line.is_empty()).filter(|line| !line.starts_with("---"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::Auth;

    fn creds(jwt: &str, seed: &str) -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\r\n{jwt}\r\n------END NATS USER JWT------\r\n\r\n\
             ************************* IMPORTANT *************************\r\n\
             -----BEGIN USER NKEY SEED-----\r\n{seed}\r\n------END USER NKEY SEED------\r\n"
        )
    }

    #[test]
    fn a_creds_file_holds_a_jwt_and_a_seed() {
        let seed = KeyPair::new_user().seed().unwrap();
        let expected = Auth::Jwt { jwt: Secret::from("ey.J.x"), seed: Secret::from(seed.as_str()) };
        assert_eq!(Auth::creds(&creds("ey.J.x", &seed)), Ok(expected));
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_repeated() {
        let seed = KeyPair::new_user().seed().unwrap();
        let cases = [
            ("", CredentialsError::NoJwt),
            (&creds("", &seed), CredentialsError::NoJwt),
            (&creds("ey", ""), CredentialsError::NoSeed),
            (&creds("ey", "SUs3cr3t"), CredentialsError::BadSeed),
        ];
        for (text, error) in cases {
            assert_eq!(Auth::creds(text), Err(error.clone()), "{text}");
            assert!(!error.to_string().contains("s3cr3t"));
        }
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let error = Auth::CredsFile("/no/such.creds".into()).check().await.unwrap_err();
        assert!(error.to_string().starts_with("cannot read the creds file `/no/such.creds`: "), "{error}");
    }
}
