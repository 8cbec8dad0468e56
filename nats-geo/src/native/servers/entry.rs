//! This module splits a list of servers into entries, and splits each entry into region, credentials and address. It
//! also removes credentials from the texts of errors.

use crate::native::target::Scheme;

/// Splits a list at its commas. `Err` is the number of an entry, from 1, of which nobody can tell whether it is a server
/// of its own or the rest of a password, or of a query, with a comma in it.
pub(super) fn split(list: &str) -> Result<Vec<&str>, usize> {
    let entries: Vec<_> = list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
    let may_be_rest = |pair: &[&str]| {
        (pair[1].contains('@') || pair[0].contains('?')) && Entry::of(pair[1]).scheme.is_none()
    };
    match entries.windows(2).position(may_be_rest) {
        Some(place) => Err(place + 2),
        None => Ok(entries),
    }
}

/// `[region=][scheme://]rest`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) region: Option<&'a str>,
    pub(super) scheme: Option<Scheme>,
    /// What stands behind the region: the scheme and all that follows.
    pub(super) location: &'a str,
}

impl<'a> Entry<'a> {
    /// Only a scheme or a plain host may follow a region. In front of credentials, the text before `=` may be one of
    /// them: a token in Base64 ends with `=`.
    pub(super) fn of(entry: &'a str) -> Self {
        let whole = Self { region: None, scheme: scheme_of(entry), location: entry };
        let Some((region, location)) = entry.split_once('=') else { return whole };
        let (region, location) = (region.trim(), location.trim());
        let scheme = scheme_of(location);
        let is_region = !region.is_empty() && !region.contains([':', '@', '/', '?', '#']);
        if is_region && (scheme.is_some() || !location.contains('@')) {
            Self { region: Some(region), scheme, location }
        } else {
            whole
        }
    }

    /// The entry without any part that may be secret: what stands before the last `@`, a port that is no number (the
    /// host may have been forgotten: `nats://user:password`), a query and a fragment.
    pub(super) fn redacted(&self) -> String {
        let region = self.region.map(|region| format!("{region}=")).unwrap_or_default();
        let scheme = self.scheme.map(|scheme| format!("{scheme}://")).unwrap_or_default();
        let rest = self.location.get(scheme.len()..).unwrap_or_default();
        let (credentials, place) = match rest.rsplit_once('@') {
            // Where credentials end is not certain.
            Some((before, _)) if before.contains(['/', '?', '#']) => ("***", String::new()),
            Some((_, place)) => ("***@", place.to_owned()),
            None => ("", without_password(rest)),
        };
        let place = match place.find(['?', '#']) {
            Some(end) => format!("{}***", &place[..=end]),
            None => place,
        };
        format!("{region}{scheme}{credentials}{place}")
    }
}

/// The scheme, if it is one of NATS. Another one may be a part of a password.
fn scheme_of(text: &str) -> Option<Scheme> {
    text.split_once("://").and_then(|(scheme, _)| Scheme::parse(scheme))
}

fn without_password(place: &str) -> String {
    let authority = place.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once(':') {
        // Not an IPv6 address, and not a port.
        Some((host, port))
            if !authority.ends_with(']') && !port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            format!("{host}:***")
        }
        _ => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_stands_before_a_scheme_or_a_plain_host_only() {
        for (entry, region, location) in [
            ("lon=nats://u:p@h", Some("lon"), "nats://u:p@h"),
            ("us-east-1 = h:1", Some("us-east-1"), "h:1"),
            ("QXzf==@h:4222", None, "QXzf==@h:4222"),
            ("u:p=w@h", None, "u:p=w@h"),
            ("nats://u:p=nats://w@h", None, "nats://u:p=nats://w@h"),
            ("=h", None, "=h"),
        ] {
            let Entry { region: found, location: rest, .. } = Entry::of(entry);
            assert_eq!((found, rest), (region, location), "{entry}");
        }
    }

    #[test]
    fn a_comma_that_may_belong_to_a_password_is_refused() {
        assert_eq!(split("a:1, nats://u:p@b ,,c"), Ok(vec!["a:1", "nats://u:p@b", "c"]));
        assert_eq!(split("u:p@a,lon=nats://u:p@b"), Ok(vec!["u:p@a", "lon=nats://u:p@b"]));
        assert_eq!(split("nats://u:s3cr,3t@h:4222"), Err(2));
        assert_eq!(split("nats://u:12345,abc@h:4222"), Err(2));
        assert_eq!(split("a,b,t@h"), Err(3));
        assert_eq!(split("a,http://t@h"), Err(2), "no scheme of NATS");
        assert_eq!(split("ws://h/?a=b,c"), Err(2));
        assert_eq!(split("ws://h/?a=b,ws://c"), Ok(vec!["ws://h/?a=b", "ws://c"]));
    }
}
