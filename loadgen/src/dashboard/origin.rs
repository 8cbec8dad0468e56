//! Origins of pages that may embed the dashboard's frames.

use std::fmt;
use std::str::FromStr;

/// Scheme, host and port of pages, such as `https://grafana.example.net`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin(String);

/// A text that is not an origin.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not the origin of pages: write scheme, host and port, as in `https://grafana.example.net` or `http://127.0.0.1:3000`"
)]
pub struct ParseOriginError(String);

impl FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, ParseOriginError> {
        let wrong = || ParseOriginError(text.to_owned());
        let url = url::Url::parse(text).map_err(|_| wrong())?;
        let origin = url.origin().ascii_serialization();
        // The text goes into a header: nothing but the origin may be there.
        let is_alone = text.trim_end_matches('/') == origin && matches!(url.scheme(), "http" | "https");
        if is_alone { Ok(Self(origin)) } else { Err(wrong()) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_are_read() {
        for text in ["https://grafana.example.net", "http://127.0.0.1:3000", "http://[::1]:3000/"] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text.trim_end_matches('/'));
        }
        for text in [
            "",
            "*",
            "grafana.example.net",
            "https://a.net/path",
            "https://u:p@a.net",
            "data:text/html,x",
            "https://a.net; script-src *",
            "https://a.net 'unsafe-inline'",
        ] {
            let error = text.parse::<Origin>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")) && error.contains("https://grafana"), "{error}");
        }
    }
}
