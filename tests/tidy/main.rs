//! The rules of the repository that no compiler checks, over all tracked files.
//!
//! `rules.rs` says what is wrong with one file, `layers.rs` who may know whom, `map.rs` whether ARCHITECTURE.md
//! shows what is there, `words.rs` how users are spoken to. Each has tests on bad input: a rule that cannot fail proves nothing.

mod files;
mod layers;
mod map;
mod rules;
mod words;

use files::File;

/// Fails with every complaint at once: fixing them one by one is slow.
#[track_caller]
fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// What `rule` has against each tracked file.
fn complaints(rule: impl Fn(&File) -> Vec<String>) -> Vec<String> {
    files::tracked().iter().flat_map(rule).collect()
}

#[test]
fn files_are_short() {
    assert_none(&complaints(rules::short));
}

#[test]
fn modules_say_what_they_are() {
    assert_none(&complaints(rules::documented));
}

#[test]
fn users_read_plain_words() {
    assert_none(&complaints(words::plain));
}

#[test]
fn nothing_is_left_for_later() {
    assert_none(&complaints(rules::finished));
}

#[test]
fn lock_files_name_no_download_address() {
    assert_none(&complaints(rules::no_download_address));
}

#[test]
fn layers_know_only_what_is_below_them() {
    for layer in &layers::LAYERS {
        let has_code = files::tracked().iter().any(|file| file.path.starts_with(layer.folder));
        assert!(has_code || layer.planned, "{} is empty: the rule would check nothing", layer.folder);
    }
    assert_none(&complaints(layers::layered));
}

#[test]
fn the_code_map_is_complete_and_leads_nowhere_else() {
    let files = files::tracked();
    let map = files.iter().find(|file| file.path == "ARCHITECTURE.md").expect("ARCHITECTURE.md is tracked");
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_none(&[map::missing(&map.text, &paths), map::dead(&map.text, &paths)].concat());
}
