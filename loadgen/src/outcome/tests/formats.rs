//! Tests that parsers of other programs can read the JUnit XML and the NDJSON.

use std::collections::BTreeMap;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde_json::{Value, json};

use super::report;
use crate::outcome::model::{Report, ThresholdRow, Verdict};
use crate::outcome::{to_junit, to_ndjson};

/// Every letter that XML and JSON write in another way.
const NASTY: &str = "<&\"'>";

/// An element of XML.
#[derive(Debug)]
struct Element {
    /// The names of the elements around it and its own, as in `testsuite/testcase`.
    place: String,
    attributes: BTreeMap<String, String>,
}

impl Element {
    fn is(&self, attribute: &str, value: &str) -> bool {
        self.attributes.get(attribute).is_some_and(|found| found == value)
    }
}

/// All elements in their order. Panics if the document is not well-formed.
fn parse(xml: &str) -> Vec<Element> {
    let mut reader = Reader::from_str(xml);
    let (mut open, mut found) = (Vec::new(), Vec::new());
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {xml}")) {
            Event::Start(start) => found.push(element(&mut open, &start)),
            Event::Empty(start) => {
                found.push(element(&mut open, &start));
                open.pop();
            }
            Event::End(_) => assert!(open.pop().is_some(), "{xml}"),
            Event::Text(text) => assert!(text.trim_ascii().is_empty(), "a text outside of attributes: {xml}"),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open, Vec::<String>::new(), "{xml}");
    found
}

fn element(open: &mut Vec<String>, start: &BytesStart<'_>) -> Element {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    open.push(text(start.name().as_ref()));
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        assert!(!attribute.value.contains(&b'<'), "XML allows no `<` in an attribute: {start:?}");
        let value = attribute.normalized_value(XmlVersion::Explicit1_0).unwrap();
        (text(attribute.key.as_ref()), value.into_owned())
    });
    let attributes = attributes.collect();
    Element { place: open.join("/"), attributes }
}

/// The report of a run with these thresholds: text, measured value, and whether it holds.
fn judged(verdict: Verdict, rows: &[(&str, Option<&str>, Option<bool>)]) -> Report {
    let row = |(text, measured, holds): &(&str, Option<&str>, Option<bool>)| ThresholdRow {
        text: (*text).to_owned(),
        measured: measured.map(str::to_owned),
        holds: *holds,
    };
    Report { verdict, thresholds: rows.iter().map(row).collect(), reasons: Vec::new(), ..report() }
}

/// The numbers of test cases, failures and errors: those that the suite announces, and those that it has.
fn counts(elements: &[Element]) -> [(usize, usize); 3] {
    let suite = &elements[0];
    assert_eq!(suite.place, "testsuite");
    let of = |attribute: &str, place: &str| {
        let there = elements.iter().filter(|element| element.place == format!("testsuite/{place}")).count();
        (suite.attributes[attribute].parse().unwrap(), there)
    };
    [of("tests", "testcase"), of("failures", "testcase/failure"), of("errors", "testcase/error")]
}

#[test]
fn junit_of_a_pass_has_cases_without_children() {
    let rows = [("js.lost == 0", Some("0"), Some(true)), ("herd.peak < 2", Some("1.5"), Some(true))];
    let elements = parse(&to_junit(&judged(Verdict::Pass, &rows)));
    assert_eq!(counts(&elements), [(2, 2), (0, 0), (0, 0)]);
    assert!(elements[0].is("name", "by-hand") && elements[0].is("time", "10.0"), "{elements:?}");
    for (element, (text, ..)) in elements[1..].iter().zip(rows) {
        assert!(element.is("classname", "by-hand") && element.is("name", text), "{element:?}");
    }
}

#[test]
fn junit_of_a_fail_tells_failures_from_what_was_not_measured() {
    let rows = [
        ("js.lost == 0", Some("0"), Some(true)),
        ("failover.p90 < 200ms", Some("310.0 ms"), Some(false)),
        ("kv.lost == 0", None, None),
        ("messages.p50 < 1ms", Some("1.0 ms ± 0.500 ms"), None),
    ];
    let elements = parse(&to_junit(&judged(Verdict::Fail, &rows)));
    assert_eq!(counts(&elements), [(4, 4), (1, 1), (2, 2)]);
    let child_of = |name: &str| {
        let case = elements.iter().position(|element| element.is("name", name)).unwrap();
        elements.get(case + 1).filter(|next| next.place.starts_with("testsuite/testcase/"))
    };
    let child = |name: &str| {
        let child = child_of(name).unwrap();
        format!("{}: {}", child.place.rsplit('/').next().unwrap(), child.attributes["message"])
    };
    assert!(child_of("js.lost == 0").is_none());
    assert_eq!(child("failover.p90 < 200ms"), "failure: measured 310.0 ms");
    assert_eq!(child("kv.lost == 0"), "error: nothing was measured");
    assert_eq!(child("messages.p50 < 1ms"), "error: 1.0 ms ± 0.500 ms");
}

/// Every threshold holds, and the suite fails all the same: the figures may be wrong.
#[test]
fn junit_of_a_disturbed_run_has_an_error_with_the_reasons() {
    let rows = [("js.lost == 0", Some("0"), Some(true))];
    let mut report = judged(Verdict::Inconclusive, &rows);
    report.reasons = vec!["the machine is too busy".into(), NASTY.into()];
    let elements = parse(&to_junit(&report));
    assert_eq!(counts(&elements), [(2, 2), (0, 0), (1, 1)]);
    let error = elements.last().unwrap();
    assert_eq!(error.place, "testsuite/testcase/error");
    assert!(error.is("message", &format!("the machine is too busy; {NASTY}")), "{error:?}");
}

#[test]
fn junit_keeps_every_letter() {
    let (text, measured) = (format!("plain {NASTY}: js.lost == 0"), format!("{NASTY} ms"));
    let rows = [(text.as_str(), Some(measured.as_str()), Some(false)), (NASTY, Some(NASTY), None)];
    let mut report = judged(Verdict::Fail, &rows);
    report.scenario = NASTY.into();
    let elements = parse(&to_junit(&report));
    assert!(elements[0].is("name", NASTY), "{elements:?}");
    assert!(elements[1].is("classname", NASTY) && elements[1].is("name", &text), "{elements:?}");
    assert!(elements[2].is("message", &format!("measured {measured}")), "{elements:?}");
    assert!(elements[3].is("name", NASTY) && elements[4].is("message", NASTY), "{elements:?}");
}

#[test]
fn ndjson_has_a_line_for_each_slot_with_the_figures_of_the_report() {
    let mut report = report();
    let strategy = format!("{NASTY}\\ in\ntwo lines");
    for run in &mut report.runs {
        run.strategy.clone_from(&strategy);
        // Nothing was answered in this slot.
        run.series[0].p50_ms[0] = None;
    }
    let text = to_ndjson(&report);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut expected = Vec::new();
    for run in &report.runs {
        for series in &run.series {
            for slot in 0..series.ok.len() {
                let line = json!({
                    "strategy": strategy,
                    "repetition": run.repetition,
                    "population": "geo",
                    "region": "lon",
                    "at_s": slot as f64 * run.step_s,
                    "ok": series.ok[slot],
                    "failed": series.failed[slot],
                    "p50_ms": series.p50_ms[slot],
                    "p99_ms": series.p99_ms[slot],
                    "max_ms": series.max_ms[slot],
                });
                // Through a text, because that rounds numbers.
                expected.push(serde_json::from_str::<Value>(&line.to_string()).unwrap());
            }
        }
    }
    assert_eq!(lines, expected);
    let sum = |key: &str| lines.iter().map(|line| line[key].as_u64().unwrap()).sum::<u64>();
    // Two clients, 100 requests each, as the recording says.
    assert_eq!((sum("ok"), sum("failed")), (157, 43));
    assert!(lines[0]["p50_ms"].is_null(), "{text}");
}
