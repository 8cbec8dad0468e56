//! The page of all constants, from the doc comments of `Config` and its presets.

use std::fmt::Write as _;

use nats_geo::core::Config;
use serde_json::Value;
use syn::{Expr, Fields, Item, ItemStruct, Lit, Meta};

use crate::pages;

/// A section for each part of the configuration, a row for each constant.
pub(crate) fn markdown() -> String {
    let sources =
        ["mod.rs", "measuring.rs"].map(|file| pages::read(&format!("nats-geo/src/core/config/{file}")));
    let structs: Vec<ItemStruct> = sources.iter().flat_map(|source| structs(source)).collect();
    let named =
        |name: &str| structs.iter().find(|item| item.ident == name).unwrap_or_else(|| panic!("no `{name}`"));
    let presets =
        [Config::fleet(), Config::interactive()].map(|config| serde_json::to_value(config).unwrap());
    let mut text = String::new();
    let mut single = Vec::new();
    for (field, kind, doc) in fields(named("Config")) {
        let values = presets.each_ref().map(|preset| &preset[&field]);
        if !kind.ends_with("Config") {
            single.push(row(&field, values, &doc));
            continue;
        }
        let _ = write!(text, "## `{field}`\n\n{doc}\n\n{HEAD}");
        for (name, _, doc) in fields(named(&kind)) {
            text.push_str(&row(&name, values.map(|value| &value[&name]), &doc));
        }
        text.push('\n');
    }
    assert!(!single.is_empty(), "`home` and `warm_standby` are no parts");
    let _ = write!(text, "## Other\n\n{HEAD}{}", single.concat());
    text
}

const HEAD: &str =
    "| constant | `fleet()` | `interactive()` | meaning, default and why |\n|---|---|---|---|\n";

fn row(name: &str, [fleet, interactive]: [&Value; 2], doc: &str) -> String {
    format!("| `{name}` | {} | {} | {} |\n", shown(fleet), shown(interactive), doc.replace('|', "\\|"))
}

/// (Name, type, documentation) of each field.
fn fields(item: &ItemStruct) -> Vec<(String, String, String)> {
    let Fields::Named(fields) = &item.fields else { panic!("`{}` has no named fields", item.ident) };
    let field = |field: &syn::Field| {
        let syn::Type::Path(path) = &field.ty else {
            panic!("a field of `{}` has no plain type", item.ident)
        };
        let kind = path.path.segments.last().unwrap().ident.to_string();
        (field.ident.as_ref().unwrap().to_string(), kind, documentation(&field.attrs))
    };
    fields.named.iter().map(field).collect()
}

pub(crate) fn structs(source: &str) -> Vec<ItemStruct> {
    let items = syn::parse_file(source).unwrap().items;
    items
        .into_iter()
        .filter_map(|item| if let Item::Struct(item) = item { Some(item) } else { None })
        .collect()
}

/// The doc comment in one line, its links as their text.
pub(crate) fn documentation(attributes: &[syn::Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    without_links(&lines.collect::<Vec<_>>().join(" "))
}

fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let Some((label, behind)) = after.split_once(']') else {
            out.push('[');
            rest = after;
            continue;
        };
        out.push_str(label);
        rest = match behind.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, behind)) => behind,
            None => behind,
        };
    }
    out + rest
}

/// A value as a person writes it.
fn shown(value: &Value) -> String {
    if let (Some(secs), Some(nanos)) = (value["secs"].as_u64(), value["nanos"].as_u64()) {
        let ms = secs * 1000 + nanos / 1_000_000;
        return match ms {
            0 => "0".to_owned(),
            ms if ms % 60_000 == 0 => format!("{} min", ms / 60_000),
            ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
            ms => format!("{ms} ms"),
        };
    }
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::Array(parts) => parts.iter().map(shown).collect::<Vec<_>>().join(" to "),
        Value::Object(parts) => {
            let part = |(name, value): (&String, &Value)| format!("{name} {}", shown(value));
            parts.iter().map(part).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string().trim_matches('"').to_owned(),
    }
}

#[test]
fn values_are_shown_with_their_units() {
    let shown = |text: &str| shown(&serde_json::from_str(text).unwrap());
    assert_eq!(shown(r#"{"secs": 0, "nanos": 250000000}"#), "250 ms");
    assert_eq!(shown(r#"{"secs": 3, "nanos": 0}"#), "3 s");
    assert_eq!(shown(r#"{"secs": 300, "nanos": 0}"#), "5 min");
    assert_eq!((shown("0.5"), shown("null"), shown("true")), ("0.5".into(), "none".into(), "on".into()));
}

#[test]
fn links_become_their_text() {
    assert_eq!(without_links("see [`a`](super::a) and [b], x[0]"), "see `a` and b, x0");
}
