//! The report as one HTML file: the page of `web/report`, which is built into `assets/report.html`, with the data in it.

use super::model::Report;
use crate::markup::escape;

/// The page without data. `npm run report` in `web` builds it anew.
const PAGE: &str = include_str!("../../assets/report.html");

/// The page with this report.
pub fn to_html(report: &Report) -> String {
    // Texts, numbers and lists are JSON. `<` could end the element that holds it.
    let data = serde_json::to_string(report).unwrap_or_default().replace('<', "\\u003c");
    let title = format!("{}: {}", report.verdict, report.title);
    filled(PAGE, &escape(&title), &data)
}

/// Splits the page instead of replacing twice: a title may contain the other mark.
fn filled(page: &str, title: &str, data: &str) -> String {
    let (head, rest) = page.split_once("__RUN_TITLE__").unwrap_or((page, ""));
    let (middle, tail) = rest.split_once("__RUN_DATA__").unwrap_or((rest, ""));
    [head, title, middle, data, tail].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_and_data_come_to_their_places() {
        assert_eq!(filled("a__RUN_TITLE__b__RUN_DATA__c", "__RUN_DATA__", "{}"), "a__RUN_DATA__b{}c");
        assert_eq!(PAGE.matches("__RUN_TITLE__").count(), 1);
        assert_eq!(PAGE.matches("__RUN_DATA__").count(), 1);
        assert_eq!(escape("<b> & \"c\""), "&lt;b&gt; &amp; &quot;c&quot;");
    }
}
