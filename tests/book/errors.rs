//! The errors of the library, from their declarations: text and documentation.

use std::fmt::Write as _;
use std::path::Path;

use syn::{Item, ItemEnum, Lit, Meta, Visibility};

use crate::constants::documentation;
use crate::pages;

/// A section for each public error of the native client, a row for each text.
pub(crate) fn markdown() -> String {
    let mut errors = Vec::new();
    for folder in ["nats-geo/src/native", "nats-geo/src/core"] {
        collect(&pages::root().join(folder), &mut errors);
    }
    errors.sort_by_key(|(path, item)| (path.clone(), item.ident.to_string()));
    let mut text = String::new();
    for (path, item) in errors {
        let rows: Vec<_> = item.variants.iter().filter_map(row).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = write!(
            text,
            "### `{}{}`\n\n{}\n\n| text | meaning |\n|---|---|\n{}\n",
            path,
            item.ident,
            documentation(&item.attrs),
            rows.concat()
        );
    }
    text
}

/// (Module, error) of each public error in a folder.
fn collect(folder: &Path, errors: &mut Vec<(String, ItemEnum)>) {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, errors);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            for item in syn::parse_file(&source).unwrap().items {
                let Item::Enum(item) = item else { continue };
                if matches!(item.vis, Visibility::Public(_))
                    && item.variants.iter().any(|variant| format(variant).is_some())
                {
                    errors.push((module(&path), item));
                }
            }
        }
    }
}

/// Modules of JetStream, services and DNS have errors of the same names.
fn module(path: &Path) -> String {
    // The folder of the whole repository may have the name of a module.
    let path = path.strip_prefix(pages::root()).unwrap().to_string_lossy();
    let known = ["virtual_stream", "kv", "object", "jetstream", "service", "dns", "core"];
    known
        .iter()
        .find(|module| path.contains(&format!("/{module}/")))
        .map(|module| format!("{module}::"))
        .unwrap_or_default()
}

fn row(variant: &syn::Variant) -> Option<String> {
    let text = format(variant)?.replace("{{", "{").replace("}}", "}").replace('|', "\\|");
    Some(format!(
        "| {} | {} |\n",
        text.replace('<', "&lt;"),
        documentation(&variant.attrs).replace('|', "\\|")
    ))
}

/// The text; `None` of a variant that shows another error.
fn format(variant: &syn::Variant) -> Option<String> {
    variant.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("error") => {
            let first = list.tokens.clone().into_iter().next()?;
            match syn::parse_str::<Lit>(&first.to_string()).ok()? {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            }
        }
        _ => None,
    })
}

/// A row for each class of errors of the npm package.
pub(crate) fn browser() -> String {
    let declarations = pages::read("nats-geo-wasm/js/types/errors.d.ts");
    let mut table = "| class | code and meaning |\n|---|---|\n".to_owned();
    let mut before = "";
    for line in declarations.lines() {
        if let Some(name) = line.strip_prefix("export class ").and_then(|rest| rest.split_whitespace().next())
        {
            let doc = before.strip_prefix("/** ").and_then(|doc| doc.strip_suffix(" */"));
            let doc =
                doc.unwrap_or_else(|| panic!("`{name}` has no comment above it that says what it means"));
            let _ = writeln!(table, "| `{name}` | {} |", doc.replace('|', "\\|"));
        }
        before = line;
    }
    let source = pages::read("nats-geo-wasm/js/src/errors.ts");
    let is_code = |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    for code in source.split('"').skip(1).step_by(2).filter(is_code) {
        assert!(table.contains(&format!("`{code}`")), "`{code}` is not documented in errors.d.ts");
    }
    table
}
