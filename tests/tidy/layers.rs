//! Who may know whom: the pure layers know neither the world nor the layers above them.

use super::files::File;
use super::rules::has_word;

/// A folder and what its code may not name.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) folder: &'static str,
    /// Words or paths.
    banned: &'static [&'static [&'static str]],
    /// Nothing need be there yet.
    pub(crate) planned: bool,
}

/// No runtime and no concurrency: calls in, values out.
const ASYNC: &[&str] =
    &["async", "await", "tokio", "async_nats", "futures_util", "Arc", "Mutex", "std::thread"];

/// No clock, socket or randomness: the same inputs give the same outputs.
const WORLD: &[&str] = &["std::net", "std::fs", "std::env", "Instant", "SystemTime", "rand"];

/// From the bottom to the top.
pub(crate) const LAYERS: [Layer; 3] = [
    Layer {
        folder: "nats-geo/src/core/",
        banned: &[ASYNC, WORLD, &["wire", "native", "crate::sim"]],
        planned: false,
    },
    Layer {
        folder: "nats-geo/src/wire/",
        banned: &[ASYNC, WORLD, &["crate::core", "super::core", "native", "crate::sim"]],
        planned: false,
    },
    Layer { folder: "nats-geo/src/sim/", banned: &[ASYNC, WORLD, &["wire", "native"]], planned: false },
];

pub(crate) fn layered(file: &File) -> Vec<String> {
    let Some(layer) = LAYERS.iter().find(|layer| file.path.starts_with(layer.folder)) else {
        return Vec::new();
    };
    let banned = |line| layer.banned.iter().copied().flatten().find(|word| has_word(code(line), word));
    file.lines()
        .filter_map(|(place, line)| Some((place, banned(line)?)))
        .map(|(place, word)| format!("{place}: `{word}` has no place in {}", layer.folder))
        .collect()
}

/// The line without its comment: a comment may say why something is absent. `//` inside a string follows a
/// colon, as in a URL.
fn code(line: &str) -> &str {
    let comment = line.match_indices("//").find(|(start, _)| !line[..*start].ends_with(':'));
    comment.map_or(line, |(start, _)| &line[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_may_not_name_the_world_or_the_layers_above() {
        for line in [
            "use tokio::sync::mpsc;",
            "pub async fn run() {}",
            "let shared: Arc<u8>;",
            "use std::net::SocketAddr;",
            "use std::time::{Duration, Instant};",
            "let x = rand::random();",
            "use crate::wire::Info;",
            "use super::super::native::clock;",
            "use crate::{core, wire};",
        ] {
            assert_eq!(layered(&File::new("nats-geo/src/core/a/b.rs", line)).len(), 1, "{line}");
            assert!(layered(&File::new("nats-geo/src/native/a.rs", line)).is_empty(), "{line}");
        }
    }

    #[test]
    fn the_codec_may_not_name_the_core() {
        for line in ["use crate::core::Time;", "use super::super::core::Time;", "use crate::native::clock;"] {
            assert_eq!(layered(&File::new("nats-geo/src/wire/a.rs", line)).len(), 1, "{line}");
        }
        assert!(layered(&File::new("nats-geo/src/wire/a.rs", "use core::fmt;")).is_empty());
    }

    #[test]
    fn comments_may_name_anything() {
        for line in ["//! A driver (tokio, a browser).", "x(); // no `Arc` here", "/// No `Instant`."] {
            assert!(layered(&File::new("nats-geo/src/core/a.rs", line)).is_empty(), "{line}");
        }
        let code_after_url = r#"f("nats://a", tokio::spawn);"#;
        assert_eq!(layered(&File::new("nats-geo/src/core/a.rs", code_after_url)).len(), 1);
    }
}
