//! Accounts, users, and how users prove who they are.

use serde::Deserialize;

use super::super::units::ByteSize;
use crate::secret::Secret;

/// How users prove who they are.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSpec {
    /// Which way.
    pub kind: AuthKind,
    /// With `kind = "password"`: whether configurations hold bcrypt hashes in place of passwords.
    pub bcrypt: bool,
    /// With `kind = "token"`: the token. Default: a random one.
    pub token: Option<Secret>,
    /// With `kind = "operator"`: where servers keep the accounts' JWTs.
    pub resolver: Resolver,
}

/// A way to prove who one is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum AuthKind {
    /// Not at all: who gives no name is the first user of the first account.
    #[default]
    None,
    /// By name and password.
    Password,
    /// By a token that all share. There are no accounts then.
    Token,
    /// By a signature of a nonce.
    Nkey,
    /// By a JWT that an account signed, whose JWT an operator signed.
    Operator,
}

impl AuthKind {
    /// As a file says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Password => "password",
            Self::Token => "token",
            Self::Nkey => "nkey",
            Self::Operator => "operator",
        }
    }
}

/// Where servers in operator mode keep the accounts' JWTs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Resolver {
    /// In the configuration: a change needs a reload.
    #[default]
    Memory,
    /// In a folder that servers replicate: `nsc push` changes it.
    Full,
}

/// One account.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSpec {
    /// Its name.
    pub name: String,
    /// Whether it is the system account.
    pub system: bool,
    /// Whether it may use JetStream.
    pub jetstream: bool,
    /// JetStream limits. Default: no limit but that of the servers.
    pub limits: LimitsSpec,
    /// Its users.
    #[serde(rename = "user")]
    pub users: Vec<UserSpec>,
    /// Subjects that it offers to other accounts.
    #[serde(rename = "export")]
    pub exports: Vec<ExportSpec>,
    /// Subjects that it takes from other accounts.
    #[serde(rename = "import")]
    pub imports: Vec<ImportSpec>,
    /// Subject mappings.
    #[serde(rename = "mapping")]
    pub mappings: Vec<MappingSpec>,
}

/// JetStream limits of an account.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSpec {
    /// Bytes in memory.
    pub max_memory: Option<ByteSize>,
    /// Bytes on disk.
    pub max_file: Option<ByteSize>,
    /// Number of streams.
    pub max_streams: Option<u32>,
    /// Number of consumers.
    pub max_consumers: Option<u32>,
}

impl LimitsSpec {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        let Self { max_memory, max_file, max_streams, max_consumers } = self;
        max_memory.is_none() && max_file.is_none() && max_streams.is_none() && max_consumers.is_none()
    }
}

/// One user.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct UserSpec {
    /// Its name, unique in the super-cluster.
    pub name: String,
    /// Its password. Default: a random one, or that of `--password`.
    pub password: Option<Secret>,
    /// Subjects that it may publish to. Default: all.
    pub publish: Option<Vec<String>>,
    /// Subjects that it may subscribe to. Default: all.
    pub subscribe: Option<Vec<String>>,
}

/// One export.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ExportSpec {
    /// Subject of a stream of messages.
    pub stream: Option<String>,
    /// Subject of a service.
    pub service: Option<String>,
    /// Accounts that may import it. Default: all.
    pub accounts: Option<Vec<String>>,
}

/// One import.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ImportSpec {
    /// Account that exports it.
    pub from: String,
    /// Subject of a stream of messages.
    pub stream: Option<String>,
    /// Subject of a service.
    pub service: Option<String>,
    /// Subject here. Default: the same.
    pub to: Option<String>,
}

/// Messages to one subject that go to another one.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MappingSpec {
    /// Subject that publishers use.
    pub from: String,
    /// Subject in each cluster: `{cluster}` stands for the cluster's name.
    pub to_each_cluster: Option<String>,
    /// Or subjects, with their shares.
    pub to: Vec<MappingTarget>,
}

impl MappingSpec {
    /// The targets, those of each cluster written out.
    pub fn targets(&self, clusters: &[String]) -> Vec<MappingTarget> {
        let Some(template) = &self.to_each_cluster else { return self.to.clone() };
        let target = |cluster: &String| MappingTarget {
            subject: in_cluster(template, cluster),
            weight: None,
            cluster: Some(cluster.clone()),
        };
        clusters.iter().map(target).collect()
    }
}

/// Puts a cluster's name where `{cluster}` stands.
pub(in super::super) fn in_cluster(template: &str, cluster: &str) -> String {
    template.replace("{cluster}", cluster)
}

/// Where a mapped message goes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MappingTarget {
    /// Subject.
    pub subject: String,
    /// Percentage of the messages. Default 100.
    pub weight: Option<u8>,
    /// Only in this cluster.
    pub cluster: Option<String>,
}
