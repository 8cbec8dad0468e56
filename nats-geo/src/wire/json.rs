//! A small JSON parser and writer for INFO and CONNECT. With serde_json, the download of the browser package would be
//! three times as large.

/// A JSON value. Numbers stay text, because the caller decides whether it needs an integer.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as its text.
    Number(String),
    /// A string, with its escapes decoded.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object, with its members in the order of the text.
    Object(Vec<(String, Self)>),
}

/// The error of a text that is not valid JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
pub struct SyntaxError {
    /// The expected token.
    pub expected: &'static str,
    /// Position in bytes from the start.
    pub at: usize,
}

impl Value {
    /// Parses a text that contains exactly one value.
    ///
    /// ```
    /// use nats_geo::wire::json::Value;
    ///
    /// let info = Value::parse(br#"{"port":4222,"ldm":true}"#)?;
    /// assert_eq!(info.get("port").and_then(Value::as_u64), Some(4222));
    /// # Ok::<(), nats_geo::wire::json::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    /// The text is not valid JSON. The error has the position.
    pub fn parse(text: &[u8]) -> Result<Self, SyntaxError> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(DEPTH_MAX)?;
        reader.skip_blanks();
        if reader.at == text.len() { Ok(value) } else { Err(reader.expected("the end")) }
    }

    /// Returns the member of an object with this name. If the object has several such members, returns the last one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().rev().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    /// Returns the text of a string; `None` for other values.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// Returns `true` or `false`; `None` for other values.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// Returns a non-negative integer; `None` for other values.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        if let Self::Number(text) = self { text.parse().ok() } else { None }
    }

    /// Returns a number, with about 15 correct digits; `None` for other values. `str::parse` would be exact, but its
    /// tables make the browser package larger.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Self::Number(text) = self { decimal(text) } else { None }
    }

    /// Returns the values of an array; `None` for other values.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(values) = self { Some(values) } else { None }
    }
}

/// Appends `text` as a JSON string, quotes included.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                out.extend([byte >> 4, byte & 15].map(|digit| HEX[usize::from(digit)]));
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// INFO nests twice. Deeper text is refused before it can exhaust the stack.
const DEPTH_MAX: usize = 16;

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    const fn expected(&self, expected: &'static str) -> SyntaxError {
        SyntaxError { expected, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Steps over `byte`, if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.skip_blanks();
        let deeper = depth.checked_sub(1).ok_or_else(|| self.expected("less nesting"))?;
        match self.peek() {
            Some(b'{') => self.object(deeper),
            Some(b'[') => self.array(deeper),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.at += 1;
        let mut members = Vec::new();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_blanks();
            let name = self.string()?;
            if !self.take(b':') {
                return Err(self.expected("`:`"));
            }
            members.push((name, self.value(depth)?));
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.take(b',') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.at += 1;
        let mut values = Vec::new();
        if self.take(b']') {
            return Ok(Value::Array(values));
        }
        loop {
            values.push(self.value(depth)?);
            if self.take(b']') {
                return Ok(Value::Array(values));
            }
            if !self.take(b',') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    fn word(&mut self) -> Result<Value, SyntaxError> {
        let words = [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))];
        for (word, value) in words {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.expected("a value"))
    }

    fn number(&mut self) -> Result<Value, SyntaxError> {
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.text[self.at..].iter().take_while(|byte| is_part(byte)).count();
        let text: String = self.text[self.at..self.at + length].iter().copied().map(char::from).collect();
        if decimal(&text).is_none() {
            return Err(self.expected("a number"));
        }
        self.at += length;
        Ok(Value::Number(text))
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        if !self.take(b'"') {
            return Err(self.expected("`\"`"));
        }
        let mut text = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape(&mut text)?,
                Some(byte @ b' '..) => {
                    text.push(byte);
                    self.at += 1;
                }
                _ => return Err(self.expected("the end of the string")),
            }
        }
        self.at += 1;
        String::from_utf8(text).map_err(|_| self.expected("UTF-8 before here"))
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), SyntaxError> {
        self.at += 1;
        let escaped = self.peek();
        self.at += 1;
        text.push(match escaped {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.unicode(text),
            _ => return Err(self.expected("an escape before here")),
        });
        Ok(())
    }

    fn unicode(&mut self, text: &mut Vec<u8>) -> Result<(), SyntaxError> {
        let mut code = self.hex4()?;
        if (0xd800..0xdc00).contains(&code) && self.text[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.hex4()?.wrapping_sub(0xdc00);
            if low >= 0x400 {
                return Err(self.expected("a low surrogate before here"));
            }
            code = 0x1_0000 + ((code - 0xd800) << 10) + low;
        }
        let decoded = char::from_u32(code).ok_or_else(|| self.expected("a character before here"))?;
        text.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, SyntaxError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.expected("a hexadecimal digit"))?;
            self.at += 1;
        }
        Ok(code)
    }
}

/// `-12.5e-3` as a number; `None` for what JSON does not allow.
fn decimal(text: &str) -> Option<f64> {
    let (unsigned, sign) = text.strip_prefix('-').map_or((text, 1.0), |rest| (rest, -1.0));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) =
        mantissa.split_once('.').map_or((mantissa, None), |(whole, rest)| (whole, Some(rest)));
    let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) || !fraction.is_none_or(is_digits) {
        return None;
    }
    let (exponent, shrinks) = match exponent.as_bytes().first() {
        Some(b'-') => (&exponent[1..], true),
        Some(b'+') => (&exponent[1..], false),
        _ => (exponent, false),
    };
    if !is_digits(exponent) {
        return None;
    }
    // Beyond this every number is zero or infinite anyway.
    let exponent = exponent.parse::<i32>().unwrap_or(9_999).min(9_999) * if shrinks { -1 } else { 1 };
    let fraction = fraction.unwrap_or("");
    let digits = whole.bytes().chain(fraction.bytes());
    let value = digits.fold(0.0, |value, digit| value * 10.0 + f64::from(digit - b'0'));
    let shift = exponent.saturating_sub(i32::try_from(fraction.len()).ok()?);
    // Dividing by a power of ten keeps short fractions such as 0.05 exact.
    let shifted = if shift < 0 { value / power_of_ten(-shift) } else { value * power_of_ten(shift) };
    Some(sign * shifted)
}

fn power_of_ten(exponent: i32) -> f64 {
    (0..exponent.min(400)).fold(1.0, |power, _| power * 10.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(ours: &Value, theirs: &serde_json::Value) -> bool {
        match (ours, theirs) {
            (Value::Null, serde_json::Value::Null) => true,
            (Value::Bool(ours), serde_json::Value::Bool(theirs)) => ours == theirs,
            (Value::String(ours), serde_json::Value::String(theirs)) => ours == theirs,
            (Value::Number(_), serde_json::Value::Number(theirs)) => {
                let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
                (ours - theirs).abs() <= theirs.abs() * 1e-13
            }
            (Value::Array(ours), serde_json::Value::Array(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
            }
            (Value::Object(_), serde_json::Value::Object(theirs)) => {
                theirs.iter().all(|(name, theirs)| ours.get(name).is_some_and(|ours| same(ours, theirs)))
            }
            _ => false,
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            (-1e12..1e12).prop_map(|number: f64| number.into()),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read_alike(theirs in json()) {
            for text in [serde_json::to_vec(&theirs).unwrap(), serde_json::to_vec_pretty(&theirs).unwrap()] {
                prop_assert!(same(&Value::parse(&text).unwrap(), &theirs));
            }
        }

        #[test]
        fn what_is_accepted_serde_json_accepts_too(text in "[-+.eE0-9\\[\\]{}:,\"\\\\ua ntrfls]{0,12}") {
            if Value::parse(text.as_bytes()).is_ok() {
                let theirs = serde_json::from_str::<serde_json::Value>(&text);
                // Only numbers out of its range are refused there.
                let fine = theirs.as_ref().map_or_else(|e| e.to_string().contains("out of range"), |_| true);
                prop_assert!(fine, "{text}: {theirs:?}");
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(text: Vec<u8>) {
            let _ = Value::parse(&text);
        }

        #[test]
        fn strings_survive(text: String) {
            let mut out = Vec::new();
            write_string(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), &text[..]);
            prop_assert_eq!(Value::parse(&out), Ok(Value::String(text)));
        }
    }

    #[test]
    fn errors_say_where() {
        let error = |text: &str| Value::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error(""), "expected a value at byte 0");
        assert_eq!(error("{\"a\" 1}"), "expected `:` at byte 5");
        assert_eq!(error("[1 2]"), "expected `,` or `]` at byte 3");
        assert_eq!(error("01"), "expected a number at byte 0");
        assert_eq!(error("1 x"), "expected the end at byte 2");
        assert_eq!(error(&"[".repeat(100)), "expected less nesting at byte 16");
    }

    #[test]
    fn short_fractions_are_exact() {
        for number in [0.05, 0.2, 1.0, 2_500.0, 0.5, 300.25] {
            assert_eq!(Value::parse(format!("{number}").as_bytes()).unwrap().as_f64(), Some(number));
        }
    }
}
