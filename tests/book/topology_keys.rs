//! The keys of a topology file, from the types that it is read into.

use std::fmt::Write as _;

use syn::{Fields, GenericArgument, Item, ItemEnum, ItemStruct, PathArguments, Type};

use crate::constants::{documentation, structs};
use crate::pages;

/// The types, in the order of the page, and the tables that they are read from.
const TABLES: [(&str, &str); 21] = [
    ("Spec", "The whole file"),
    ("ClusterSpec", "`[[cluster]]`"),
    ("ServerSpec", "`[[cluster.server]]`"),
    ("PortsSpec", "`cluster.server.ports`"),
    ("AuthSpec", "`[auth]`"),
    ("AccountSpec", "`[[account]]`"),
    ("UserSpec", "`[[account.user]]`"),
    ("LimitsSpec", "`[account.limits]`"),
    ("ExportSpec", "`[[account.export]]`"),
    ("ImportSpec", "`[[account.import]]`"),
    ("MappingSpec", "`[[account.mapping]]`"),
    ("MappingTarget", "`account.mapping.to`"),
    ("TlsSpec", "`[tls]`"),
    ("JetStreamSpec", "`[jetstream]`"),
    ("Enabled", "`[websocket]`"),
    ("TimingSpec", "`[timing]`"),
    ("DistancesSpec", "`[distances]`"),
    ("StreamSpec", "`[[stream]]`"),
    ("SourceSpec", "`stream.mirror` and `stream.sources`"),
    ("TransformSpec", "`transform` of a source"),
    ("BucketSpec", "`[[bucket]]`"),
];

/// A section for each table, a row for each key.
pub(crate) fn markdown() -> String {
    let sources = ["mod.rs", "accounts.rs", "streams.rs"]
        .map(|file| pages::read(&format!("loadgen/src/topology/spec/{file}")));
    let types: Vec<ItemStruct> = sources.iter().flat_map(|source| structs(source)).collect();
    let choices: Vec<ItemEnum> = sources.iter().flat_map(|source| enums(source)).collect();
    let known: Vec<_> = types.iter().map(|item| item.ident.to_string()).collect();
    let shown: Vec<_> = TABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert!(known.iter().all(|name| shown.contains(name)), "a type is no table of the page: {known:?}");
    let mut text = String::new();
    for (name, heading) in TABLES {
        let item = types.iter().find(|item| item.ident == name).unwrap_or_else(|| panic!("no `{name}`"));
        let _ = write!(
            text,
            "## {heading}\n\n{}\n\n| key | value | meaning |\n|---|---|---|\n",
            documentation(&item.attrs)
        );
        let Fields::Named(fields) = &item.fields else { panic!("`{name}` has no named fields") };
        for field in &fields.named {
            let key = renamed(&field.attrs).unwrap_or_else(|| field.ident.as_ref().unwrap().to_string());
            let meaning = documentation(&field.attrs).replace('|', "\\|");
            let _ = writeln!(text, "| `{key}` | {} | {meaning} |", value(&field.ty, &choices));
        }
        text.push('\n');
    }
    text
}

fn enums(source: &str) -> Vec<ItemEnum> {
    let items = syn::parse_file(source).unwrap().items.into_iter();
    items.filter_map(|item| if let Item::Enum(item) = item { Some(item) } else { None }).collect()
}

/// The name that a file uses, if it is not that of the field.
fn renamed(attributes: &[syn::Attribute]) -> Option<String> {
    let mut name = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute
            .parse_nested_meta(|meta| {
                if meta.path.is_ident("rename") {
                    name = Some(meta.value()?.parse::<syn::LitStr>()?.value());
                }
                Ok(())
            })
            .unwrap();
    }
    name
}

fn value(ty: &Type, choices: &[ItemEnum]) -> String {
    let Type::Path(path) = ty else { panic!("a field has no plain type") };
    let last = path.path.segments.last().unwrap();
    let inner = || match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.last() {
            Some(GenericArgument::Type(inner)) => value(inner, choices),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let name = last.ident.to_string();
    match name.as_str() {
        "Option" => inner(),
        "Vec" => format!("list of {}", inner()),
        "BTreeMap" => format!("table of {}", inner()),
        "String" | "Secret" => "text".to_owned(),
        "bool" => "`true` or `false`".to_owned(),
        "u8" | "u16" | "u32" | "f64" => "number".to_owned(),
        "ByteSize" => "size, as in `\"64MB\"`".to_owned(),
        "Span" => "duration, as in `\"2m\"`".to_owned(),
        _ => match choices.iter().find(|item| item.ident == name) {
            Some(item) => item
                .variants
                .iter()
                .map(|variant| format!("`\"{}\"`", kebab(&variant.ident.to_string())))
                .collect::<Vec<_>>()
                .join(", "),
            None => TABLES
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, heading)| (*heading).to_owned())
                .unwrap(),
        },
    }
}

fn kebab(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
