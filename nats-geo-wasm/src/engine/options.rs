//! The options of a client, and their JSON form for JavaScript.

use std::time::Duration;

use nats_geo::core::Config;
use nats_geo::wire::json::Value;

use super::code::{Code, Refusal};
use super::config;
use super::memory::Memory;
use super::server_url::is_framed;

/// Options of a client. [`from_json`](Self::from_json) reads the options of the JavaScript side.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Addresses of servers: `ws://host:port`, `wss://host:port/path` or `lon=wss://host:port`.
    pub servers: Vec<String>,
    /// The policy of the selector.
    pub config: Config,
    /// Name of the connection, for the server's monitoring.
    pub name: Option<String>,
    /// Credentials of the client.
    pub auth: Auth,
    /// Whether servers do not deliver messages of this client to subscriptions of the same client.
    pub no_echo: bool,
    /// Prefix of the subjects for replies. Default `_INBOX`.
    pub inbox_prefix: String,
    /// Time limit for the first live link: the client ends if no link is live by then. Default 20 s, as in nats-core.
    pub connect_timeout: Duration,
    /// Whether the client waits for the first live link without a time limit. Then neither `connect_timeout` nor
    /// refused credentials end the client.
    pub retry_initial_connect: bool,
    /// Time for which the client keeps a publish while it is offline. Default 5 s, as in the native client.
    pub publish_wait: Duration,
    /// Largest number of bytes of publishes that the client keeps while it is offline. The same limit applies to the
    /// requests that wait for a link. Default 8 MiB, as in other NATS clients.
    pub kept_bytes_max: usize,
    /// Length of the longest protocol line that all servers accept, in bytes (their `max_control_line`). Default 4096,
    /// as in nats-server. The client refuses names that make a longer line, because a server closes the connection
    /// after such a line.
    pub max_control_line: usize,
    /// Whether the client ignores servers that other servers advertise.
    pub ignore_discovered: bool,
    /// Whether plain subscriptions end on the old link before they begin on the new link in a planned move. They then
    /// get no message twice, but may lose messages.
    pub at_most_once: bool,
    /// Seed of all random choices, such as ties, cohorts and random delays. Give each client a different seed.
    pub seed: u64,
    /// Random bits that make the subjects for replies impossible to guess.
    pub inbox_secret: [u64; 2],
    /// Whether the page was loaded over HTTPS, so that the browser opens only secure sockets.
    pub is_secure_page: bool,
    /// Distances that an earlier client of this browser measured.
    pub memory: Option<Memory>,
}

/// Credentials of a client. `Debug` hides the secrets.
#[derive(Clone, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Auth {
    /// No credentials.
    #[default]
    None,
    /// User and password.
    UserPass(String, String),
    /// A token.
    Token(String),
    /// Credentials from the application's callback, which gets the server's nonce for each connection.
    Callback,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::UserPass(..) => "UserPass(***)",
            Self::Token(_) => "Token(***)",
            Self::Callback => "Callback",
        })
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("name", &self.name).field("auth", &self.auth).finish_non_exhaustive()
    }
}

impl Options {
    /// Returns the defaults for these servers. `seed` and `inbox_secret` must be random.
    #[must_use]
    pub fn new(servers: Vec<String>, seed: u64, inbox_secret: [u64; 2]) -> Self {
        Self {
            servers,
            config: for_browsers(Config::fleet()),
            name: None,
            auth: Auth::None,
            no_echo: false,
            inbox_prefix: "_INBOX".into(),
            connect_timeout: Duration::from_secs(20),
            retry_initial_connect: false,
            publish_wait: Duration::from_secs(5),
            kept_bytes_max: 8 << 20,
            max_control_line: 4_096,
            ignore_discovered: false,
            at_most_once: false,
            seed,
            inbox_secret,
            is_secure_page: false,
            memory: None,
        }
    }

    /// Reads the options of the JavaScript side; see `EngineOptions` there. A seed in the options replaces `seed`.
    ///
    /// # Errors
    /// The first option that is not valid, with the expected value.
    pub fn from_json(text: &str, seed: u64, inbox_secret: [u64; 2]) -> Result<Self, Refusal> {
        let json = Value::parse(text.as_bytes()).map_err(|error| {
            Refusal::new(Code::InvalidArgument, format!("the options are no JSON: {error}"))
        })?;
        let reader = Reader(&json);
        let mut options = Self::new(reader.texts("servers")?, seed, inbox_secret);
        options.config = for_browsers(match reader.text("preset")?.as_deref() {
            None | Some("fleet") => Config::fleet(),
            Some("interactive") => Config::interactive(),
            Some(_) => return Err(reader.bad("preset", "\"fleet\" or \"interactive\"")),
        });
        options.config.warm_standby = reader.flag("warmStandby")?.unwrap_or_default();
        if let Some(fields) = present(json.get("config")) {
            config::apply(fields, &mut options.config)?;
        }
        options.name = reader.text("name")?;
        options.auth = reader.auth()?;
        options.no_echo = reader.flag("noEcho")?.unwrap_or_default();
        options.inbox_prefix = reader.inbox_prefix()?.unwrap_or(options.inbox_prefix);
        options.connect_timeout = reader.millis("connectTimeoutMs")?.unwrap_or(options.connect_timeout);
        options.retry_initial_connect = reader.flag("retryInitialConnect")?.unwrap_or_default();
        options.publish_wait = reader.millis("publishWaitMs")?.unwrap_or(options.publish_wait);
        if let Some(bytes) = reader.number("keptBytesMax")? {
            options.kept_bytes_max = usize::try_from(bytes).unwrap_or(usize::MAX);
        }
        if let Some(bytes) = reader.number("maxControlLine")? {
            options.max_control_line = usize::try_from(bytes).unwrap_or(usize::MAX);
        }
        options.ignore_discovered = reader.flag("ignoreDiscovered")?.unwrap_or_default();
        options.at_most_once = reader.flag("atMostOnce")?.unwrap_or_default();
        options.seed = reader.number("seed")?.unwrap_or(seed);
        // What was persisted may stem from another version: nonsense there is no error.
        options.memory = present(json.get("memory")).and_then(Memory::from_json);
        Ok(options)
    }
}

/// Browsers dial one address after the other and answer late: a probe takes its samples over one socket, and the first
/// choice is looked at once more.
fn for_browsers(mut config: Config) -> Config {
    config.probe.start_samples = 1;
    config.probe.start_review = START_REVIEW;
    config
}

/// A second probe of every server takes as long as its time limit, 2 s, and may wait behind another one.
const START_REVIEW: Duration = Duration::from_secs(4);

struct Reader<'a>(&'a Value);

impl Reader<'_> {
    fn read<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = present(self.0.get(name)) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.bad(name, expected))
    }

    fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        self.read(name, "a string", |value| value.as_str().map(str::to_owned))
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.read(name, "true or false", Value::as_bool)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        self.read(name, "a whole number that is not negative", Value::as_u64)
    }

    fn millis(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        self.read(name, "milliseconds, more than 0", |value| {
            value.as_f64().filter(|ms| *ms > 0.0).and_then(config::millis)
        })
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        Ok(self.read(name, "an array of strings", texts)?.unwrap_or_default())
    }

    fn auth(&self) -> Result<Auth, Refusal> {
        let callback = self.text("auth")?;
        match (callback.as_deref(), self.text("token")?, self.text("user")?, self.text("pass")?) {
            (Some("callback"), None, None, None) => Ok(Auth::Callback),
            (None, Some(token), None, None) => Ok(Auth::Token(token)),
            (None, None, Some(user), pass) => Ok(Auth::UserPass(user, pass.unwrap_or_default())),
            (None, None, None, None) => Ok(Auth::None),
            (None, None, None, Some(_)) => Err(self.bad("user", "a user, as there is a password")),
            _ => Err(self.bad("auth", "one of \"callback\", `token`, or `user` with `pass`")),
        }
    }

    fn inbox_prefix(&self) -> Result<Option<String>, Refusal> {
        let is_subject = |prefix: &String| {
            prefix
                .split('.')
                .all(|token| !token.is_empty() && is_framed(token) && !token.contains(['*', '>']))
        };
        match self.text("inboxPrefix")? {
            Some(prefix) if !is_subject(&prefix) => {
                Err(self.bad("inboxPrefix", "a subject without wildcards"))
            }
            prefix => Ok(prefix),
        }
    }

    /// Values are not shown: one of them may be a password.
    fn bad(&self, name: &str, expected: &str) -> Refusal {
        Refusal::new(Code::InvalidArgument, format!("option `{name}` must be {expected}"))
    }
}

/// `null` counts as not there, as JavaScript's users expect.
fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| **value != Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Options, Refusal> {
        Options::from_json(json, 1, [2, 0])
    }

    #[test]
    fn every_option_arrives() {
        let options = read(
            r#"{"servers":["ws://a:1"],"preset":"interactive","warmStandby":true,"name":"n","token":"t",
            "noEcho":true,"inboxPrefix":"_I.x","connectTimeoutMs":50,"publishWaitMs":60.5,"ignoreDiscovered":true,
            "seed":9,"atMostOnce":true,"keptBytesMax":10,"maxControlLine":9,"retryInitialConnect":true,"verbose":false,"user":null,
            "config":{"watch":{"ping_interval":750},"fail_back":{"cohort":0.5}}}"#,
        )
        .unwrap();
        assert_eq!((options.servers, options.name.as_deref()), (vec!["ws://a:1".to_owned()], Some("n")));
        assert_eq!((options.auth, options.seed, options.inbox_secret), (Auth::Token("t".into()), 9, [2, 0]));
        assert_eq!(options.config.watch.ping_interval, Duration::from_millis(750));
        assert_eq!(options.config.spread.region_lost, Duration::ZERO, "interactive");
        assert!(options.config.warm_standby && options.no_echo && options.ignore_discovered);
        assert!(options.at_most_once);
        assert_eq!((options.max_control_line, options.retry_initial_connect), (9, true));
        assert_eq!(options.publish_wait, Duration::from_micros(60_500));
        assert_eq!((options.inbox_prefix.as_str(), options.kept_bytes_max), ("_I.x", 10));
    }

    #[test]
    fn bad_options_are_named_and_their_values_are_not() {
        for (json, expected) in [
            ("[", "the options are no JSON: expected a value at byte 1"),
            (r#"{"servers":"a"}"#, "option `servers` must be an array of strings"),
            (r#"{"preset":"big"}"#, "option `preset` must be \"fleet\" or \"interactive\""),
            (r#"{"pass":"s3cr3t"}"#, "option `user` must be a user, as there is a password"),
            (r#"{"token":7}"#, "option `token` must be a string"),
            (
                r#"{"token":"s3cr3t","user":"u"}"#,
                "option `auth` must be one of \"callback\", `token`, or `user` with `pass`",
            ),
            (r#"{"inboxPrefix":"a.*"}"#, "option `inboxPrefix` must be a subject without wildcards"),
            (r#"{"connectTimeoutMs":0}"#, "option `connectTimeoutMs` must be milliseconds, more than 0"),
            (r#"{"seed":-1}"#, "option `seed` must be a whole number that is not negative"),
        ] {
            let refusal = read(json).unwrap_err();
            assert_eq!((refusal.code, refusal.text.as_str()), (Code::InvalidArgument, expected));
        }
        let shown = format!("{:?}", read(r#"{"user":"derek","pass":"s3cr3t"}"#).unwrap());
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}
