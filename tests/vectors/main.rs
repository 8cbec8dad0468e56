//! The test vectors of `nats-geo/vectors`: what a selector is told, and what it has to decide, as JSON that any language
//! can read. `VECTORS=write cargo test -p nats-geo-tests --test vectors` writes them anew, for review as a diff.

mod catalogue;
mod convert;
mod model;

use std::fs;
use std::path::PathBuf;

use model::Vector;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../nats-geo/vectors")
}

fn read(name: &str) -> Vector {
    let path = folder().join(format!("{name}.json"));
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; write it with VECTORS=write", path.display()));
    Vector::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_selector_decides_as_every_vector_says() {
    for (name, _) in catalogue::ALL {
        if let Err(difference) = read(name).play() {
            panic!("{name}: {difference}");
        }
    }
}

#[test]
fn the_files_are_those_of_the_catalogue() {
    let writes = std::env::var("VECTORS").is_ok_and(|value| value == "write");
    for (name, of_catalogue) in catalogue::ALL {
        let vector = of_catalogue();
        if writes {
            fs::write(folder().join(format!("{name}.json")), vector.to_json())
                .expect("the folder can be written");
        }
        assert!(
            read(name) == vector,
            "{name}.json is not what the catalogue makes: look at it with VECTORS=write"
        );
    }
    let known = |file: &str| {
        file == "README.md" || catalogue::ALL.iter().any(|(name, _)| *name == file.trim_end_matches(".json"))
    };
    for entry in fs::read_dir(folder()).expect("the vectors are there") {
        let file = entry.expect("a readable folder").file_name().into_string().expect("a plain name");
        assert!(known(&file), "{file} is in nats-geo/vectors, but not in the catalogue");
    }
}

#[test]
fn an_unknown_event_is_named_with_its_line() {
    let text = "{\"what\":\"x\",\"policy\":{\"preset\":\"fleet\"},\"seed\":\"1\",\"told\":[\n[0,{\"exploded\":{}}]],\"decided\":[],\"ranking\":[]}";
    let error = Vector::parse(text).expect_err("nothing explodes").to_string();
    assert!(error.contains("unknown variant `exploded`") && error.contains("line 2"), "{error}");
}

#[test]
fn another_decision_is_shown_with_its_place() {
    let mut vector = read("first_choice");
    vector.decided[0].0 += 1;
    let difference = vector.play().expect_err("a nanosecond too late");
    assert!(difference.starts_with("decision 0"), "{difference}");
}
