//! Endpoint, region and credentials of S3 from the environment, with the names that the AWS CLI reads.

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use crate::secret::Secret;

/// Endpoint, region and credentials of S3.
#[derive(Clone, Debug)]
pub struct AwsEnvironment {
    /// `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`; `None`: that of AWS in the region.
    pub endpoint: Option<String>,
    /// `AWS_REGION` or `AWS_DEFAULT_REGION`; otherwise `us-east-1`, as the AWS CLI takes for S3.
    pub region: String,
    credentials: Vec<(AmazonS3ConfigKey, Secret)>,
}

/// Reason why the environment has no access to S3.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AwsEnvironmentError {
    /// No credentials.
    #[error(
        "`--store s3://…` needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. loadgen does not read \
         AWS profiles; to set these variables from a profile, run `eval \"$(aws configure export-credentials --format env)\"`"
    )]
    NoCredentials,
    /// One half of a key.
    #[error("`{set}` is set, but `{missing}` is not: set both, or unset `{set}` to use another AWS login")]
    HalfAKey {
        /// The variable that is set.
        set: &'static str,
        /// The variable that is not.
        missing: &'static str,
    },
    /// The endpoint is none.
    #[error(
        "`{endpoint}` in {variable} is no address: write it as in `https://s3.us-west-004.backblazeb2.com`"
    )]
    Endpoint {
        /// The variable.
        variable: &'static str,
        /// Its value.
        endpoint: String,
    },
}

impl AwsEnvironment {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// It has no credentials, or an endpoint that is no address.
    pub fn of_process() -> Result<Self, AwsEnvironmentError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads variables through `variable`. Empty ones count as unset.
    ///
    /// # Errors
    /// There are no credentials, or the endpoint is not a valid address.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, AwsEnvironmentError> {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut endpoint = None;
        for variable in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] {
            if let Some(value) = get(variable).filter(|_| endpoint.is_none()) {
                endpoint = Some(checked(variable, value)?);
            }
        }
        let region = get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION"));
        let key = (get(KEY_ID), get(SECRET_KEY));
        match key {
            (Some(_), None) => Err(AwsEnvironmentError::HalfAKey { set: KEY_ID, missing: SECRET_KEY })?,
            (None, Some(_)) => Err(AwsEnvironmentError::HalfAKey { set: SECRET_KEY, missing: KEY_ID })?,
            (None, None) if LOGINS.iter().all(|name| get(name).is_none()) => {
                Err(AwsEnvironmentError::NoCredentials)?
            }
            _ => {}
        }
        let given = VARIABLES.into_iter().filter_map(|(name, key)| Some((key, Secret::new(get(name)?))));
        Ok(Self {
            endpoint,
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
            credentials: given.collect(),
        })
    }

    pub(super) fn apply(&self, builder: AmazonS3Builder) -> AmazonS3Builder {
        let builder = builder.with_region(&self.region);
        let builder = match &self.endpoint {
            Some(endpoint) => {
                builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"))
            }
            None => builder,
        };
        let credentials = self.credentials.iter();
        credentials.fold(builder, |builder, (key, value)| builder.with_config(*key, value.expose()))
    }

    /// Values that no message may show.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.credentials.iter().map(|(_, value)| value)
    }
}

fn checked(variable: &'static str, endpoint: String) -> Result<String, AwsEnvironmentError> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if host.is_empty() {
        return Err(AwsEnvironmentError::Endpoint { variable, endpoint });
    }
    if host.contains('@') {
        // The text before it may be a password.
        return Err(AwsEnvironmentError::Endpoint { variable, endpoint: "***".to_owned() });
    }
    Ok(endpoint.trim_end_matches('/').to_owned())
}

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";

/// Each of them is enough to log in: tokens of CI services and Kubernetes, and roles of containers.
const LOGINS: [&str; 3] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

const VARIABLES: [(&str, AmazonS3ConfigKey); 9] = [
    (KEY_ID, AmazonS3ConfigKey::AccessKeyId),
    (SECRET_KEY, AmazonS3ConfigKey::SecretAccessKey),
    ("AWS_SESSION_TOKEN", AmazonS3ConfigKey::Token),
    (LOGINS[0], AmazonS3ConfigKey::WebIdentityTokenFile),
    ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
    ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
    (LOGINS[1], AmazonS3ConfigKey::ContainerCredentialsRelativeUri),
    (LOGINS[2], AmazonS3ConfigKey::ContainerCredentialsFullUri),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", AmazonS3ConfigKey::ContainerAuthorizationTokenFile),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<AwsEnvironment, AwsEnvironmentError> {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
        AwsEnvironment::read(|name| value(name).map(|(_, value)| (*value).to_owned()))
    }

    const KEY: [(&str, &str); 2] = [(KEY_ID, "key"), (SECRET_KEY, "hunter2")];

    #[test]
    fn the_variables_are_those_of_the_aws_cli() {
        let more = [("AWS_REGION", "a"), ("AWS_DEFAULT_REGION", "b"), ("AWS_ENDPOINT_URL", "http://c")];
        let found = read(&[&KEY[..], &more].concat()).unwrap();
        assert_eq!((found.region.as_str(), found.endpoint.as_deref()), ("a", Some("http://c")));
        let more =
            [("AWS_REGION", ""), ("AWS_ENDPOINT_URL", "http://c"), ("AWS_ENDPOINT_URL_S3", "https://d/")];
        let found = read(&[&KEY[..], &more].concat()).unwrap();
        assert_eq!((found.region.as_str(), found.endpoint.as_deref()), ("us-east-1", Some("https://d")));
        assert_eq!(read(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")]).unwrap().secrets().count(), 1);
    }

    #[test]
    fn errors_name_the_variable_and_no_secret() {
        let error = |variables: &[(&str, &str)]| read(variables).unwrap_err().to_string();
        assert!(error(&[]).contains("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
        assert!(error(&KEY[..1]).contains("`AWS_SECRET_ACCESS_KEY` is not"));
        assert!(error(&KEY[1..]).contains("`AWS_ACCESS_KEY_ID` is not"));
        let error = error(&[("AWS_ENDPOINT_URL", "s3.example.net"), KEY[0], KEY[1]]);
        assert!(error.contains("`s3.example.net` in AWS_ENDPOINT_URL"), "{error}");
        let shown = format!("{:?}", read(&KEY).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
