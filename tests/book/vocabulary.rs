//! Tables of events, causes, spans and metrics, from the one table in the code.

use std::fmt::Write as _;

use nats_geo::core::vocabulary::{CAUSES, Client, EVENTS, EventInfo, METRICS, SPANS};

/// Each event by an example of its text: for a reader who has seen it.
pub(crate) fn troubleshooting() -> String {
    let mut table = "| text, such as | name | cause | remedy |\n|---|---|---|---|\n".to_owned();
    for EventInfo { name, text_example, cause, remedy, .. } in EVENTS {
        let _ = writeln!(table, "| {} | `{name}` | {} | {} |", cell(text_example), cell(cause), cell(remedy));
    }
    table
}

/// Each event by its name: for a reader who writes rules or dashboards.
pub(crate) fn events() -> String {
    let mut table =
        "| name | `tracing` level | fields | JavaScript | meaning |\n|---|---|---|---|---|\n".to_owned();
    for event in EVENTS {
        let stock = event.nats_core_type.map(|name| format!(", then `{name}`")).unwrap_or_default();
        let native = format!("`{}` | {} | {}", event.tracing_name, event.level.name(), list(event.fields));
        let browser = format!("`{}`{stock}", event.camel_name);
        let (native, browser) = match event.client {
            Client::Native => (native, "–".to_owned()),
            Client::Browser => ("– | – | –".to_owned(), browser),
            _ => (native, browser),
        };
        let _ = writeln!(table, "| {native} | {browser} | {} |", cell(event.meaning));
    }
    table
}

pub(crate) fn causes() -> String {
    let mut table = "| text | label | JavaScript | meaning |\n|---|---|---|---|\n".to_owned();
    for cause in CAUSES {
        let meaning = cell(cause.meaning);
        let _ = writeln!(table, "| {} | `{}` | `{}` | {meaning} |", cause.text, cause.name, cause.camel_name);
    }
    table
}

pub(crate) fn spans() -> String {
    let mut table = "| span | level | fields | meaning |\n|---|---|---|---|\n".to_owned();
    for span in SPANS {
        let meaning = cell(span.meaning);
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {meaning} |",
            span.name,
            span.level.name(),
            list(span.fields)
        );
    }
    table
}

pub(crate) fn metrics() -> String {
    let mut table = "| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n".to_owned();
    for metric in METRICS {
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} | {} |",
            metric.name,
            metric.kind.name(),
            list(metric.labels),
            metric.unit,
            cell(metric.meaning),
        );
    }
    table
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
