//! The keys of topology and scenario files, from the types that they are read into.

use std::fmt::Write as _;

use loadgen::scenario::{ALL_FAULTS, METRICS, PRESETS, TargetKind};
use syn::{Fields, GenericArgument, Item, ItemEnum, ItemStruct, PathArguments, Type};

use crate::constants::{documentation, structs};
use crate::pages;

/// A type, and the table of a file that it is read from.
type Table = (&'static str, &'static str);

/// Tables of a topology file, in the order of the page.
const TOPOLOGY: [Table; 21] = [
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

/// Tables of a scenario file, in the order of the page.
const SCENARIO: [Table; 7] = [
    ("ScenarioSpec", "The whole file"),
    ("ClientsSpec", "`[[clients]]`"),
    ("WorkloadSpec", "`[[workload]]`"),
    ("PhaseSpec", "`[[phase]]`"),
    ("FaultSpec", "`[[fault]]`"),
    ("FaultOptions", "More keys of `[[fault]]`"),
    ("StrategySpec", "`[[strategy]]`"),
];

/// Tables of a rule file of guard, in the order of the page.
const GUARD: [Table; 2] = [("GuardSpec", "The whole file"), ("RuleSpec", "`[[rule]]`")];

/// The keys of a topology file.
pub(crate) fn topology() -> String {
    let file = |file| format!("loadgen/src/topology/spec/{file}");
    markdown(&["mod.rs", "accounts.rs", "streams.rs"].map(file), &TOPOLOGY)
}

/// The keys of a scenario file.
pub(crate) fn scenario() -> String {
    let file = |file| format!("loadgen/src/{file}");
    let files =
        ["scenario/spec/mod.rs", "scenario/spec/clients.rs", "scenario/fault_options.rs", "wan/backend.rs"];
    markdown(&files.map(file), &SCENARIO)
}

/// The keys of a rule file of guard. They stand below a heading of the page.
pub(crate) fn guard() -> String {
    markdown(&["loadgen/src/guard/spec.rs".to_owned()], &GUARD).replace("## ", "### ")
}

/// The catalogue of faults.
pub(crate) fn faults() -> String {
    let mut text = "| fault | happens to | what it does | keys |\n|---|---|---|---|\n".to_owned();
    for kind in ALL_FAULTS {
        let target = match kind.target() {
            TargetKind::Servers => "regions, servers",
            TargetKind::Regions => "regions",
            TargetKind::Pairs => "pairs of regions, as in `lon-ams`",
            TargetKind::Leader => "`meta`, or a stream",
            TargetKind::Population => "a population",
            TargetKind::Resolvers => "resolvers, or `all`",
        };
        let keys: Vec<_> = kind.options().iter().map(|key| format!("`{key}`")).collect();
        let _ = writeln!(text, "| `{kind}` | {target} | {} | {} |", kind.effect(), keys.join(", "));
    }
    text
}

/// The figures that thresholds bound.
pub(crate) fn metrics() -> String {
    let mut text = "| metric | bound, as in | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for metric in METRICS {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let bound = metric.unit.example();
        let _ =
            writeln!(text, "| `{}` | `{bound}` | {} | {} |", metric.name, labels.join(", "), metric.meaning);
    }
    text
}

/// The scenarios that come with loadgen.
pub(crate) fn shipped() -> String {
    let mut text = "| scenario | what happens |\n|---|---|\n".to_owned();
    for preset in PRESETS {
        let _ = writeln!(text, "| `{}` | {} |", preset.name, preset.summary());
    }
    text
}

/// A section for each table, a row for each key.
fn markdown(files: &[String], tables: &[Table]) -> String {
    let sources: Vec<String> = files.iter().map(|file| pages::read(file)).collect();
    let types: Vec<ItemStruct> = sources.iter().flat_map(|source| structs(source)).collect();
    let choices: Vec<ItemEnum> = sources.iter().flat_map(|source| enums(source)).collect();
    let known: Vec<_> = types.iter().map(|item| item.ident.to_string()).collect();
    let shown: Vec<_> = tables.iter().map(|(name, _)| (*name).to_owned()).collect();
    let is_shown = |name: &String| shown.contains(name) || !name.ends_with("Spec");
    assert!(known.iter().all(is_shown), "a type is no table of the page: {known:?}");
    let mut text = String::new();
    for (name, heading) in tables {
        let item = types.iter().find(|item| item.ident == *name).unwrap_or_else(|| panic!("no `{name}`"));
        let _ = write!(
            text,
            "## {heading}\n\n{}\n\n| key | value | meaning |\n|---|---|---|\n",
            documentation(&item.attrs)
        );
        let Fields::Named(fields) = &item.fields else { panic!("`{name}` has no named fields") };
        for field in &fields.named {
            let key = renamed(&field.attrs).unwrap_or_else(|| field.ident.as_ref().unwrap().to_string());
            // A type with a reader of its own names its keys there: `for` is no name in Rust, and options have a table.
            let key = if key == "lasts" { "for".to_owned() } else { key };
            if key == "options" {
                continue;
            }
            let meaning = documentation(&field.attrs).replace('|', "\\|");
            let _ = writeln!(text, "| `{key}` | {} | {meaning} |", value(&field.ty, &choices, tables));
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
                } else if meta.input.peek(syn::Token![=]) {
                    // Such as `default = "one"`.
                    meta.value()?.parse::<syn::Lit>()?;
                }
                Ok(())
            })
            .unwrap();
    }
    name
}

fn value(ty: &Type, choices: &[ItemEnum], tables: &[Table]) -> String {
    let Type::Path(path) = ty else { panic!("a field has no plain type") };
    let last = path.path.segments.last().unwrap();
    let inner = || match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.last() {
            Some(GenericArgument::Type(inner)) => value(inner, choices, tables),
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
        "Value" => "any value".to_owned(),
        "Table" => "table of tables".to_owned(),
        "TopologyRef" => "name, path, or table".to_owned(),
        "OneOrMany" => "text, or list of text".to_owned(),
        "FaultKind" => "[a fault](#faults)".to_owned(),
        "Payload" => "`\"html\"`, `\"json\"`, `\"video\"`, or a size as in `\"1KB\"`".to_owned(),
        "bool" => "`true` or `false`".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "f64" => "number".to_owned(),
        "ByteSize" => "size, as in `\"64MB\"`".to_owned(),
        "Span" => "duration, as in `\"2m\"`".to_owned(),
        _ => match choices.iter().find(|item| item.ident == name) {
            Some(item) => item
                .variants
                .iter()
                .map(|variant| format!("`\"{}\"`", kebab(&variant.ident.to_string())))
                .collect::<Vec<_>>()
                .join(", "),
            None => tables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, heading)| (*heading).to_owned())
                .unwrap_or_else(|| panic!("no table `{name}`")),
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
