//! This module parses and validates the list of servers that the application gives.
//!
//! This module defines the syntax `[region=][scheme://][credentials@]host[:port][/path]` and its errors, which never
//! contain a secret. This module must not use sockets or TLS.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use super::target::Scheme;
use super::{Auth, Secret};
use entry::Entry;

mod entry;

/// A list of servers as text: one string with commas, or a collection of strings.
///
/// Each entry is `[region=][scheme://][user:password@|token@]host[:port][/path]`. The schemes are `nats` (the default;
/// with TLS if the server requires it), `tls`, `ws` and `wss`. The default port is 4222, for `ws` 80, and for `wss` 443.
/// Only `ws` and `wss` allow a path, which a reverse proxy may need. A region before `=` is the label of the server.
/// Without a label, the client learns the region from the server.
///
/// In a user name, a password or a token, letters, digits and ``-._~!$&'()*+;=`` need no encoding. In a password, `:`
/// needs no encoding either. Percent-encode all other characters, as in RFC 3986: `%2C` for a comma, `%2F` for `/`,
/// `%40` for `@`, `%25` for `%`. If unencoded characters make an entry ambiguous, the client refuses the list.
/// [`GeoOptions::user_and_password`](super::GeoOptions::user_and_password) accepts any text without encoding.
///
/// ```
/// use nats_geo::IntoServers;
///
/// assert_eq!("lon=nats://lon-1:4222, ams-1".into_servers()?.len(), 2);
/// assert_eq!(["nats://lon-1", "nats://ams-1"].into_servers()?.len(), 2);
/// assert_eq!("wss://lon-1,tls://ams-1".into_servers()?.len(), 2);
/// assert!("http://lon-1".into_servers().is_err());
/// # Ok::<(), nats_geo::ServerUrlError>(())
/// ```
pub trait IntoServers {
    /// Returns the servers, in the order of the list.
    ///
    /// # Errors
    /// An entry is not a server. The error names the first such entry.
    fn into_servers(self) -> Result<Vec<ServerUrl>, ServerUrlError>;
}

impl IntoServers for &str {
    fn into_servers(self) -> Result<Vec<ServerUrl>, ServerUrlError> {
        let entries = entry::split(self).map_err(|entry| ServerUrlError::Ambiguous { entry })?;
        entries.into_iter().map(str::parse).collect()
    }
}

impl IntoServers for String {
    fn into_servers(self) -> Result<Vec<ServerUrl>, ServerUrlError> {
        self.as_str().into_servers()
    }
}

impl IntoServers for &String {
    fn into_servers(self) -> Result<Vec<ServerUrl>, ServerUrlError> {
        self.as_str().into_servers()
    }
}

impl<T: AsRef<str>> IntoServers for &[T] {
    fn into_servers(self) -> Result<Vec<ServerUrl>, ServerUrlError> {
        self.iter()
            .map(|entry| entry.as_ref().into_servers())
            .collect::<Result<Vec<_>, _>>()
            .map(|all| all.concat())
    }
}

impl<T: AsRef<str>> IntoServers for Vec<T> {
    fn into_servers(self) -> Result<Vec<ServerUrl>, ServerUrlError> {
        self.as_slice().into_servers()
    }
}

impl<T: AsRef<str>> IntoServers for &Vec<T> {
    fn into_servers(self) -> Result<Vec<ServerUrl>, ServerUrlError> {
        self.as_slice().into_servers()
    }
}

impl<T: AsRef<str>, const N: usize> IntoServers for [T; N] {
    fn into_servers(self) -> Result<Vec<ServerUrl>, ServerUrlError> {
        self.as_slice().into_servers()
    }
}

/// One server of the application's list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerUrl {
    pub(crate) address: Address,
    pub(crate) scheme: Scheme,
    pub(crate) region: Option<String>,
    pub(crate) auth: Auth,
}

impl std::str::FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(input: &str) -> Result<Self, ServerUrlError> {
        let entry = Entry::of(input.trim());
        let malformed =
            |why: &str| ServerUrlError::Malformed { input: entry.redacted(), why: why.to_owned() };
        if input.contains(char::is_control) {
            return Err(malformed("it contains a control character: percent-encode it"));
        }
        let text = match entry.location {
            location if location.contains("://") => location.to_owned(),
            location => format!("nats://{location}"),
        };
        let url = Url::parse(&text).map_err(|error| malformed(&error.to_string()))?;
        let scheme = Scheme::parse(url.scheme())
            .ok_or_else(|| malformed("its scheme is none of `nats`, `tls`, `ws` and `wss`"))?;
        if [Some(url.path()), url.query(), url.fragment()].iter().flatten().any(|part| part.contains('@')) {
            return Err(malformed("percent-encode `/`, `?`, `#` and `@` in a user name, password or token"));
        }
        let host =
            url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| malformed("it has no host"))?;
        let port = url.port().unwrap_or_else(|| scheme.default_port());
        if port == 0 {
            return Err(malformed("no server listens at port 0"));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let path = path_of(&url, scheme).map_err(malformed)?;
        let auth = auth_of(&url).map_err(|_| malformed("its credentials are not UTF-8"))?;
        Ok(Self { address: Address { host, port, path }, scheme, region: entry.region.map(Into::into), auth })
    }
}

/// Reason why a list of servers is invalid. The text never shows credentials from the list.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerUrlError {
    /// The list is empty.
    #[error("no server is listed: name at least one, such as nats://host:4222")]
    Empty,
    /// An entry may be a separate server, or the rest of a password that contains a comma.
    #[error(
        "entry {entry} of the list of servers is ambiguous: write `nats://` in front of each server that has \
         credentials, and `%2C` for a comma in a password, token or query"
    )]
    Ambiguous {
        /// Number of the entry, counted from 1.
        entry: usize,
    },
    /// An entry is not a URL of a NATS server.
    #[error("`{input}` is not a server: {why}; expected nats://host:port")]
    Malformed {
        /// The entry, without credentials.
        input: String,
        /// The problem.
        why: String,
    },
}

/// A host, by name or number, a port and, over WebSocket, a path.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Address {
    /// Without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query as in the request, from the first `/` on; empty for the root.
    pub(crate) path: String,
}

impl Address {
    /// What a server advertised in `connect_urls`: `host:port` without a scheme. `None` when it is nothing
    /// that could be dialled.
    pub(crate) fn advertised(text: &str) -> Option<Self> {
        text.parse::<ServerUrl>().ok().map(|server| server.address)
    }
}

/// Without the query, which may hold a secret.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, path } = self;
        let path = path.split('?').next().unwrap_or_default();
        if host.contains(':') { write!(f, "[{host}]:{port}{path}") } else { write!(f, "{host}:{port}{path}") }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Path and query. A fragment is never sent, so nobody can mean one.
fn path_of(url: &Url, scheme: Scheme) -> Result<String, &'static str> {
    let is_root = matches!(url.path(), "" | "/") && url.query().is_none();
    if url.fragment().is_some() || !(is_root || scheme.is_websocket()) {
        return Err("only a path of ws:// and wss:// may follow the port");
    }
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    Ok(if is_root { String::new() } else { format!("{}{query}", url.path()) })
}

fn auth_of(url: &Url) -> Result<Auth, std::str::Utf8Error> {
    let decoded = |text| percent_decode_str(text).decode_utf8().map(String::from);
    Ok(match (url.username(), url.password()) {
        ("", None) => Auth::None,
        (token, None) => Auth::Token(Secret::from(decoded(token)?)),
        (user, Some(password)) => {
            Auth::UserAndPassword { user: decoded(user)?, password: Secret::from(decoded(password)?) }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(input: &str) -> Result<ServerUrl, ServerUrlError> {
        input.parse()
    }

    #[test]
    fn an_entry_has_defaults_for_all_but_the_host() {
        let cases = [
            ("nats://lon-1:4333", "lon-1:4333", None),
            ("lon-1", "lon-1:4222", None),
            ("10.0.0.1:4222", "10.0.0.1:4222", None),
            ("nats://[::1]:4223/", "[::1]:4223", None),
            ("lon=nats://lon-1", "lon-1:4222", Some("lon")),
            ("lon = lon-1:1", "lon-1:1", Some("lon")),
            ("tls://h", "h:4222", None),
            ("ws://h", "h:80", None),
            ("lon=wss://h", "h:443", Some("lon")),
            ("wss://h:8443", "h:8443", None),
            ("wss://h/nats", "h:443/nats", None),
            ("ws://h:80/path?token=s3cr3t", "h:80/path", None),
            ("us-east-1=ws://[::1]:8080/a/b/", "[::1]:8080/a/b/", Some("us-east-1")),
        ];
        for (input, address, region) in cases {
            let server = parse(input).unwrap();
            assert_eq!((server.address.to_string().as_str(), server.region.as_deref()), (address, region));
        }
    }

    #[test]
    fn credentials_are_taken_from_the_url_and_decoded() {
        let user = |user: &str, password: &str| Auth::UserAndPassword {
            user: user.into(),
            password: Secret::from(password),
        };
        assert_eq!(parse("nats://derek:s%40=x@h").unwrap().auth, user("derek", "s@=x"));
        assert_eq!(parse("derek:p=w@h:1").unwrap().auth, user("derek", "p=w"));
        assert_eq!(parse("nats://t0k3n@h").unwrap().auth, Auth::Token(Secret::from("t0k3n")));
        assert_eq!(parse("QXzf==@h").unwrap().auth, Auth::Token(Secret::from("QXzf==")));
        assert_eq!(parse("nats://u:p@ss@h").unwrap().auth, user("u", "p@ss"), "only the last one ends it");
    }

    proptest! {
        /// With whatever characters: it is understood as it was meant, or refused, and nobody sees a part of it.
        #[test]
        fn no_part_of_a_secret_is_shown(
            secret in "[!-~]{8,24}|[A-Za-z0-9,=@:/?#%+-]{8,24}",
            form in prop::sample::select(vec![
                "nats://u:{}@h:4222", "u:{}@h", "nats://{}@h:4222", "{}@h:4222", "lon=tls://u:{}@h", "ws://u:{}@h/p?q=1",
                "nats://a:1,nats://u:{}@h,b:2", "wss://h/p?token={}",
            ]),
        ) {
            let shown = |text: &str| match form.replace("{}", text).into_servers() {
                Ok(servers) => {
                    let addresses = servers.iter().map(|server| server.address.to_string());
                    let regions = servers.iter().flat_map(|server| server.region.clone());
                    let debug = servers.iter().map(|server| format!("{server:?}"));
                    addresses.chain(regions).chain(debug).collect::<String>()
                }
                Err(error) => format!("{error} {error:?}"),
            };
            // Whatever an output says without the secret is no part of it.
            let innocent = ["x", "1", "x,y@z", "x/y@z", "x?", "x#y@", "x://y", "\t"].map(shown).concat();
            let shown = shown(&secret);
            let parts = secret.as_bytes().windows(4).filter_map(|part| std::str::from_utf8(part).ok());
            for part in parts.filter(|part| !innocent.contains(part)) {
                prop_assert!(!shown.contains(part), "{part} of {secret} is in: {shown}");
            }
        }
    }

    #[test]
    fn errors_name_the_input_and_never_its_credentials() {
        let cases = [
            (
                "nats://h:0",
                "`nats://h:0` is not a server: no server listens at port 0; expected nats://host:port",
            ),
            (
                "nats://h:99999",
                "`nats://h:99999` is not a server: invalid port number; expected nats://host:port",
            ),
            (
                "nats://h/path",
                "`nats://h/path` is not a server: only a path of ws:// and wss:// may follow the port; \
                 expected nats://host:port",
            ),
            ("nats://", "`nats://` is not a server: it has no host; expected nats://host:port"),
            (
                "http://h",
                "`http://h` is not a server: its scheme is none of `nats`, `tls`, `ws` and `wss`; expected \
                 nats://host:port",
            ),
            (
                "tls://u:s3cr3t@h/path?s3cr3t",
                "`tls://***@h/path?***` is not a server: only a path of ws:// and wss:// may follow the port; \
                 expected nats://host:port",
            ),
            (
                "ws://h/path#part",
                "`ws://h/path#***` is not a server: only a path of ws:// and wss:// may follow the port; \
                 expected nats://host:port",
            ),
            (
                "nats://user:s3cr3t",
                "`nats://user:***` is not a server: invalid port number; expected nats://host:port",
            ),
            (
                "ws://u:12/s3@h:80",
                "`ws://***` is not a server: percent-encode `/`, `?`, `#` and `@` in a user name, password \
                 or token; expected nats://host:port",
            ),
            (
                "nats://u:s3\tcr3t@h",
                "`nats://***@h` is not a server: it contains a control character: percent-encode it; expected \
                 nats://host:port",
            ),
            (
                "u:s3cr3t@h:0",
                "`***@h:0` is not a server: no server listens at port 0; expected nats://host:port",
            ),
        ];
        for (input, message) in cases {
            assert_eq!(parse(input).unwrap_err().to_string(), message);
        }
        assert!(!format!("{:?}", parse("u:s3cr3t@h").unwrap()).contains("s3cr3t"));
    }

    #[test]
    fn lists_split_at_commas_and_skip_blanks() {
        let listed = |servers: Vec<ServerUrl>| {
            servers.iter().map(|server| server.address.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(listed("a:1, b:2,".into_servers().unwrap()), ["a:1", "b:2"]);
        assert_eq!(listed(vec!["a:1,b:2", "c:3"].into_servers().unwrap()), ["a:1", "b:2", "c:3"]);
        assert!("".into_servers().unwrap().is_empty());
    }
}
