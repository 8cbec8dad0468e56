//! The address of a server as the application writes it: `wss://host:port/path`, or `lon=wss://host:port` with a name
//! for its region.

use super::code::{Code, Refusal};

/// Where to open a WebSocket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ServerUrl {
    /// The user's name for the region.
    pub(super) region: Option<String>,
    pub(super) scheme: Scheme,
    /// `host:port`, the port always named.
    pub(super) address: String,
    /// Empty, or from its `/` on.
    path: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scheme {
    Ws,
    Wss,
}

impl Scheme {
    const fn text(self) -> &'static str {
        match self {
            Self::Ws => "ws://",
            Self::Wss => "wss://",
        }
    }

    const fn default_port(self) -> &'static str {
        match self {
            Self::Ws => "80",
            Self::Wss => "443",
        }
    }
}

impl ServerUrl {
    /// Reads what a user wrote. Without a scheme it is `wss://`, as in nats-core.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let bad = |what: &str| {
            let expected = "expected ws://host:port or wss://host:port";
            Refusal::new(
                Code::InvalidArgument,
                format!("`{}` is no server: {what}; {expected}", hidden(text)),
            )
        };
        let trimmed = text.trim_ascii();
        let (label, url) = match trimmed.split_once('=') {
            Some((label, url)) if !label.contains(['/', '@', ':', '?']) => {
                (Some(label.trim_ascii()), url.trim_ascii())
            }
            _ => (None, trimmed),
        };
        if label == Some("") {
            return Err(bad("the region before `=` is empty"));
        }
        let (scheme, rest) = match scheme_of(url) {
            None => (Scheme::Wss, url),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => (Scheme::Ws, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => (Scheme::Wss, rest),
            Some(_) => return Err(bad("browsers reach NATS only by WebSocket: use `wss://`")),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(bad("credentials belong into the options `user` and `pass`, `token` or `auth`"));
        }
        if !is_framed(url) || url.contains('#') {
            return Err(bad("it contains white space or `#`"));
        }
        let address = with_port(authority, scheme).map_err(bad)?;
        Ok(Self { region: label.map(Into::into), scheme, address, path: path.into() })
    }

    /// A server that another one told of as `host:port`, reached as that one is.
    pub(super) fn advertised(&self, address: &str) -> Option<Self> {
        let address = with_port(address, self.scheme).ok()?;
        let framed = is_framed(&address) && !address.contains(['/', '?', '#', '@']);
        // Servers tell of their own cluster only, so the user's name for the region holds there too.
        framed.then(|| Self {
            region: self.region.clone(),
            scheme: self.scheme,
            address,
            path: self.path.clone(),
        })
    }

    /// What the browser is to open.
    pub(super) fn url(&self) -> String {
        [self.scheme.text(), &self.address, &self.path].concat()
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        hidden(&self.url())
    }

    /// Returns whether a page that came over https may open it: `wss://`, or this machine.
    pub(super) fn is_secure(&self) -> bool {
        let host = self.address.rsplit_once(':').map_or("", |(host, _)| host);
        let is_local = host == "localhost"
            || host.ends_with(".localhost")
            || host == "[::1]"
            || host.starts_with("127.");
        self.scheme == Scheme::Wss || is_local
    }
}

/// What stands before `://`, and behind it.
fn scheme_of(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    Some((scheme, rest.strip_prefix("//")?))
}

/// Returns whether there is no white space or control character in it.
pub(super) fn is_framed(text: &str) -> bool {
    !text.bytes().any(|byte| byte <= b' ' || byte == DELETE)
}

const DELETE: u8 = 0x7f;

/// `host:port`, with the scheme's port if none is named.
fn with_port(authority: &str, scheme: Scheme) -> Result<String, &'static str> {
    let (host, port) = match authority.rsplit_once(':') {
        // The last colon of `[::1]` belongs to the address.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, scheme.default_port()),
    };
    if host.is_empty() {
        return Err("it has no host");
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err("an IPv6 address stands in brackets");
    }
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(1..) if is_number => Ok([host, ":", port].concat()),
        _ => Err("its port is not a number from 1 to 65535"),
    }
}

/// The text without what stands before an `@` or behind a `?`: it may be a password.
pub(super) fn hidden(text: &str) -> String {
    let (text, query) = text.split_once('?').map_or((text, None), |(text, query)| (text, Some(query)));
    let end = if query.is_some() { "?***" } else { "" };
    match text.rsplit_once('@') {
        Some((_, rest)) => ["***@", rest, end].concat(),
        // One that holds a `?`.
        None if query.is_some_and(|query| query.contains('@')) => "***".into(),
        None => [text, end].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_users_write_them() {
        let cases = [
            ("ws://h:1", None, "ws://h:1"),
            ("wss://h", None, "wss://h:443"),
            (" lon = WSS://h:1/nats?x=1 ", Some("lon"), "wss://h:1/nats?x=1"),
            ("h:8443", None, "wss://h:8443"),
            ("h?x=1", None, "wss://h:443?x=1"),
            ("ws://[::1]", None, "ws://[::1]:80"),
        ];
        for (text, region, url) in cases {
            let server = ServerUrl::parse(text).unwrap();
            assert_eq!((server.region.as_deref(), server.url().as_str()), (region, url), "{text}");
        }
    }

    #[test]
    fn bad_ones_are_named_without_their_secrets() {
        for (text, what) in [
            ("nats://h:4222", "only by WebSocket"),
            ("https://h", "only by WebSocket"),
            ("", "no host"),
            ("ws://h:0", "port"),
            ("ws://h:+1", "port"),
            ("ws://::1", "brackets"),
            ("=ws://h", "region"),
            ("ws://a b", "white space"),
        ] {
            let refusal = ServerUrl::parse(text).unwrap_err();
            assert_eq!(refusal.code, Code::InvalidArgument);
            assert!(refusal.text.contains(what) && refusal.text.contains(text), "{refusal}");
        }
        for text in ["wss://derek:s3cr3t@h", "lon=wss://h:x?token=s3cr3t", "wss://derek:s3c?r3t@h"] {
            let secret = ServerUrl::parse(text).unwrap_err();
            assert!(secret.text.contains("***") && !secret.text.contains("s3c"), "{secret}");
        }
        assert_eq!(ServerUrl::parse("wss://h/nats?token=s3cr3t").unwrap().shown(), "wss://h:443/nats?***");
    }

    #[test]
    fn advertised_servers_are_reached_as_the_one_that_told_of_them() {
        let by = ServerUrl::parse("wss://h:1/nats").unwrap();
        assert_eq!(by.advertised("10.0.0.1:9222").unwrap().url(), "wss://10.0.0.1:9222/nats");
        assert!(["", "a b:1", "a:0", "x@y:1", "::1:9222"].iter().all(|bad| by.advertised(bad).is_none()));
    }

    #[test]
    fn only_local_servers_may_be_insecure() {
        let is_secure = |text| ServerUrl::parse(text).unwrap().is_secure();
        assert!(is_secure("wss://h") && is_secure("ws://localhost:1") && is_secure("ws://127.0.0.1:1"));
        assert!(!is_secure("ws://h") && !is_secure("ws://localhost.evil.com"));
    }
}
