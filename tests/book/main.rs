//! The book in `docs/`: its generated parts say what the code says, its commands run, and README stays short.
//!
//! `BOOK=write cargo test -p nats-geo-tests --test book` writes the generated parts anew.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod command_line;
mod commands;
mod constants;
mod errors;
mod figures;
mod keys;
mod pages;
mod processes;
mod results;
mod vocabulary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pages::Page;

/// The parts of pages that are generated, by the name in their `<!-- generated: NAME -->` line.
fn generated() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("constants", constants::markdown()),
        ("command line", command_line::markdown()),
        ("topology keys", keys::topology()),
        ("scenario keys", keys::scenario()),
        ("guard keys", keys::guard()),
        ("faults", keys::faults()),
        ("threshold metrics", keys::metrics()),
        ("scenarios", keys::shipped()),
        ("troubleshooting", vocabulary::troubleshooting()),
        ("events", vocabulary::events()),
        ("causes", vocabulary::causes()),
        ("spans", vocabulary::spans()),
        ("metrics", vocabulary::metrics()),
        ("errors", errors::markdown()),
        ("browser errors", errors::browser()),
        ("summary", results::summary()),
        ("failover", results::failover("failover")),
        ("failover with a standby", results::failover("standby")),
        ("failover of a fleet", results::failover("fleet")),
        ("herd", results::herd()),
        ("core", results::core()),
    ])
}

#[test]
fn generated_parts_are_up_to_date() {
    let (parts, write) = (generated(), std::env::var("BOOK").is_ok_and(|mode| mode == "write"));
    let mut unused: Vec<_> = parts.keys().copied().collect();
    let mut stale = Vec::new();
    for page in pages::all() {
        let (text, used) = page.with(&parts);
        unused.retain(|name| !used.contains(name));
        refresh(write, &page.path, &page.text, &text, &mut stale);
    }
    for (name, picture) in figures::all() {
        let path = pages::root().join("docs/book/figures").join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        refresh(write, &path, &text, &picture, &mut stale);
    }
    assert!(unused.is_empty(), "no page has the generated parts {unused:?}");
    assert!(stale.is_empty(), "{stale:?}: run `BOOK=write cargo test -p nats-geo-tests --test book`");
}

/// Writes the file, or remembers that it is stale.
fn refresh(write: bool, path: &Path, old: &str, new: &str, stale: &mut Vec<PathBuf>) {
    if old == new {
        return;
    }
    if write { std::fs::write(path, new).unwrap() } else { stale.push(path.to_owned()) }
}

#[test]
fn readme_is_a_front_door() {
    let readme = pages::read("README.md");
    let lines = readme.lines().count();
    assert!(lines <= 120, "README.md has {lines} lines: what is more than 120 belongs into docs/book");
}

#[test]
fn the_book_names_the_version_of_async_nats() {
    let manifest = pages::read("Cargo.toml");
    let (_, rest) = manifest.split_once("async-nats = { version = \"").unwrap();
    let (version, _) = rest.split_once('"').unwrap();
    let named = format!("`async-nats` {version},");
    assert!(
        pages::read("docs/book/from-async-nats.md").contains(&named),
        "write {named} into from-async-nats.md"
    );
}

#[test]
fn every_rust_sample_is_compiled() {
    let compiled = pages::read("nats-geo/src/book.rs");
    let has_rust = |page: &Page| page.name != "README.md" && page.text.contains("```rust");
    let missing = |page: &Page| !compiled.contains(&format!("docs/book/{}\"", page.name));
    let names: Vec<_> = pages::all()
        .into_iter()
        .filter(|page| has_rust(page) && missing(page))
        .map(|page| page.name)
        .collect();
    assert!(
        names.is_empty(),
        "add {names:?} to nats-geo/src/book.rs: rustdoc compiles the samples of its pages"
    );
}

/// A reader who follows a tutorial types all of its commands.
#[test]
fn every_command_of_a_tutorial_runs() {
    let tutorials: Vec<Page> = pages::all().into_iter().filter(commands::is_tutorial).collect();
    assert!(tutorials.len() >= 3, "the tutorials were not found");
    for page in &tutorials {
        commands::run_all(page);
    }
}
