//! Where servers are: parsing of what the user lists.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use super::target::Scheme;
use super::{Auth, Secret};

/// Servers as text: one string with commas, or anything that lists strings.
///
/// Each entry is `[region=][scheme://][user:password@|token@]host[:port]`. The schemes are `nats` (the default;
/// TLS if the server asks for it), `tls`, `ws` and `wss`; the port defaults to 4222, for `ws` to 80 and for `wss` to
/// 443. A region before `=` labels the server with it; without one, the region is learned from the server.
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
    /// The servers, in the order listed.
    ///
    /// # Errors
    /// The first entry that is not a server.
    fn into_servers(self) -> Result<Vec<ServerUrl>, ServerUrlError>;
}

impl IntoServers for &str {
    fn into_servers(self) -> Result<Vec<ServerUrl>, ServerUrlError> {
        self.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::parse).collect()
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

/// One server as the user listed it.
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
        let (region, location) = split_region(input.trim());
        let text = if location.contains("://") { location.to_owned() } else { format!("nats://{location}") };
        let malformed = |why: String| ServerUrlError::Malformed { input: redacted(input), why };
        let url = Url::parse(&text).map_err(|error| malformed(error.to_string()))?;
        let scheme = Scheme::parse(url.scheme())
            .ok_or_else(|| malformed(format!("`{}://` is not a NATS scheme", url.scheme())))?;
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| malformed("it has no host".into()))?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(malformed("nothing may follow the port".into()));
        }
        let port = url.port().unwrap_or_else(|| scheme.default_port());
        if port == 0 {
            return Err(malformed("no server listens at port 0".into()));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let auth = auth_of(&url).map_err(|_| malformed("its credentials are not UTF-8".into()))?;
        Ok(Self { address: Address { host, port }, scheme, region, auth })
    }
}

/// Why a list of servers cannot be used. Credentials in it are never repeated.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerUrlError {
    /// The list is empty.
    #[error("no server is listed: name at least one, such as nats://host:4222")]
    Empty,
    /// An entry is not a URL of a NATS server.
    #[error("`{input}` is not a server: {why}; expected nats://host:port")]
    Malformed {
        /// The entry.
        input: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A host, by name or number, and a port.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Address {
    /// Without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// What a server advertised in `connect_urls`: `host:port` without a scheme. `None` when it is nothing
    /// that could be dialled.
    pub(crate) fn advertised(text: &str) -> Option<Self> {
        text.parse::<ServerUrl>().ok().map(|server| server.address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// `region=rest`. A region has no colon or at sign, so a password with `=` in it is not mistaken for one.
fn split_region(input: &str) -> (Option<String>, &str) {
    match input.split_once('=') {
        Some((region, rest)) if !region.is_empty() && !region.contains([':', '@', '/']) => {
            (Some(region.trim().to_owned()), rest.trim())
        }
        _ => (None, input),
    }
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

/// The entry without what stands before the last `@`: that may be a password, well-formed or not.
fn redacted(input: &str) -> String {
    let Some((before, after)) = input.rsplit_once('@') else { return input.to_owned() };
    let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
    if scheme.is_empty() { format!("***@{after}") } else { format!("{scheme}://***@{after}") }
}

#[cfg(test)]
mod tests {
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
                "`nats://h/path` is not a server: nothing may follow the port; expected nats://host:port",
            ),
            ("nats://", "`nats://` is not a server: it has no host; expected nats://host:port"),
            (
                "http://h",
                "`http://h` is not a server: `http://` is not a NATS scheme; expected nats://host:port",
            ),
            (
                "wss://u:s3cr3t@h/path",
                "`wss://***@h/path` is not a server: nothing may follow the port; expected nats://host:port",
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
