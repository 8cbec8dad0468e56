//! Contexts of the `nats` CLI: files with the address and the login of a super-cluster. loadgen reads them and never
//! writes them.
//!
//! The format is that of jsm.go's `natscontext`: `$XDG_CONFIG_HOME/nats/context/NAME.json`, and the name of the selected
//! context in `$XDG_CONFIG_HOME/nats/context.txt`. Without that variable the folder is `~/.config`.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use crate::secret::Secret;

/// Returns the value of an environment variable. Tests give their own.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A context of the `nats` CLI. An empty text stands for a setting that is not set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Servers, separated by commas. They may contain credentials.
    #[serde(deserialize_with = "secret")]
    pub url: Option<Secret>,
    /// A user's name.
    #[serde(deserialize_with = "secret")]
    pub user: Option<Secret>,
    /// The user's password, or a reference to it.
    #[serde(deserialize_with = "secret")]
    pub password: Option<Secret>,
    /// A token, or a reference to it.
    #[serde(deserialize_with = "secret")]
    pub token: Option<Secret>,
    /// A credentials file, or another reference to credentials.
    #[serde(deserialize_with = "secret")]
    pub creds: Option<Secret>,
    /// A file with the seed of an NKey, or another reference to it.
    #[serde(deserialize_with = "secret")]
    pub nkey: Option<Secret>,
    /// A user's JWT, or a reference to it.
    #[serde(deserialize_with = "secret")]
    pub user_jwt: Option<Secret>,
    /// The seed that belongs to the JWT, or a reference to it.
    #[serde(deserialize_with = "secret")]
    pub user_seed: Option<Secret>,
    /// A client certificate, a PEM file.
    pub cert: String,
    /// Its key, a PEM file.
    pub key: String,
    /// The authority of the servers' certificates, a PEM file.
    pub ca: String,
    /// Whether the TLS handshake precedes the server's first message.
    pub tls_first: bool,
    /// Subjects of replies begin with this.
    pub inbox_prefix: String,
    /// The JetStream domain to use.
    pub jetstream_domain: String,
    /// The subjects of the JetStream API begin with this.
    pub jetstream_api_prefix: String,
    /// A proxy; loadgen knows none.
    pub socks_proxy: String,
    /// An older reference to credentials of the `nsc` tool.
    pub nsc: String,
}

/// Reason why a context is of no help.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// No folder to look in.
    #[error("there is no folder of contexts: set XDG_CONFIG_HOME or HOME")]
    NoFolder,
    /// The name would lead out of the folder.
    #[error(
        "`{0}` is no name of a context: name one that `nats context ls` lists, or a file that ends in .json"
    )]
    Name(String),
    /// There is no such context.
    #[error("cannot read the context `{}`: {error}; `nats context ls` lists the contexts", path.display())]
    Read {
        /// Its file.
        path: PathBuf,
        /// The operating system's error.
        error: io::Error,
    },
    /// Not a context.
    #[error("`{}` is no context of the nats CLI: {category} error in line {line}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Whether JSON or its contents are wrong. The parser's own text may quote a secret.
        category: &'static str,
        /// Where.
        line: usize,
    },
    /// Something that only the CLI has.
    #[error("the context uses `{setting}`, which loadgen does not support: {remedy}")]
    Unsupported {
        /// The setting.
        setting: &'static str,
        /// A way around.
        remedy: &'static str,
    },
    /// A reference to an unset variable.
    #[error("`{setting}` refers to the environment variable `{variable}`, which is not set: set it")]
    Unset {
        /// The setting.
        setting: &'static str,
        /// The variable.
        variable: String,
    },
    /// A reference to a file that cannot be read.
    #[error("cannot read `{}` for `{setting}`: {error}", path.display())]
    File {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        error: io::Error,
    },
}

impl Context {
    /// Reads the context of this name, or the context in a file whose name ends in `.json`.
    ///
    /// # Errors
    /// There is none, it cannot be read, or it uses settings that loadgen does not support.
    pub fn load(name: &str, env: Env<'_>) -> Result<Self, ContextError> {
        let as_file = Path::new(name);
        if name.ends_with(".json") && as_file.is_file() {
            return Self::read(as_file);
        }
        if name.is_empty() || name.contains(['/', '\\']) || name.contains("..") {
            return Err(ContextError::Name(name.to_owned()));
        }
        let folder = folder(env).ok_or(ContextError::NoFolder)?;
        Self::read(&folder.join("context").join(format!("{name}.json")))
    }

    /// Returns the name of the selected context; `None` if none is.
    pub fn selected(env: Env<'_>) -> Option<String> {
        let text = std::fs::read_to_string(folder(env)?.join("context.txt")).ok()?;
        let name = text.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }

    fn read(path: &Path) -> Result<Self, ContextError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ContextError::Read { path: path.to_owned(), error })?;
        let context: Self = serde_json::from_str(&text).map_err(|error| ContextError::Syntax {
            path: path.to_owned(),
            category: if error.is_data() { "a value" } else { "a JSON" },
            line: error.line(),
        })?;
        context.check()?;
        Ok(context)
    }

    fn check(&self) -> Result<(), ContextError> {
        let unsupported = |setting, remedy| Err(ContextError::Unsupported { setting, remedy });
        if !self.socks_proxy.is_empty() {
            return unsupported("socks_proxy", "connect through a tunnel, such as `ssh -L`, with --server");
        }
        if !self.nsc.is_empty() {
            return unsupported("nsc", "write the credentials into a file with `nsc generate creds`");
        }
        Ok(())
    }
}

/// Returns the secret that a setting holds or refers to, as `natscontext` resolves it.
///
/// # Errors
/// The reference leads nowhere, or only the `nats` CLI can follow it.
pub fn resolve(setting: &'static str, value: &Secret, env: Env<'_>) -> Result<Secret, ContextError> {
    let text = value.expose();
    if let Some(path) = text.strip_prefix("file://") {
        let text = read_secret(setting, &expand(path, env))?;
        return Ok(Secret::new(text.expose().trim_end_matches(['\r', '\n'])));
    }
    if let Some(variable) = text.strip_prefix("env://") {
        let unset = || ContextError::Unset { setting, variable: variable.to_owned() };
        return env(variable).map(Secret::new).ok_or_else(unset);
    }
    if ["op://", "nsc://", "data:"].iter().any(|scheme| text.starts_with(scheme)) {
        let remedy = "write the secret into a file, and give that file to --creds or --nkey";
        return Err(ContextError::Unsupported { setting, remedy });
    }
    Ok(value.clone())
}

/// Returns what a file holds, if the setting is the name of a file; else as [`resolve`].
///
/// # Errors
/// As those of [`resolve`].
pub fn resolve_file(setting: &'static str, value: &Secret, env: Env<'_>) -> Result<Secret, ContextError> {
    let text = value.expose();
    if text.contains("://") || text.starts_with("data:") {
        return resolve(setting, value, env);
    }
    read_secret(setting, &expand(text, env))
}

/// Reads a file with a secret in it.
///
/// # Errors
/// It cannot be read.
pub fn read_secret(setting: &'static str, path: &Path) -> Result<Secret, ContextError> {
    let text = std::fs::read_to_string(path).map_err(|error| ContextError::File {
        setting,
        path: path.to_owned(),
        error,
    })?;
    Ok(Secret::new(text))
}

/// Replaces `~` at the beginning of a path.
pub fn expand(path: &str, env: Env<'_>) -> PathBuf {
    match (path.strip_prefix("~/"), env("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.into(),
    }
}

fn folder(env: Env<'_>) -> Option<PathBuf> {
    let set = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    root.map(|root| root.join("nats"))
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Home(tempfile::TempDir);

    impl Home {
        fn new(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = folder.path().join("nats").join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Self(folder)
        }

        fn env(&self) -> impl Fn(&str) -> Option<String> {
            let home = self.0.path().display().to_string();
            move |name| matches!(name, "XDG_CONFIG_HOME" | "HOME").then(|| home.clone())
        }

        fn error(&self, name: &str) -> String {
            Context::load(name, &self.env()).unwrap_err().to_string()
        }
    }

    /// As `nats context add` of natscli 0.5.1 writes it.
    const WRITTEN: &str = r#"{
        "description": "", "url": "nats://lon-1:4222,nats://ams-1:4222", "socks_proxy": "", "token": "",
        "user": "system", "password": "hunter2", "creds": "", "nkey": "", "cert": "", "key": "", "ca": "/ca.pem",
        "nsc": "", "jetstream_domain": "hub", "jetstream_api_prefix": "", "jetstream_event_prefix": "",
        "inbox_prefix": "_INBOX.me", "user_jwt": "", "user_seed": "", "color_scheme": "", "tls_first": true,
        "windows_cert_store": "", "windows_ca_certs_match": null }"#;

    #[test]
    fn a_context_is_found_by_name_and_the_selected_one_too() {
        let home = Home::new(&[("context/sys.json", WRITTEN), ("context.txt", "sys\n")]);
        assert_eq!(Context::selected(&home.env()).as_deref(), Some("sys"));
        let context = Context::load("sys", &home.env()).unwrap();
        assert_eq!(context.password, Some(Secret::new("hunter2")));
        assert_eq!((context.token, context.creds), (None, None));
        assert_eq!((context.jetstream_domain.as_str(), context.ca.as_str()), ("hub", "/ca.pem"));
        assert!(context.tls_first);
        let file = home.0.path().join("nats/context/sys.json");
        assert!(Context::load(file.to_str().unwrap(), &home.env()).is_ok());
        assert_eq!(Context::selected(&Home::new(&[]).env()), None);
    }

    #[test]
    fn errors_name_the_file_and_no_secret() {
        let home = Home::new(&[
            ("context/half.json", r#"{"password": "hunter2", "url""#),
            ("context/wrong.json", r#"{"password": ["hunter2"]}"#),
            ("context/proxy.json", r#"{"socks_proxy": "socks5://u:hunter2@p"}"#),
        ]);
        assert!(home.error("none").contains("context/none.json"));
        assert!(home.error("../sys").contains("`../sys` is no name"));
        for (name, part) in
            [("half", "JSON error in line 1"), ("wrong", "value error"), ("proxy", "`socks_proxy`")]
        {
            let error = home.error(name);
            assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
        }
        assert!(!format!("{:?}", Context::load("proxy", &home.env())).contains("hunter2"));
        assert!(Context::load("sys", &|_| None).unwrap_err().to_string().contains("XDG_CONFIG_HOME"));
    }

    #[test]
    fn references_are_followed() {
        let home = Home::new(&[("seed.nk", "SUA\n")]);
        let env = |name: &str| match name {
            "HOME" => home.env()(name),
            "PW" => Some("from the environment".to_owned()),
            _ => None,
        };
        let text =
            |value: &str| resolve("password", &Secret::new(value), &env).map(|text| text.expose().to_owned());
        assert_eq!(text("plain://x").unwrap(), "plain://x");
        assert_eq!(text("env://PW").unwrap(), "from the environment");
        assert_eq!(text("file://~/nats/seed.nk").unwrap(), "SUA");
        assert!(text("env://NONE").unwrap_err().to_string().contains("`NONE`"));
        assert!(text("op://vault/hunter2").unwrap_err().to_string().contains("`password`"));
        let file = |value: &str| resolve_file("nkey", &Secret::new(value), &env);
        assert_eq!(file("~/nats/seed.nk").unwrap().expose(), "SUA\n");
        assert!(file("/none").unwrap_err().to_string().contains("`/none` for `nkey`"));
    }
}
