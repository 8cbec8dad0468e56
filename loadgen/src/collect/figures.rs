//! Figures in a JSON document. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

/// A figure and its place in the answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) place: Place,
}

/// JSON pointers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// To a number.
    Value(String),
    /// To a list whose elements are counted, those with these texts only.
    Count { list: String, filter: BTreeMap<String, String> },
}

impl Metric {
    /// Returns the figure.
    ///
    /// # Errors
    /// A sentence that says what is at the place instead.
    pub(super) fn of(&self, answer: &Value) -> Result<f64, String> {
        match &self.place {
            Place::Value(pointer) => number(found(answer, pointer)?)
                .ok_or_else(|| format!("`{}`: the value at `{pointer}` is no number", self.name)),
            Place::Count { list, filter } => {
                let elements = found(answer, list)?.as_array();
                let elements =
                    elements.ok_or_else(|| format!("`{}`: the value at `{list}` is no list", self.name))?;
                Ok(elements.iter().filter(|element| fits(element, filter)).count() as f64)
            }
        }
    }
}

fn found<'a>(answer: &'a Value, pointer: &str) -> Result<&'a Value, String> {
    answer.pointer(pointer).ok_or_else(|| format!("the answer has nothing at `{pointer}`"))
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(is) => Some(f64::from(u8::from(*is))),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

fn fits(element: &Value, filter: &BTreeMap<String, String>) -> bool {
    filter.iter().all(|(pointer, wanted)| match element.pointer(pointer) {
        Some(Value::String(text)) => text == wanted,
        Some(other) => serde_json::from_str::<Value>(wanted).is_ok_and(|wanted| wanted == *other),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(pointer: &str) -> Metric {
        Metric { name: "m".to_owned(), place: Place::Value(pointer.to_owned()) }
    }

    fn count(list: &str, filter: &[(&str, &str)]) -> Metric {
        let filter = filter.iter().map(|(at, is)| ((*at).to_owned(), (*is).to_owned())).collect();
        Metric { name: "m".to_owned(), place: Place::Count { list: list.to_owned(), filter } }
    }

    #[test]
    fn numbers_texts_and_truths_are_figures() {
        let answer =
            json!({ "a": { "b/c": 2.5 }, "t": " 7 ", "yes": true, "no": false, "word": "x", "n": null });
        for (pointer, figure) in [("/a/b~1c", 2.5), ("/t", 7.0), ("/yes", 1.0), ("/no", 0.0)] {
            assert_eq!(value(pointer).of(&answer), Ok(figure), "{pointer}");
        }
        for pointer in ["/word", "/n", "/a"] {
            assert_eq!(
                value(pointer).of(&answer),
                Err(format!("`m`: the value at `{pointer}` is no number"))
            );
        }
        assert_eq!(value("/z").of(&answer), Err("the answer has nothing at `/z`".to_owned()));
        assert!(value("/t").of(&json!({ "t": "NaN" })).is_err());
    }

    #[test]
    fn elements_are_counted_by_their_texts() {
        let machines = json!([
            { "state": "started", "config": { "cpus": 2 } },
            { "state": "stopped", "config": { "cpus": 2 } },
            { "state": "started" },
        ]);
        assert_eq!(count("", &[]).of(&machines), Ok(3.0));
        assert_eq!(count("", &[("/state", "started")]).of(&machines), Ok(2.0));
        assert_eq!(count("", &[("/state", "started"), ("/config/cpus", "2")]).of(&machines), Ok(1.0));
        assert_eq!(count("", &[]).of(&json!({})), Err("`m`: the value at `` is no list".to_owned()));
    }
}
