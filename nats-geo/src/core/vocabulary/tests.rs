//! Tests that the tables are well formed: spelling, unique names, no empty cell.

use std::collections::BTreeSet;

use super::*;

fn camel(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| text + &word[..1].to_uppercase() + &word[1..])
}

fn pascal(snake: &str) -> String {
    let camel = camel(snake);
    camel[..1].to_uppercase() + &camel[1..]
}

#[test]
fn all_spellings_of_an_event_are_one_name() {
    for event in EVENTS {
        assert_eq!(event.camel_name, camel(event.name));
        assert_eq!(event.tracing_name, format!("nats_geo.{}", event.name));
        if let Some(variant) = event.variant {
            assert_eq!(variant, pascal(event.name));
        }
    }
    for cause in CAUSES {
        assert_eq!((cause.camel_name, cause.variant), (&*camel(cause.name), &*pascal(cause.name)));
    }
}

#[test]
fn no_name_means_two_things() {
    let names: BTreeSet<_> = EVENTS.iter().map(|event| event.name).collect();
    assert_eq!(names.len(), EVENTS.len());
    let names: BTreeSet<_> = SPANS.iter().map(|span| span.name).collect();
    assert_eq!(names.len(), SPANS.len());
    let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len());
}

#[test]
fn every_row_is_complete_sentences() {
    let is_sentence = |text: &str| text.ends_with('.') && !text.contains('\n') && !text.contains('|');
    for event in EVENTS {
        let cells = [event.meaning, event.cause, event.remedy];
        assert!(cells.into_iter().all(is_sentence), "{event:?}");
        assert!(!event.text_example.is_empty() && !event.text_example.ends_with('.'), "{event:?}");
    }
    let meanings = CAUSES.iter().map(|it| it.meaning).chain(SPANS.iter().map(|it| it.meaning));
    for meaning in meanings.chain(METRICS.iter().map(|it| it.meaning)) {
        assert!(is_sentence(meaning), "{meaning}");
    }
}
