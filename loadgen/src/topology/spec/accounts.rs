//! Accounts, users, and the credentials of users.

use serde::Deserialize;

use super::super::units::ByteSize;
use crate::secret::Secret;

/// Method by which users log in.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSpec {
    /// Method of login.
    pub kind: AuthKind,
    /// With `kind = "password"`: the configurations hold bcrypt hashes, not passwords.
    pub bcrypt: bool,
    /// With `kind = "token"`: the token. Default: a random one.
    pub token: Option<Secret>,
    /// With `kind = "operator"`: place where servers keep the accounts' JWTs.
    pub resolver: Resolver,
}

/// A method by which users log in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum AuthKind {
    /// No login: a client without a user name is the first user of the first account.
    #[default]
    None,
    /// Users log in with name and password.
    Password,
    /// All clients log in with the same token. There are no accounts then.
    Token,
    /// Users log in with an NKey: they sign a nonce of the server.
    Nkey,
    /// Users log in with a JWT. An account signed it, and an operator signed the JWT of the account.
    Operator,
}

impl AuthKind {
    /// The name in files.
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

/// Place where servers in operator mode keep the accounts' JWTs.
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
    /// Name of the account.
    pub name: String,
    /// Makes this account the system account.
    pub system: bool,
    /// Lets the account use JetStream.
    pub jetstream: bool,
    /// JetStream limits. Default: only the limits of the servers.
    pub limits: LimitsSpec,
    /// Users of the account.
    #[serde(rename = "user")]
    pub users: Vec<UserSpec>,
    /// Subjects that the account exports to other accounts.
    #[serde(rename = "export")]
    pub exports: Vec<ExportSpec>,
    /// Subjects that the account imports from other accounts.
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
    /// Memory for streams, in bytes.
    pub max_memory: Option<ByteSize>,
    /// Disk space for streams, in bytes.
    pub max_file: Option<ByteSize>,
    /// Number of streams.
    pub max_streams: Option<u32>,
    /// Number of consumers.
    pub max_consumers: Option<u32>,
}

impl LimitsSpec {
    /// Returns whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        let Self { max_memory, max_file, max_streams, max_consumers } = self;
        max_memory.is_none() && max_file.is_none() && max_streams.is_none() && max_consumers.is_none()
    }
}

/// One user.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct UserSpec {
    /// Name of the user. It must be unique in the super-cluster.
    pub name: String,
    /// Password of the user. Default: the value of `--password`, or a random password.
    pub password: Option<Secret>,
    /// Subjects that the user may publish to. Default: all.
    pub publish: Option<Vec<String>>,
    /// Subjects that the user may subscribe to. Default: all.
    pub subscribe: Option<Vec<String>>,
    /// Whether servers refuse the user and disconnect the user's clients. Only a fault can set this key.
    #[serde(skip)]
    pub revoked: bool,
}

/// One export.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ExportSpec {
    /// Subject of a stream of messages.
    pub stream: Option<String>,
    /// Subject of a service.
    pub service: Option<String>,
    /// Accounts that may import the subject. Default: all.
    pub accounts: Option<Vec<String>>,
}

impl ExportSpec {
    /// Returns whether `importer` may import by it.
    pub(crate) fn covers(&self, import: &ImportSpec, importer: &AccountSpec) -> bool {
        let covers = |exported: Option<&String>, wanted: Option<&String>| {
            exported.zip(wanted).is_some_and(|(exported, wanted)| is_covered(wanted, exported))
        };
        let may = self.accounts.as_ref().is_none_or(|names| names.contains(&importer.name));
        may && (covers(self.stream.as_ref(), import.stream.as_ref())
            || covers(self.service.as_ref(), import.service.as_ref()))
    }
}

/// Returns whether every subject that `subject` matches is matched by `by`.
fn is_covered(subject: &str, by: &str) -> bool {
    let mut wanted = subject.split('.');
    for token in by.split('.') {
        match (token, wanted.next()) {
            (">", Some(_)) => return true,
            ("*", Some(other)) if other != ">" => {}
            (token, Some(other)) if token == other => {}
            _ => return false,
        }
    }
    wanted.next().is_none()
}

/// One import.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ImportSpec {
    /// Account that exports the subject.
    pub from: String,
    /// Subject of a stream of messages.
    pub stream: Option<String>,
    /// Subject of a service.
    pub service: Option<String>,
    /// Subject in the importing account. Default: the exported subject.
    pub to: Option<String>,
}

/// A subject mapping: servers deliver messages of one subject under other subjects.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MappingSpec {
    /// Subject that publishers use.
    pub from: String,
    /// Subject in each cluster: `{cluster}` stands for the cluster's name.
    pub to_each_cluster: Option<String>,
    /// Several subjects, each with its share of the messages.
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

/// Replaces `{cluster}` by a cluster's name.
pub(in super::super) fn in_cluster(template: &str, cluster: &str) -> String {
    template.replace("{cluster}", cluster)
}

/// Destination of a mapped message.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MappingTarget {
    /// Subject that the messages get.
    pub subject: String,
    /// Percentage of the messages. Default 100.
    pub weight: Option<u8>,
    /// Cluster in which this destination is used. Default: all.
    pub cluster: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_must_be_covered_by_an_export() {
        assert!(is_covered("orders.new", "orders.>"));
        assert!(is_covered("orders.*", "orders.*"));
        assert!(is_covered("orders.>", "orders.>"));
        assert!(!is_covered("orders", "orders.>"));
        assert!(!is_covered("orders.>", "orders.*"));
        assert!(!is_covered("orders.new.eu", "orders.*"));
        assert!(!is_covered("bills", "orders"));
    }
}
