//! Every target on what guided fuzzing has found so far, and on arbitrary bytes. `make fuzz` goes on from there. A line
//! says how many operations were carried out.

use std::cell::Cell;
use std::path::Path;

use nats_geo_fuzz::{DECODE, SCENARIO, SELECTOR, Target};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[test]
fn a_selector_survives_any_driver() {
    play(&SELECTOR, 300, 600);
}

#[test]
fn no_rule_is_broken_in_any_scenario() {
    // A debug build takes half a second for each.
    play(&SCENARIO, 12, 80);
}

#[test]
fn any_bytes_are_decoded_alike_in_any_pieces() {
    play(&DECODE, 3_000, 400);
}

/// The corpus, and so many inputs of up to so many bytes. One that fails is made small and printed.
#[track_caller]
fn play(target: &Target, inputs: u32, bytes_max: usize) {
    let corpus = corpus(target.name);
    let operations = Cell::new(corpus.iter().map(|input| (target.play)(input)).sum::<u64>());
    let config = Config { cases: inputs, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let played = runner.run(&prop::collection::vec(any::<u8>(), 0..bytes_max), |input| {
        operations.set(operations.get() + (target.play)(&input));
        Ok(())
    });
    played.unwrap_or_else(|broken| panic!("{}: {broken}", target.name));
    let (name, operations) = (target.name, operations.get());
    println!("{name}: {} inputs of the corpus, {inputs} others, {operations} operations", corpus.len());
    assert!(operations > u64::from(inputs), "inputs that do nothing prove nothing");
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty: `make fuzz` fills it", folder.display());
    paths.iter().map(|path| std::fs::read(path).expect("a readable file")).collect()
}
