//! JSON text for JavaScript. One string crosses the boundary instead of one call for each field.

use std::time::Duration;

use nats_geo::wire::json::write_string;

/// An object that is being written.
#[derive(Debug)]
pub(crate) struct Object(Vec<u8>);

impl Object {
    pub(crate) fn new() -> Self {
        Self(b"{".to_vec())
    }

    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        self.raw(name, |out| write_string(out, text))
    }

    pub(crate) fn number(self, name: &str, number: u64) -> Self {
        self.raw(name, |out| out.extend_from_slice(number.to_string().as_bytes()))
    }

    pub(crate) fn bool(self, name: &str, value: bool) -> Self {
        self.raw(name, |out| out.extend_from_slice(if value { b"true" } else { b"false" }))
    }

    /// Milliseconds with three decimals, by integers: the formatting of floats is half a kilobyte of tables.
    pub(crate) fn millis(self, name: &str, duration: Duration) -> Self {
        self.raw(name, |out| write_millis(out, duration))
    }

    pub(crate) fn object(self, name: &str, object: Self) -> Self {
        self.raw(name, |out| out.extend_from_slice(object.finish().as_bytes()))
    }

    pub(crate) fn objects(self, name: &str, objects: impl IntoIterator<Item = Self>) -> Self {
        self.raw(name, |out| {
            out.push(b'[');
            for (nth, object) in objects.into_iter().enumerate() {
                if nth > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(object.finish().as_bytes());
            }
            out.push(b']');
        })
    }

    /// Leaves the object as it is if there is no value.
    pub(crate) fn maybe<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => write(self, value),
            None => self,
        }
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push(b'}');
        // Made of strings and ASCII only.
        String::from_utf8(self.0).unwrap_or_default()
    }

    fn raw(mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        write_string(&mut self.0, name);
        self.0.push(b':');
        write(&mut self.0);
        self
    }
}

fn write_millis(out: &mut Vec<u8>, duration: Duration) {
    // Of 64 bits: the arithmetic of 128 is two kilobytes.
    let micros = duration.as_secs().saturating_mul(1_000_000) + u64::from(duration.subsec_micros());
    out.extend_from_slice((micros / 1_000).to_string().as_bytes());
    out.push(b'.');
    let thousandths = (1_000 + micros % 1_000).to_string();
    out.extend_from_slice(&thousandths.as_bytes()[1..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json() {
        let object = Object::new()
            .text("a", "x\"y")
            .number("b", 7)
            .bool("c", true)
            .millis("d", Duration::from_micros(12_034))
            .objects("e", [Object::new(), Object::new().number("f", 1)])
            .maybe(None::<u64>, |object, value| object.number("g", value))
            .object("h", Object::new());
        let json: serde_json::Value = serde_json::from_str(&object.finish()).unwrap();
        let expected = serde_json::json!(
            {"a": "x\"y", "b": 7, "c": true, "d": 12.034, "e": [{}, {"f": 1}], "h": {}}
        );
        assert_eq!(json, expected);
    }
}
