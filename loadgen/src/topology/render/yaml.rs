//! YAML, written by hand so that it has comments. A JSON string is a YAML string, too.

use serde_json::Value;

/// A string between quotation marks.
pub(super) fn text(text: &str) -> String {
    Value::from(text).to_string()
}

/// A list in one line.
pub(super) fn list(items: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| text(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// Many lines as they are (a block scalar), indented by `indent` spaces; they begin after the `|`.
pub(super) fn block(text: &str, indent: usize) -> String {
    let mut block = "|\n".to_owned();
    for line in text.lines() {
        if !line.is_empty() {
            block.extend(std::iter::repeat_n(' ', indent));
            block.push_str(line);
        }
        block.push('\n');
    }
    block
}
