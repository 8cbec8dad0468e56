//! Durations as Go and nats-server print them: `228µs`, `1.471136ms`, `3m34s`, `1d2h3m4s`.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Reads a duration; `None` if the text is none. A sign is no part of it: servers print no negative round trips.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit = &rest[end..];
        let unit = &unit[..unit.find(|letter: char| letter.is_ascii_digit()).unwrap_or(unit.len())];
        seconds += number * seconds_of(unit)?;
        rest = &rest[end + unit.len()..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// Years and days are units of nats-server, which counts 365 days a year.
fn seconds_of(unit: &str) -> Option<f64> {
    const DAY: f64 = 24.0 * 3600.0;
    Some(match unit {
        "ns" => 1e-9,
        // The micro sign, and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => DAY,
        "y" => 365.0 * DAY,
        _ => return None,
    })
}

/// Prints a duration as nats-server prints an uptime: the two largest units.
pub fn uptime(seconds: f64) -> String {
    const UNITS: [(u64, &str); 5] = [(365 * 86_400, "y"), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds.max(0.0) as u64;
    let Some(first) = UNITS.iter().position(|(length, _)| rest >= *length) else { return "0s".to_owned() };
    let mut text = String::new();
    for (length, name) in UNITS.iter().skip(first).take(2) {
        text.push_str(&format!("{}{name}", rest / length));
        rest %= length;
    }
    text
}

/// For fields that older servers lack or print otherwise.
pub(super) fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.as_deref().and_then(parse))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_servers_are_read() {
        for (text, expected) in [
            ("228\u{b5}s", Duration::from_micros(228)),
            ("228\u{3bc}s", Duration::from_micros(228)),
            ("1.471136ms", Duration::from_nanos(1_471_136)),
            ("12s", Duration::from_secs(12)),
            ("3m34s", Duration::from_secs(214)),
            ("1y2d3h4m5s", Duration::from_secs(((365 + 2) * 24 + 3) * 3600 + 245)),
            ("0s", Duration::ZERO),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in ["", "12", "s", "1x", "-1s", "1..2s", "N/A", "9999999999999999999999y"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_uptime_has_two_units() {
        let texts = [0.4, 59.9, 214.0, 7_205.0, 93_784.0, 40_000_000.0].map(uptime);
        assert_eq!(texts, ["0s", "59s", "3m34s", "2h0m", "1d2h", "1y97d"]);
    }
}
